"""``clarion score``: score files with a fitted model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clarion.cli.options import FILES, JSON, MODEL, ReadOptions, ServerOptions, with_options

if TYPE_CHECKING:
    from clarion.cli.files import Rows
    from clarion.cli.judging import Judgement
    from clarion.cli.scoring import Scored

EXIT_ANOMALIES = 3


@with_options(server=ServerOptions, reading=ReadOptions)
def score(
    model: Annotated[str, MODEL],
    files: Annotated[list[Path], FILES],
    *,
    server: ServerOptions,
    reading: ReadOptions,
    explained: Annotated[
        bool, typer.Option("--explain", help="Say why, for each anomaly.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(help="False-alarm rate, in (0, 1); default: the model's own.")
    ] = None,
    allow_extrapolated: Annotated[
        bool,
        typer.Option(
            "--allow-extrapolated",
            help="Extrapolate the threshold where the held-out rows cannot reach the rate.",
        ),
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Anomalies to print, the strangest first.")
    ] = 10,
    json_file: Annotated[Path | None, JSON] = None,
    fail_on_anomaly: Annotated[
        bool, typer.Option("--fail-on-anomaly", help="Exit with 3 where a row is anomalous.")
    ] = False,
) -> None:
    """Score files, and print the strangest rows.

    Columns that the model does not know are left out, and named. With --label the scores are
    judged against the labels too.
    """
    from clarion.cli import console, output
    from clarion.cli import files as source
    from clarion.cli.judging import judge
    from clarion.cli.scoring import score_all

    with server.connect() as client:
        version = client.version(model)
        signals = [signal.name for signal in version.signals]
        rows = source.read(files, reading, signals)
        console.note(rows.words())
        how = "anomalous" if explained else "none"
        with console.progress() as bar:
            task = bar.add_task("scoring", total=len(rows.frame))
            scored = score_all(
                client,
                version.name,
                rows.frame,
                how,
                rate=rate,
                allow_extrapolated=allow_extrapolated,
                told=lambda done: bar.update(task, completed=done),
            )
    truth = None if rows.anomalous is None else rows.anomalous[scored.rows]
    judgement = None if truth is None else judge(scored.scores, scored.anomalous, truth)
    if json_file is not None:
        output.write_json(json_file, _document(scored, len(rows.frame), judgement))
    if str(json_file) != "-":
        _print(scored, rows, judgement, limit)
    if fail_on_anomaly and scored.anomalous.any():
        raise typer.Exit(EXIT_ANOMALIES)


def _document(scored: Scored, rows: int, judgement: Judgement | None) -> dict[str, Any]:
    return {
        "model_version": scored.model_version,
        "threshold": scored.threshold,
        "false_alarm_rate": scored.false_alarm_rate,
        "rows": rows,
        "anomalies": int(scored.anomalous.sum()),
        "judgement": judgement,
        "source_rows": scored.rows,
        "scores": scored.scores,
        "p_values": scored.p_values,
        "anomalous": scored.anomalous,
        "extrapolated": scored.extrapolated,
        "explanations": scored.explanations,
    }


def _print(scored: Scored, rows: Rows, judgement: Judgement | None, limit: int) -> None:
    from clarion.cli import console

    found = int(scored.anomalous.sum())
    share = found / max(len(scored.rows), 1)
    told = [
        ("version", scored.model_version),
        ("scored", f"{len(scored.rows):,} of {len(rows.frame):,} rows"),
        (
            "anomalous",
            f"{found:,} ({share:.2%}); {scored.false_alarm_rate:g} of normal rows promised",
        ),
        ("threshold", f"{scored.threshold:.6g}"),
    ]
    if judgement is not None:
        told += [
            ("ROC-AUC", f"{judgement.roc_auc:.4f}"),
            ("PR-AUC", f"{judgement.pr_auc:.4f}"),
            ("detected", f"{judgement.detected:.1%} of {judgement.positives:,} labelled rows"),
            ("false alarms", f"{judgement.false_alarms:.2%} of the normal rows"),
        ]
    console.facts(told)
    if found and limit:
        _print_anomalies(scored, rows, limit)


def _print_anomalies(scored: Scored, rows: Rows, limit: int) -> None:
    import numpy as np

    from clarion.cli import console

    worst = np.flatnonzero(scored.anomalous)
    worst = worst[np.argsort(-scored.scores[worst], kind="stable")][:limit]
    reasons = {explanation.row: explanation for explanation in scored.explanations}
    made = console.table(
        "row", "time", "asset", "score", "p-value", "because of", right=("row", "score")
    )
    for index in worst:
        row = int(scored.rows[index])
        made.add_row(
            str(row),
            console.moment(rows.time_of(row)),
            rows.frame.asset_of(row).name,
            f"{scored.scores[index]:.5g}",
            f"{scored.p_values[index]:.2g}",
            console.reasons(reasons.get(row)),
        )
    console.out().print(made)
    for index in worst[:3]:
        if int(scored.rows[index]) in reasons:
            console.out().print(reasons[int(scored.rows[index])].summary, markup=False)
