"""``clarion explain``: say why one row has the score it has, or would have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clarion.cli.options import FILES, JSON, MODEL, ReadOptions, ServerOptions, with_options
from clarion.cli.pipelines import pairs

if TYPE_CHECKING:
    from clarion_client import Explain, Explanation


@dataclass(frozen=True, slots=True)
class HowOptions:
    """How a row is explained."""

    edit: Annotated[
        list[str] | None,
        typer.Option(metavar="SIGNAL=VALUE", help="What if? Change a cell first; may be repeated."),
    ] = None
    explainer: Annotated[str, typer.Option(help="Name of an explainer; default: the best.")] = ""
    lime: Annotated[bool, typer.Option("--lime", help="Lay LIME beside it, with its R².")] = False
    group: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=SIGNAL,SIGNAL", help="Explain these signals as one; may be repeated."
        ),
    ] = None
    block_rows: Annotated[
        int | None,
        typer.Option(min=1, help="Explain each block of so many rows of a signal apart."),
    ] = None
    immutable: Annotated[
        list[str] | None,
        typer.Option(metavar="SIGNAL", help="Never a culprit; may be repeated."),
    ] = None
    integer: Annotated[
        list[str] | None,
        typer.Option(metavar="SIGNAL", help="Would be a whole number; may be repeated."),
    ] = None
    range: Annotated[
        list[str] | None,
        typer.Option(metavar="SIGNAL=LOW:HIGH", help="Would be in this range; may be repeated."),
    ] = None
    cells: Annotated[bool, typer.Option("--cells", help="Also each raw cell of a window.")] = False
    rate: Annotated[
        float | None, typer.Option(help="False-alarm rate, in (0, 1); default: the model's own.")
    ] = None
    allow_extrapolated: Annotated[
        bool,
        typer.Option(
            "--allow-extrapolated",
            help="Extrapolate the threshold where the held-out rows cannot reach the rate.",
        ),
    ] = False
    history: Annotated[
        int, typer.Option(min=0, help="Rows before it that are sent too, for models with a memory.")
    ] = 5000

    def how(self) -> Explain:
        """Return the policy for the client."""
        from clarion.cli.counterfactuals import constraints
        from clarion_client import Explain

        checks = ("lime",) if self.lime else ()
        view = "full" if self.cells else "basic"
        groups = {name: names.split(",") for name, names in pairs(self.group or []).items()}
        return Explain(
            explainer=self.explainer,
            cross_checks=checks,
            view=view,
            groups=groups,
            block_rows=self.block_rows,
            constraints=constraints(self.immutable or [], self.integer or [], self.range or []),
        )

    def edits(self) -> dict[str, float | str]:
        """Return the new value of each signal to be changed."""
        edits: dict[str, float | str] = {}
        for name, value in pairs(self.edit or []).items():
            try:
                edits[name] = float(value)
            except ValueError:
                edits[name] = value
        return edits


@with_options(options=HowOptions, reading=ReadOptions, server=ServerOptions)
def explain(
    model: Annotated[str, MODEL],
    files: Annotated[list[Path], FILES],
    *,
    row: Annotated[int, typer.Option(min=0, help="The row to explain, counted from 0.")],
    options: HowOptions,
    reading: ReadOptions,
    server: ServerOptions,
    json_file: Annotated[Path | None, JSON] = None,
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the waterfall as SVG or PNG.")
    ] = None,
    heat_map: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With --cells: draw signals x time as SVG or PNG."),
    ] = None,
) -> None:
    """Say why a row of a file has the score it has, anomalous or not, and what would look normal.

    What if: clarion explain pump-7 today.csv --row 40 --edit flow=2.5

    Within bounds: clarion explain pump-7 today.csv --row 40 --immutable load --range flow=0:12
    """
    from clarion.cli import explanation_pictures, output
    from clarion.cli import files as source
    from clarion.cli.picture_files import check_picture, write_picture

    if heat_map is not None and not options.cells:
        raise typer.BadParameter("--heat-map draws cells: say --cells too")
    for path in (picture, heat_map):
        if path is not None:
            check_picture(path)

    with server.connect() as client:
        version = client.version(model)
        frame = source.read(files, reading, [signal.name for signal in version.signals]).frame
        if row >= len(frame):
            raise typer.BadParameter(f"there is no row {row}: the files have {len(frame)} rows")
        first = max(0, row - options.history)
        result = client.explain(
            version.name,
            source.message(frame.take(slice(first, row + 1)), first),
            rows=[row - first],
            edits={(row - first, name): value for name, value in options.edits().items()},
            how=options.how(),
            false_alarm_rate=options.rate,
            allow_extrapolated=options.allow_extrapolated,
        )
    explanation = replace(result.explanations[0], row=row)
    if json_file is not None:
        output.write_json(json_file, explanation)
    if picture is not None:
        write_picture(picture, explanation_pictures.waterfall(explanation))
    if heat_map is not None:
        write_picture(heat_map, explanation_pictures.heat_map(explanation))
    if str(json_file) != "-":
        show(explanation)


def show(explanation: Explanation) -> None:
    """Print one explanation in full."""
    from clarion.cli import console, counterfactuals

    verdict = "anomalous" if explanation.anomalous else "normal"
    console.facts(
        [
            (
                "row",
                f"{explanation.row} {explanation.asset} {console.moment(explanation.event_time)}".strip(),
            ),
            ("verdict", verdict),
            ("score", f"{explanation.score:.6g} (threshold {explanation.threshold:.6g})"),
            ("p-value", f"{explanation.p_value:.3g}"),
            ("explained by", f"{explanation.method} ({explanation.label})"),
            ("base value", f"{explanation.base_value:.6g}"),
        ]
    )
    console.out().print(console.ranking(explanation, limit=15))
    for line in counterfactuals.lines(explanation):
        console.out().print(line, markup=False, soft_wrap=True)
    if explanation.cross_checks:
        console.out().print(console.cross_checks(explanation))
    for cell in explanation.cells[:15]:
        console.out().print(
            f"cell      {cell.signal}, {cell.lag} rows before: "
            f"{cell.word or console.number(cell.value, cell.unit)} "
            f"added {cell.contribution:+.4g}",
            markup=False,
        )
    console.out().print(f"\n{explanation.summary}", markup=False)
