"""Options that several commands share: the fields of a dataclass become options of a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

if TYPE_CHECKING:
    from clarion_client import Client

T = TypeVar("T")
FILES = typer.Argument(
    metavar="FILE", exists=True, dir_okay=False, help="CSV(.gz), NPZ or JSON lines."
)
MODEL = typer.Argument(
    metavar="MODEL", help="pump-7 (its newest version), or models/pump-7/versions/3."
)
JSON = typer.Option("--json", metavar="FILE", help="Write the answer as JSON; - is stdout.")


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Which server a command talks to."""

    server: Annotated[
        str, typer.Option(envvar="CLARION_SERVER", help="host:port of the server.")
    ] = "localhost:50051"
    timeout: Annotated[float, typer.Option(min=0.001, help="Seconds that a call may take.")] = 60.0
    tls_roots: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="PEM file of the authorities to trust; the connection is then encrypted.",
        ),
    ] = None

    def connect(self) -> Client:
        """Return a client of that server."""
        from clarion_client import Client

        roots = self.tls_roots.read_bytes() if self.tls_roots else None
        return Client.connect(self.server, timeout_s=self.timeout, root_certificates=roots)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How files are read."""

    time: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column that holds the time of each row.")
    ] = ""
    asset: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column that holds the asset of each row.")
    ] = ""
    label: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column (NPZ: array) that says what a row is.")
    ] = ""
    normal: Annotated[
        str, typer.Option(metavar="VALUE", help="The label of normal rows; 0 also means 0.0.")
    ] = "0"
    drop: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column to leave out; may be repeated."),
    ] = None
    columns_from: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="File with the columns' names, one a line, for tables without a header.",
        ),
    ] = None
    rows: Annotated[
        str, typer.Option(metavar="START:END", help="Only these rows of each file, counted from 0.")
    ] = ""
    array: Annotated[
        str, typer.Option(metavar="NAME", help="Which array of an NPZ file holds the rows.")
    ] = ""

    def chosen(self) -> slice:
        """Return the rows asked for; wrong usage is said with its cure."""
        start, colon, end = self.rows.partition(":")
        if not self.rows:
            return slice(None)
        if not colon or not all(part == "" or part.isdecimal() for part in (start, end)):
            raise typer.BadParameter(f"--rows {self.rows} is not of the form START:END, as 0:400")
        return slice(int(start or 0), int(end) if end else None)


def with_options(**groups: type[Any]) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Give a command the options that the fields of dataclasses describe.

    ``@with_options(reading=ReadOptions)`` calls the command with ``reading=ReadOptions(...)``.
    """

    def decorate(command: Callable[..., T]) -> Callable[..., T]:
        own = inspect.signature(command, eval_str=True)
        kept = [p for p in own.parameters.values() if p.name not in groups]
        shared = {name: _parameters(group) for name, group in groups.items()}

        @functools.wraps(command)
        def wrapped(**given: Any) -> T:
            for name, group in groups.items():
                given[name] = group(**{p.name: given.pop(p.name) for p in shared[name]})
            return command(**given)

        every = [*kept, *(p for parameters in shared.values() for p in parameters)]
        vars(wrapped)["__signature__"] = inspect.Signature(every)  # what typer reads
        wrapped.__annotations__ = {p.name: p.annotation for p in every}
        return wrapped

    return decorate


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    only = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(f.name, only, default=f.default, annotation=hints[f.name])
        for f in fields(group)
    ]
