"""``clarion plugins``: what the server can do, and whether a plugin keeps its contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clarion.cli.options import JSON, ServerOptions, with_options
from clarion.cli.pipelines import json_or_text, pairs

if TYPE_CHECKING:
    from clarion.registry import Registries
    from clarion_client import Plugin

app = typer.Typer(help="List, show and check plugins.", no_args_is_help=True)

CHECKED = ("detectors", "features", "explainers", "sources")
"""The families that the kit has laws for."""

NAME = typer.Argument(help="knn, or detectors/knn where several families have one.")


@app.command("list")
@with_options(server=ServerOptions)
def list_plugins(
    family: Annotated[
        str, typer.Argument(help="detectors, features, explainers, sources or recipes.")
    ] = "",
    *,
    server: ServerOptions,
    json_file: Annotated[Path | None, JSON] = None,
) -> None:
    """List what the server has loaded, and the packages it keeps out."""
    from clarion.cli import console, output

    with server.connect() as client:
        found = list(client.plugins(family))
    if json_file is not None:
        output.write_json(json_file, found)
    if str(json_file) == "-":
        return
    made = console.table("family", "plugin", "distribution", "")
    for plugin in found:
        made.add_row(plugin.family, plugin.name.split("/", 2)[2], plugin.distribution, plugin.error)
    console.out().print(made)


@app.command()
@with_options(server=ServerOptions)
def show(
    name: Annotated[str, NAME],
    *,
    server: ServerOptions,
    json_file: Annotated[Path | None, JSON] = None,
) -> None:
    """Show what a plugin does, and its parameters."""
    from clarion.cli import output

    with server.connect() as client:
        full = name
        if "/" not in name:
            full = _only([p.name for p in client.plugins()], name).removeprefix("plugins/")
        plugin = client.plugin(full)
    if json_file is not None:
        output.write_json(json_file, plugin)
    if str(json_file) != "-":
        _print(plugin)


@app.command()
def check(
    name: Annotated[str, NAME],
    *,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A parameter of every configuration."),
    ] = None,
) -> None:
    """Check an installed plugin by the conformance kit: every law, every configuration.

    Needs no server. A plugin that breaks a law ends with exit code 1.
    """
    from clarion import testing
    from clarion.cli import console
    from clarion.plugins import load_plugins

    registries = load_plugins()
    family, plugin = _local(registries, name)
    values = {name: json_or_text(value) for name, value in pairs(parameter or []).items()}
    failures = 0
    for result in testing.run(family, plugin, registries, values):
        failures += not result.passed
        mark = "[green]kept  [/]" if result.passed else "[red]broken[/]"
        given = f" with {json.dumps(dict(result.parameters))}" if result.parameters else ""
        console.out().print(f"{mark} {result.check} {result.seconds:6.2f} s", end="")
        console.out().print(given, markup=False)
        if not result.passed:
            console.out().print(f"       {result.failure}", markup=False, soft_wrap=True)
    if failures:
        console.err().print(f"{family}/{plugin} breaks {failures} law(s)", style="red")
        raise typer.Exit(1)
    console.out().print(f"{family}/{plugin} keeps every law", style="green")


def _print(plugin: Plugin) -> None:
    from clarion.cli import console

    traits = ", ".join(f"{key}: {_flat(value)}" for key, value in plugin.traits.items())
    console.facts(
        [
            ("plugin", plugin.name),
            ("does", plugin.description),
            ("from", plugin.distribution),
            ("is", traits or "-"),
            ("capabilities", ", ".join(plugin.capabilities) or "-"),
        ]
    )
    made = console.table("parameter", "type", "default", "range", "meaning")
    for name, described in plugin.parameters_schema.get("properties", {}).items():
        default = console.brief(described["default"]) if "default" in described else "(required)"
        kind = _flat(described.get("type", ""))
        made.add_row(name, kind, default, _range(described), described.get("description", ""))
    if made.row_count:
        console.out().print(made)


def _range(described: dict[str, Any]) -> str:
    if "enum" in described:
        return ", ".join(described["enum"])
    ends = (
        ("minimum", ">="),
        ("exclusiveMinimum", ">"),
        ("maximum", "<="),
        ("exclusiveMaximum", "<"),
    )
    inner = described.get("items", described)
    return ", ".join(f"{sign} {inner[key]:,.10g}" for key, sign in ends if key in inner)


def _flat(value: Any) -> str:
    return ", ".join(str(v) for v in value) if isinstance(value, list) else str(value)


def _only(names: list[str], wanted: str) -> str:
    """Return the one full name that ends with ``/wanted``."""
    found = [name for name in names if name.rpartition("/")[2] == wanted]
    if len(found) > 1:
        raise typer.BadParameter(f"'{wanted}' is in several families: {', '.join(found)}")
    if not found:
        known = ", ".join(name.split("/", 1)[-1] for name in names)
        raise typer.BadParameter(f"there is no plugin '{wanted}'; there are: {known}")
    return found[0]


def _local(registries: Registries, name: str) -> tuple[str, str]:
    names = [f"{family}/{entry.name}" for family in CHECKED for entry in registries.of(family)]
    full = name.removeprefix("plugins/") if "/" in name else _only(names, name)
    family, _, plugin = full.partition("/")
    if family not in CHECKED:
        raise typer.BadParameter(f"'{family}' is none of {', '.join(CHECKED)}")
    return family, plugin
