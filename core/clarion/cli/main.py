"""The command ``clarion``.

Exit codes: 0 done; 1 refused, with one line ``REASON: message``; 2 wrong usage; 3 anomalies were
found, with ``--fail-on-anomaly``; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from clarion.cli import evaluate, explain, fit, models, overview, plugins, score, serve
from clarion.cli.demo import command as demo

EXIT_REFUSED = 1
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="clarion",
    help="Finds anomalies in what machines report, and explains every one of them.",
    epilog="Exit codes: 0 done, 1 refused (REASON: message), 2 wrong usage, 3 anomalies found "
    "(--fail-on-anomaly), 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("fit")(fit.fit)
app.command("score")(score.score)
app.command("explain")(explain.explain)
app.command("overview")(overview.overview)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(models.app, name="models")
app.add_typer(plugins.app, name="plugins")
app.command("demo")(demo.demo)


def _version(shown: bool) -> None:
    if shown:
        from importlib.metadata import version

        typer.echo(f"clarion {version('clarion')}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", help="Show the version and leave.", callback=_version, is_eager=True
    ),
) -> None:
    """Finds anomalies in what machines report, and explains every one of them."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        app(args=None if arguments is None else list(arguments))
    except SystemExit as done:
        return _code(done)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        typer.echo(f"IO_ERROR: {place}{error.strerror or error}", err=True)
        return EXIT_REFUSED
    except Exception as error:  # by name, for importing the taxonomies would slow every start
        if not _meant(error):
            raise
        typer.echo(f"{getattr(error, 'reason', '')}: {error}", err=True)
        return EXIT_REFUSED
    return 0


def _meant(error: Exception) -> bool:
    """Return whether an error is of the server's or the client's taxonomy, without importing them."""
    return any(kind.__name__ == "ClarionError" for kind in type(error).__mro__)


def _code(done: SystemExit) -> int:
    if isinstance(done.code, str):
        typer.echo(done.code, err=True)
        return EXIT_REFUSED
    return done.code or 0


def main() -> None:
    """Run the command of this process."""
    sys.exit(run())


if __name__ == "__main__":
    main()
