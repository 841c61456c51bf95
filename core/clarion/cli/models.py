"""``clarion models``: what the server has fitted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clarion.cli.options import JSON, MODEL, ServerOptions, with_options

app = typer.Typer(help="List, show and delete models.", no_args_is_help=True)


@app.command("list")
@with_options(server=ServerOptions)
def list_models(*, server: ServerOptions, json_file: Annotated[Path | None, JSON] = None) -> None:
    """List all models."""
    from clarion.cli import console

    with server.connect() as client:
        models = list(client.models())
    if _written(json_file, models):
        return
    made = console.table("model", "versions", "newest", "updated", right=("versions",))
    for model in models:
        row = (model.name, str(model.version_count), model.latest_version.rpartition("/")[2])
        made.add_row(*row, console.moment(model.update_time))
    console.out().print(made if models else "no models yet; `clarion fit` makes one")


@app.command()
@with_options(server=ServerOptions)
def versions(
    name: Annotated[str, MODEL],
    *,
    server: ServerOptions,
    json_file: Annotated[Path | None, JSON] = None,
) -> None:
    """List the versions of a model, newest first."""
    from clarion.cli import console

    with server.connect() as client:
        found = list(client.versions(name))
    if _written(json_file, found):
        return
    made = console.table(
        "version", "created", "detector", "rows", "threshold", "rate", "explained by",
        right=("rows", "threshold", "rate"),
    )  # fmt: skip
    for version in found:
        detector: Any = version.spec.detector
        made.add_row(
            version.name,
            console.moment(version.create_time),
            detector.plugin,
            f"{version.fitted_row_count:,}",
            f"{version.calibration.threshold:.5g}",
            f"{version.calibration.false_alarm_rate:g}",
            f"{version.explainer} ({version.explainer_label})",
        )
    console.out().print(made)


@app.command()
@with_options(server=ServerOptions)
def show(
    name: Annotated[str, MODEL],
    *,
    server: ServerOptions,
    json_file: Annotated[Path | None, JSON] = None,
) -> None:
    """Show one version; a model's name means its newest."""
    from clarion.cli.fit import show as show_version

    with server.connect() as client:
        version = client.version(name)
    if not _written(json_file, version):
        show_version(version)


@app.command()
@with_options(server=ServerOptions)
def delete(
    name: Annotated[str, MODEL],
    *,
    server: ServerOptions,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete a model with all its versions, or one version."""
    from clarion.cli import console

    if not yes and not typer.confirm(f"delete {name}?"):
        raise typer.Exit(1)
    with server.connect() as client:
        if "/versions/" in name:
            client.delete_version(name)
        else:
            client.delete_model(name)
    console.note(f"deleted {name}")


def _written(path: Path | None, value: Any) -> bool:
    """Write ``value`` if asked to, and return whether it went to standard output."""
    from clarion.cli import output

    if path is not None:
        output.write_json(path, value)
    return str(path) == "-"
