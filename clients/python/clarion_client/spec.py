"""What to fit: a pipeline of plugins, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from google.protobuf import json_format

from clarion_api.v1 import models_pb2
from clarion_client.errors import InvalidParameterError

_PROMISES: dict[int, str] = {
    models_pb2.PROMISE_UNSPECIFIED: "",
    models_pb2.PROMISE_CERTAIN: "certain",
    models_pb2.PROMISE_AVERAGE: "average",
}
_PARTITIONS: dict[int, str] = {
    models_pb2.PARTITION_BY_UNSPECIFIED: "",
    models_pb2.PARTITION_BY_ASSET: "asset",
    models_pb2.PARTITION_BY_ASSET_CLASS: "asset_class",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One plugin of a pipeline, by name, with its parameters."""

    plugin: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PipelineSpec:
    """What to fit: extractors in order, a detector, and how to calibrate it.

    A step may be given by its name alone.

    Attributes
    ----------
    false_alarm_rate
        Share of normal rows that may raise an alarm, in (0, 0.5]; None for the server's 0.01.
    ordered
        Rows are in time order: the calibration rows are the last ones, not a random draw.
    seed
        Of every random draw, >= 0.
    background_rows
        Rows kept as background, in [1, 1024]; None for the server's 128.
    promise
        What the threshold promises of the rate: ``certain`` (kept with 95 % certainty) or ``average``;
        empty for certain where enough rows are held out, else average.
    allow_extrapolated
        Lets the threshold be extrapolated where the held-out rows cannot reach the rate.
    partition_by
        What each row's level and spread are learned by: ``asset`` or ``asset_class``; empty for all rows
        together.
    """

    detector: Step | str
    features: tuple[Step | str, ...] = ()
    false_alarm_rate: float | None = None
    ordered: bool = False
    seed: int = 0
    background_rows: int | None = None
    promise: str = ""
    allow_extrapolated: bool = False
    partition_by: str = ""

    def message(self) -> models_pb2.PipelineSpec:
        """Return the spec for the wire."""
        out = models_pb2.PipelineSpec(
            features=[_step(step) for step in self.features],
            detector=_step(self.detector),
            ordered=self.ordered,
            seed=self.seed,
            promise=promise_number(self.promise),
            allow_extrapolated=self.allow_extrapolated,
            partition_by=_partition_number(self.partition_by),
        )
        if self.false_alarm_rate is not None:
            out.false_alarm_rate = self.false_alarm_rate
        if self.background_rows is not None:
            out.background_row_count = self.background_rows
        return out

    @classmethod
    def of(cls, message: models_pb2.PipelineSpec) -> Self:
        """Return the spec of a message."""
        rate, rows = message.false_alarm_rate, message.background_row_count
        return cls(
            _step_of(message.detector),
            tuple(_step_of(step) for step in message.features),
            rate if message.HasField("false_alarm_rate") else None,
            message.ordered,
            message.seed,
            rows if message.HasField("background_row_count") else None,
            promise_name(message.promise),
            message.allow_extrapolated,
            _PARTITIONS.get(message.partition_by, ""),
        )


def _step(step: Step | str) -> models_pb2.Step:
    chosen = Step(step) if isinstance(step, str) else step
    out = models_pb2.Step(plugin=chosen.plugin)
    try:
        out.parameters.update(dict(chosen.parameters))
    except ValueError as error:
        raise InvalidParameterError(
            f"the parameters of '{chosen.plugin}' must be JSON values: {error}"
        ) from error
    return out


def _step_of(message: models_pb2.Step) -> Step:
    return Step(message.plugin, json_format.MessageToDict(message.parameters))


def _partition_number(name: str) -> models_pb2.PartitionBy.ValueType:
    if name in _PARTITIONS.values():
        return models_pb2.PartitionBy.Value(f"PARTITION_BY_{name.upper() or 'UNSPECIFIED'}")
    raise InvalidParameterError(f"partition_by must be 'asset' or 'asset_class', not {name!r:.80}")


def promise_name(number: int) -> str:
    """Return ``certain`` or ``average`` for a promise on the wire; empty where it is not said."""
    return _PROMISES.get(number, "")


def promise_number(name: str) -> models_pb2.Promise.ValueType:
    """Return a promise for the wire."""
    if name in _PROMISES.values():
        return models_pb2.Promise.Value(f"PROMISE_{name.upper() or 'UNSPECIFIED'}")
    raise InvalidParameterError(f"promise must be 'certain' or 'average', not {name!r:.80}")
