"""``clarion overview``: what the reasons of many rows have in common."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clarion.cli.options import FILES, JSON, MODEL, ReadOptions, ServerOptions, with_options

if TYPE_CHECKING:
    from clarion_client import BulkExplanation

_DRIFTED = 0.01
"""A smaller p-value, divided by the number of signals, is printed as drift."""


@with_options(reading=ReadOptions, server=ServerOptions)
def overview(
    model: Annotated[str, MODEL],
    files: Annotated[list[Path], FILES],
    *,
    reading: ReadOptions,
    server: ServerOptions,
    explainer: Annotated[str, typer.Option(help="Name of an explainer; default: the best.")] = "",
    periods: Annotated[
        int, typer.Option(min=1, max=100, help="Into how many periods the rows are cut.")
    ] = 10,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the explanations.")] = 600.0,
    json_file: Annotated[Path | None, JSON] = None,
    picture: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw every row's reasons (beeswarm) as SVG or PNG."),
    ] = None,
    page_file: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write a page as HTML.")
    ] = None,
) -> None:
    """Explain all rows of files, and print which signals matter, since when, and together."""
    from clarion.cli import console, output
    from clarion.cli import files as source
    from clarion.cli.overview_page import overview_page, swarm
    from clarion.cli.picture_files import check_picture, write_picture
    from clarion.cli.waiting import awaited
    from clarion_client import Explain

    if picture is not None:
        check_picture(picture)
    with server.connect() as client, console.progress() as bar:
        version = client.version(model)
        rows = source.read(files, reading, [signal.name for signal in version.signals])
        console.note(rows.words())
        started = client.start_explanation(
            version.name,
            source.message(rows.frame),
            how=Explain(explainer=explainer, view="columns"),
            periods=periods,
        )
        found = awaited(started, bar, wait)
    if json_file is not None:
        output.write_json(json_file, found.overview)
    if picture is not None:
        write_picture(picture, swarm(found, rows.frame))
    if page_file is not None:
        page_file.write_text(overview_page(found, rows.frame), encoding="utf-8")
    if str(json_file) != "-":
        show(found)


def show(found: BulkExplanation) -> None:
    """Print the signals by their mean |contribution|, with the periods in which they drifted."""
    from clarion.cli import console

    told, attributions = found.overview, found.explained.attributions
    by = "nothing" if attributions is None else f"{attributions.method} ({attributions.label})"
    console.facts(
        [
            ("version", found.explained.model_version),
            ("explained", f"{told.row_count:,} rows, by {by}"),
            ("periods", f"{len(told.periods)}, drifted where p < {_DRIFTED} / signals"),
        ]
    )
    made = console.table(
        "signal", "mean |contribution|", "", "mean contribution", "drifted in periods",
        right=("mean |contribution|", "mean contribution"),
    )  # fmt: skip
    order = sorted(range(len(told.players)), key=lambda i: -told.players[i].mean_size)
    largest = max((player.mean_size for player in told.players), default=0.0)
    for place in order[:15]:
        player = told.players[place]
        made.add_row(
            player.player,
            f"{player.mean_size:.4g}",
            console.bar(player.mean_size, largest),
            f"{player.mean_contribution:+.4g}",
            ", ".join(drifted(found, place)) or "-",
        )
    console.out().print(made)
    for pair in told.pairs[:5]:
        console.out().print(
            f"together  {pair.first} and {pair.second}: {pair.mean_size:.4g}", markup=False
        )


def drifted(found: BulkExplanation, player: int) -> list[str]:
    """Return the numbers of the periods, from 1, in which a player's contributions had drifted."""
    periods, players = found.overview.periods, len(found.overview.players)
    return [
        str(number)
        for number, period in enumerate(periods, start=1)
        if period.drift_p_values and period.drift_p_values[player] < _DRIFTED / players
    ]
