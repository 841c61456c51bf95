"""``clarion evaluate``: judge a fitted model on labelled files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clarion.cli.options import FILES, JSON, MODEL, ReadOptions, ServerOptions, with_options

if TYPE_CHECKING:
    from clarion.cli.evaluation_tables import Table
    from clarion_client import EvaluationReport, ExplanationReport


@with_options(reading=ReadOptions, server=ServerOptions)
def evaluate(
    model: Annotated[str, MODEL],
    files: Annotated[list[Path], FILES],
    *,
    reading: ReadOptions,
    server: ServerOptions,
    attack: Annotated[
        str,
        typer.Option(
            metavar="COLUMN", help="Column that names each anomaly; may be the label's own."
        ),
    ] = "",
    ordered: Annotated[
        bool, typer.Option("--ordered", help="Rows are in time order, though they have no times.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(help="False-alarm rate, in (0, 1); default: the model's own.")
    ] = None,
    explanations: Annotated[
        bool, typer.Option("--explanations", help="Judge the explanations too.")
    ] = False,
    explainer: Annotated[
        str, typer.Option(metavar="NAME", help="Explainer to judge; default: the best there is.")
    ] = "",
    blames: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="File with the sick signals of some rows, `first-last:signal,signal` a line.",
        ),
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the evaluation.")] = 600.0,
    json_file: Annotated[Path | None, JSON] = None,
    page_file: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", help="Write a page with curves as HTML."),
    ] = None,
) -> None:
    """Judge a model on labelled rows that its fit has not seen, beside trivial baselines.

    Fit it first, on other rows: `clarion fit`. The threshold comes from the training rows alone;
    the labels (--label, required) only judge. Columns that the model does not know are left out.
    """
    from clarion.cli import console, output
    from clarion.cli import files as source
    from clarion.cli.blames import read_blames
    from clarion.cli.evaluation_page import evaluation_page
    from clarion.cli.waiting import awaited
    from clarion_client import JudgedExplanations

    if (explainer or blames) and not explanations:
        raise typer.BadParameter("--explainer and --blames say how to judge --explanations")
    if not reading.label:
        raise typer.BadParameter("say which --label column tells the anomalous rows")
    with server.connect() as client, console.progress() as bar:
        version = client.version(model)
        signals = [signal.name for signal in version.signals]
        rows = source.read(files, reading, signals, attack)
        console.note(rows.words())
        blamed = () if blames is None else read_blames(blames, signals, len(rows.frame))
        started = client.start_evaluation(
            version.name,
            source.message(rows.frame),
            labels=rows.anomalous,
            attacks=rows.names,
            ordered=ordered,
            false_alarm_rate=rate,
            explanations=JudgedExplanations(explainer, blamed) if explanations else None,
        )
        report = awaited(started, bar, wait)
    if json_file is not None:
        output.write_json(json_file, report)
    if page_file is not None:
        page_file.write_text(evaluation_page(report, version, rows.left_out), encoding="utf-8")
    if str(json_file) != "-":
        show(report)


def show(report: EvaluationReport) -> None:
    """Print what an evaluation found."""
    from clarion.cli import confidence_tables, console
    from clarion.cli import evaluation_tables as tables

    console.facts([*tables.facts(report), *confidence_tables.facts(report.reliability)])
    _print(tables.figures(report))
    for table in (tables.events(report), tables.names(report)):
        if table.rows:
            _print(table)
    if report.explanations is not None:
        show_explanations(report.explanations)


def show_explanations(report: ExplanationReport) -> None:
    """Print how far explanations can be trusted."""
    from clarion.cli import console
    from clarion.cli import faithfulness_tables as tables

    console.facts(tables.facts(report))
    for table in (tables.removals(report), tables.located(report), tables.injected(report)):
        if table.rows:
            _print(table)


def _print(table: Table) -> None:
    from clarion.cli import console

    made = console.table(*table.heads, right=table.heads[1:])
    for row in table.rows:
        made.add_row(*row)
    console.out().print(made)
