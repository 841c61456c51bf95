"""PipelineSpec: what to fit, as plain data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from clarion.errors import InvalidParameterError
from clarion.pipeline.groups import PartitionBy
from clarion.pipeline.rank_rule import Promise

MAX_FEATURE_STEPS = 16
MAX_BACKGROUND_ROWS = 1024
_TYPES: dict[str, tuple[type, ...]] = {
    "false_alarm_rate": (int, float),
    "ordered": (bool,),
    "seed": (int,),
    "background_rows": (int,),
    "promise": (str,),
    "allow_extrapolated": (bool,),
    "partition_by": (str,),
}
_PROMISES = ("", *Promise)


@dataclass(frozen=True, slots=True)
class Step:
    """One plugin of a pipeline, by name, with its parameters as JSON values."""

    plugin: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """Extractors in order, a detector, and how to calibrate it.

    Attributes
    ----------
    detector, features
        The steps. ``fit`` puts ``encode`` and ``impute`` in front where the data asks for them.
    false_alarm_rate
        Share of normal rows that may raise an alarm, in (0, 0.5].
    ordered
        Whether rows are in time order: calibration rows are then the last ones.
    seed
        Seed of every random draw, >= 0.
    background_rows
        Normal rows kept to stand for "feature absent", in [1, 1024].
    promise
        What the threshold promises of the rate, ``certain`` or ``average``; empty for certain where
        enough rows are held out, else average.
    allow_extrapolated
        Lets the threshold be extrapolated where the held-out rows cannot reach the rate.
    partition_by
        What each row's level and spread are learned by: ``none`` (all rows together), ``asset`` or
        ``asset_class``.

    Raises
    ------
    InvalidParameterError
        A value out of its range; ``field`` is its path under ``spec``.
    """

    detector: Step
    features: tuple[Step, ...] = ()
    false_alarm_rate: float = 0.01
    ordered: bool = False
    seed: int = 0
    background_rows: int = 128
    promise: str = ""
    allow_extrapolated: bool = False
    partition_by: str = PartitionBy.NONE.value

    def __post_init__(self) -> None:
        if not 0 < self.false_alarm_rate <= 0.5:
            raise _out_of_range("false_alarm_rate", self.false_alarm_rate, "(0, 0.5]")
        if not 0 <= self.seed < 2**63:
            raise _out_of_range("seed", self.seed, "[0, 2^63)")
        if not 1 <= self.background_rows <= MAX_BACKGROUND_ROWS:
            raise _out_of_range("background_rows", self.background_rows, "[1, 1024]")
        if self.partition_by not in list(PartitionBy):
            raise InvalidParameterError(
                "partition_by must be 'none', 'asset' or 'asset_class', not "
                f"{self.partition_by!r:.80}",
                field="spec.partition_by",
            )
        if len(self.features) > MAX_FEATURE_STEPS:
            raise _out_of_range("features", len(self.features), "[0, 16] steps")
        if self.promise not in _PROMISES:
            raise InvalidParameterError(
                f"promise must be 'certain', 'average' or empty, not {self.promise!r:.80}",
                field="spec.promise",
            )

    @property
    def promised(self) -> Promise | None:
        """The promise asked for; None where that is left to the number of rows."""
        return Promise(self.promise) if self.promise else None

    def to_json(self) -> dict[str, Any]:
        """Return the spec as JSON values."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        out["detector"] = _step_to_json(self.detector)
        out["features"] = [_step_to_json(step) for step in self.features]
        return out

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> PipelineSpec:
        """Return the spec that `to_json` wrote, or a person did.

        Raises
        ------
        InvalidParameterError
            Unknown or missing names, wrong types, values out of range.
        """
        known = {f.name for f in fields(cls)}
        for name in values:
            if name not in known:
                raise InvalidParameterError(
                    f"a pipeline spec has no '{name}'; it has: {', '.join(sorted(known))}",
                    field=f"spec.{name}",
                )
        if "detector" not in values:
            raise InvalidParameterError("a pipeline spec needs a 'detector'", field="spec.detector")
        rest = {k: v for k, v in values.items() if k not in ("detector", "features")}
        for name, value in rest.items():
            if type(value) not in _TYPES[name]:
                raise InvalidParameterError(
                    f"{name} must not be {json.dumps(value, default=str)}", field=f"spec.{name}"
                )
        features = values.get("features", [])
        if not isinstance(features, (list, tuple)):
            raise InvalidParameterError("features must be a list", field="spec.features")
        return cls(
            detector=_step_from_json(values["detector"], "spec.detector"),
            features=tuple(
                _step_from_json(step, f"spec.features[{i}]") for i, step in enumerate(features)
            ),
            **rest,
        )


def _step_to_json(step: Step) -> dict[str, Any]:
    return {"plugin": step.plugin, "parameters": dict(step.parameters)}


def _step_from_json(value: object, path: str) -> Step:
    if isinstance(value, str):
        return Step(value)
    if not isinstance(value, Mapping) or not isinstance(value.get("plugin"), str):
        raise InvalidParameterError(
            "a step is a plugin's name, or an object with 'plugin' and 'parameters'", field=path
        )
    parameters = value.get("parameters", {})
    if not isinstance(parameters, Mapping) or set(value) - {"plugin", "parameters"}:
        raise InvalidParameterError(
            "a step holds 'plugin' and an object of 'parameters' only", field=path
        )
    return Step(value["plugin"], dict(parameters))


def _out_of_range(name: str, value: object, wanted: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"{name} must be in {wanted}, not {value}", field=f"spec.{name}", value=value
    )
