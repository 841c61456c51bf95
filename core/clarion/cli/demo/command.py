"""``clarion demo``: the whole way on recorded data, with a report."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clarion.cli.options import JSON

if TYPE_CHECKING:
    pass

REPORT = "clarion-demo.html"


def demo(
    *,
    headless: Annotated[
        bool, typer.Option("--headless", help="Print the numbers only: no progress, no tables.")
    ] = False,
    json_file: Annotated[Path | None, JSON] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Where the page goes; default: {REPORT} among temporary files."
        ),
    ] = None,
) -> None:
    """Start the real server, fit, stream, explain, and write a page with pictures.

    Uses recorded data that the package river ships; needs no network.
    """
    from clarion.cli import output
    from clarion.cli.demo import data, printing, shuttle, water
    from clarion.cli.demo.process import server
    from clarion.cli.demo.report import report as page

    telemetry, flow = data.shuttle(), data.water_flow()
    with _told(headless) as told:
        told("starting the server", 0.0)
        with server() as client:
            shuttle_result = shuttle.run(client, telemetry, told)
            told("water flow", 0.0)
            water_result = water.run(client, flow)
    target = report or Path(tempfile.gettempdir()) / REPORT
    target.write_text(page(shuttle_result, water_result), encoding="utf-8")
    if json_file is not None:
        output.write_json(json_file, shuttle_result.numbers())
    if not headless:
        printing.tables(shuttle_result, water_result)
    if str(json_file) != "-":
        printing.numbers(shuttle_result)
        typer.echo(f"report: {target}")


@contextmanager
def _told(headless: bool) -> Iterator[Callable[[str, float], None]]:
    """Yield a function that shows what is being done, and the share of it that is."""
    from clarion.cli import console

    if headless:
        yield lambda words, share: None
        return
    with console.progress() as bar:
        task = bar.add_task("", total=1.0)
        yield lambda words, share: bar.update(task, description=words, completed=share)
