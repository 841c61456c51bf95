"""``clarion serve``: run the server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clarion.cli.pipelines import pairs


def serve(
    *,
    config: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="TOML file of settings."),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 for any free one.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of models and database; made if absent.")
    ] = None,
    reflection: Annotated[
        bool | None, typer.Option(help="Describe the API to anyone who asks.")
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="json or console.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting; may be repeated."),
    ] = None,
) -> None:
    """Run the server until it is told to stop (Ctrl-C or SIGTERM: it drains).

    What is not said here is taken from CLARION_... variables, then from the file, then defaults.
    """
    from clarion.server.main import run

    named = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "reflection": reflection,
        "log_format": log_format,
        "log_level": log_level,
    }
    chosen: dict[str, Any] = {key: value for key, value in named.items() if value is not None}
    raise typer.Exit(run(_settings(config, chosen | _named(setting or []))))


def _settings(config: Path | None, chosen: dict[str, Any]) -> Any:
    import tomllib

    from pydantic import ValidationError

    from clarion.server.settings import Settings

    try:
        return Settings(**chosen) if config is None else Settings.from_file(config, **chosen)
    except tomllib.TOMLDecodeError as error:
        raise typer.BadParameter(f"{config} is no TOML: {error}") from error
    except ValidationError as error:
        wrong = error.errors()[0]
        name = ".".join(str(part) for part in wrong["loc"])
        raise typer.BadParameter(f"the setting '{name}': {wrong['msg']}") from error


def _named(settings: list[str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in pairs(settings).items()}
