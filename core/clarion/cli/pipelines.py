"""A pipeline from options: a detector by name with parameters, or a whole spec from a file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from clarion_client import PipelineSpec


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """What to fit."""

    detector: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="A detector, such as mahalanobis; auto chooses a recipe."
        ),
    ] = ""
    features: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A feature extractor; repeat for more, in order."),
    ] = None
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="STEP.NAME=VALUE",
            help="A parameter: detector.neighbours=10, standardize.centered=false.",
        ),
    ] = None
    spec: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="JSON file of a whole pipeline instead."),
    ] = None
    rate: Annotated[
        float | None, typer.Option(help="False-alarm rate, in (0, 0.5]; default 0.01.")
    ] = None
    ordered: Annotated[bool, typer.Option("--ordered", help="Rows are in time order.")] = False
    promise: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What the rate means: certain (kept with 95 % certainty) or average; default: certain "
            "where enough rows are held out.",
        ),
    ] = ""
    allow_extrapolated: Annotated[
        bool,
        typer.Option(
            "--allow-extrapolated",
            help="Extrapolate the threshold where the held-out rows cannot reach the rate.",
        ),
    ] = False
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of every random draw.")] = None
    partition_by: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="asset or asset-class: each has a level and a spread of its own, in one model.",
        ),
    ] = ""

    def pipeline(self) -> PipelineSpec:
        """Return the pipeline asked for; wrong usage is said with its cure."""
        from clarion_client import PipelineSpec, Step

        if self.spec is not None:
            return self._from_file(self.spec)
        if not self.detector:
            raise typer.BadParameter(
                "say which --detector, or auto, or give a --spec: see `clarion plugins list`"
            )
        names = self.features or []
        given = assigned(self.parameters or [], ["detector", self.detector, *names])
        own = given.get("detector", {}) | given.get(self.detector, {})
        steps = tuple(Step(name, given.get(name, {})) for name in names)
        return PipelineSpec(
            Step(self.detector, own),
            steps,
            self.rate,
            self.ordered,
            self.seed or 0,
            promise=self.promise,
            allow_extrapolated=self.allow_extrapolated,
            partition_by=self._partition,
        )

    @property
    def _partition(self) -> str:
        """What was asked for, as the wire names it."""
        return self.partition_by.replace("-", "_")

    def _from_file(self, path: Path) -> PipelineSpec:
        from clarion.pipeline.spec import PipelineSpec as Checked
        from clarion_client import PipelineSpec, Step

        if self.detector or self.features or self.parameters:
            raise typer.BadParameter(
                "--spec is the whole pipeline: no --detector, --features, --set"
            )
        checked = Checked.from_json(_object(path))
        return PipelineSpec(
            Step(checked.detector.plugin, checked.detector.parameters),
            tuple(Step(step.plugin, step.parameters) for step in checked.features),
            checked.false_alarm_rate if self.rate is None else self.rate,
            checked.ordered or self.ordered,
            checked.seed if self.seed is None else self.seed,
            checked.background_rows,
            self.promise or checked.promise,
            self.allow_extrapolated or checked.allow_extrapolated,
            self._partition or _grouped(checked.partition_by),
        )


def _grouped(by: str) -> str:
    """Return a spec's partition as the client names it: empty for none."""
    return "" if by == "none" else by


def assigned(texts: Sequence[str], steps: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the parameters of each step from texts such as ``detector.neighbours=10``."""
    out: dict[str, dict[str, Any]] = {}
    for text in texts:
        path, _, value = text.partition("=")
        step, _, name = path.partition(".")
        if "=" not in text or not name:
            raise typer.BadParameter(f"'{text}' is not of the form STEP.NAME=VALUE")
        if step not in steps:
            raise typer.BadParameter(f"'{step}' is no step of this pipeline: {', '.join(steps)}")
        out.setdefault(step, {})[name] = json_or_text(value)
    return out


def pairs(texts: Sequence[str]) -> dict[str, str]:
    """Return names and values from texts such as ``name=value``."""
    out = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise typer.BadParameter(f"'{text}' is not of the form NAME=VALUE")
        out[name] = value
    return out


def json_or_text(text: str) -> Any:
    """Return a value written as JSON (``10``, ``false``, ``null``), or else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _object(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise typer.BadParameter(f"{path} is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise typer.BadParameter(f"{path} must hold an object with 'detector' and 'features'")
    return values
