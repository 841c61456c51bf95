"""``clarion fit``: fit a model on files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clarion.cli.options import FILES, JSON, ReadOptions, ServerOptions, with_options
from clarion.cli.pipelines import PipelineOptions

if TYPE_CHECKING:
    from clarion.frames import Frame
    from clarion_client import Calibration, ModelVersion


@with_options(pipeline=PipelineOptions, reading=ReadOptions, server=ServerOptions)
def fit(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of the model; each fit makes a version.")
    ],
    files: Annotated[list[Path], FILES],
    *,
    pipeline: PipelineOptions,
    reading: ReadOptions,
    server: ServerOptions,
    wait: Annotated[float, typer.Option(help="Seconds to wait for the fit.")] = 600.0,
    keep_identifiers: Annotated[
        bool,
        typer.Option(
            "--keep-identifiers", help="Learn from addresses, ports and identifiers as well."
        ),
    ] = False,
    json_file: Annotated[Path | None, JSON] = None,
) -> None:
    """Fit a new version of a model on files, and say how it is calibrated.

    With --label, an unsupervised detector is fitted and calibrated on the normal rows only.
    Columns whose names say that they are addresses, ports or identifiers are left out, and named:
    they tell who took part, not what happened. `clarion evaluate` judges the model on other rows.
    """
    from clarion.cli import console, output
    from clarion.cli import files as source
    from clarion.cli.waiting import awaited

    spec = pipeline.pipeline()
    rows = source.read(files, reading)
    console.note(rows.words())
    frame = rows.frame if keep_identifiers else _anonymous(rows.frame)
    with server.connect() as client, console.progress() as bar:
        started = client.start_fit(model, source.message(frame), spec, labels=rows.anomalous)
        version = awaited(started, bar, wait)
    if json_file is not None:
        output.write_json(json_file, version)
    if str(json_file) != "-":
        show(version)


def _anonymous(frame: Frame) -> Frame:
    """Return the rows without what identifies, and say what was left out."""
    from clarion.cli import console
    from clarion.errors import InvalidFrameError
    from clarion.evaluation.identifiers import without_identifiers

    try:
        smaller, dropped = without_identifiers(frame)
    except InvalidFrameError as error:
        raise InvalidFrameError(f"{error}; --keep-identifiers keeps them") from error
    if dropped:
        listed = ", ".join(dropped)
        console.note(
            f"left out as addresses, ports or identifiers (--keep-identifiers keeps them): {listed}"
        )
    return smaller


def show(version: ModelVersion) -> None:
    """Print what a fit came to."""
    from clarion.cli import console

    calibration, spec = version.calibration, version.spec
    steps = [*spec.features, spec.detector]
    chosen = "" if version.choice is None else f"the recipe {version.choice.chosen_recipe}: "
    console.facts(
        [
            ("version", version.name),
            ("digest", version.digest),
            ("created", console.moment(version.create_time)),
            ("pipeline", chosen + " -> ".join(_described(step) for step in steps)),
            ("signals", _listed([signal.name for signal in version.signals])),
            ("fitted on", f"{version.fitted_row_count:,} rows"),
            *_grouped(version),
            *_calibrated(calibration),
            ("explained by", f"{version.explainer} ({version.explainer_label})"),
        ]
    )
    if version.choice is not None:
        console.out().print(console.candidates(version.choice))


_PROMISES = {
    "certain": "promised with 95 % certainty",
    "average": "promised on average over fits",
}


def _calibrated(calibration: Calibration) -> list[tuple[str, str]]:
    """Return what there is to say of a calibration, by name."""
    beyond, weekly = calibration.smallest_extrapolated_p_value, calibration.false_alarms_per_week
    promise = "extrapolated, promised nowhere" if calibration.extrapolated else ""
    promise = promise or _PROMISES.get(calibration.promise, "")
    facts = [
        ("calibrated on", f"{calibration.row_count:,} rows held out"),
        ("threshold", f"{calibration.threshold:.6g}"),
        ("false-alarm rate", f"{calibration.false_alarm_rate:g}, {promise}"),
        ("smallest rate", f"{calibration.smallest_false_alarm_rate:.3g}"),
        ("smallest p-value", f"{calibration.smallest_p_value:.3g}"),
    ]
    if beyond is not None:
        facts.append(("extrapolated down to", f"{beyond:.3g}"))
    for own in calibration.classes:
        judged = f"threshold {own.threshold:.6g}, by {own.row_count:,} rows of its own"
        facts.append((f"class {own.asset_class}", judged))
    if weekly is not None:
        facts.append(("false alarms a week", f"{weekly:.3g} expected of one asset"))
    if calibration.false_events_per_week is not None:
        events = f"{calibration.false_events_per_week:.3g} expected of one asset"
        facts.append(
            ("false events a week", f"{events}, blocks of {calibration.event_row_count} rows")
        )
    return facts


def _grouped(version: ModelVersion) -> list[tuple[str, str]]:
    """Return how many groups have a level of their own, where any have."""
    if not version.group_count:
        return []
    names = {"asset": "assets", "asset_class": "classes of assets"}
    kind = names.get(version.spec.partition_by, "groups")
    return [("partitioned by", f"{version.group_count:,} {kind}, each at its own level")]


def _described(step: Any) -> str:
    from clarion.cli import console

    given = ", ".join(f"{name}={console.brief(value)}" for name, value in step.parameters.items())
    return f"{step.plugin}({given})" if given else str(step.plugin)


def _listed(names: list[str], most: int = 12) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{len(names)}: {', '.join(names[:most])}{rest}"
