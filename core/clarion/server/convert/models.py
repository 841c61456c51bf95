"""Models, versions and pipeline specs between messages and values."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf import json_format

from clarion.errors import InvalidParameterError
from clarion.frames import Signal, SignalKind
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.choose import Choice
from clarion.pipeline.groups import PartitionBy
from clarion.pipeline.pace import EVENT_ROWS, Pace
from clarion.pipeline.rank_rule import Promise, smallest_rate
from clarion.pipeline.reference import Level
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.server.convert.answers import timestamp
from clarion.server.convert.frames import KINDS
from clarion.store.artifacts import StoredModel, VersionRef
from clarion.store.manifest import Manifest
from clarion_api.v1 import frame_pb2
from clarion_api.v1 import models_pb2 as pb

_KIND_NUMBERS: dict[SignalKind, frame_pb2.SignalKind.ValueType] = {
    kind: frame_pb2.SignalKind.ValueType(number) for number, kind in KINDS.items()
}
_PROMISE_NUMBERS: dict[str, pb.Promise.ValueType] = {
    "": pb.PROMISE_UNSPECIFIED,
    Promise.CERTAIN: pb.PROMISE_CERTAIN,
    Promise.AVERAGE: pb.PROMISE_AVERAGE,
}
_PARTITION_NUMBERS: dict[str, pb.PartitionBy.ValueType] = {
    PartitionBy.NONE: pb.PARTITION_BY_UNSPECIFIED,
    PartitionBy.ASSET: pb.PARTITION_BY_ASSET,
    PartitionBy.ASSET_CLASS: pb.PARTITION_BY_ASSET_CLASS,
}
_PARTITIONS = {number: str(by) for by, number in _PARTITION_NUMBERS.items()}
_PROMISES = {number: str(promise) for promise, number in _PROMISE_NUMBERS.items()}


def spec_from_proto(message: pb.PipelineSpec) -> PipelineSpec:
    """Return the spec that ``message`` holds, defaults filled in."""
    optional: dict[str, Any] = {}
    if message.HasField("false_alarm_rate"):
        optional["false_alarm_rate"] = message.false_alarm_rate
    if message.HasField("background_row_count"):
        optional["background_rows"] = message.background_row_count
    return PipelineSpec(
        detector=_step_from_proto(message.detector, "spec.detector"),
        features=tuple(
            _step_from_proto(step, f"spec.features[{i}]") for i, step in enumerate(message.features)
        ),
        ordered=message.ordered,
        seed=message.seed,
        promise=_PROMISES.get(message.promise, ""),
        allow_extrapolated=message.allow_extrapolated,
        partition_by=_PARTITIONS.get(message.partition_by, PartitionBy.NONE),
        **optional,
    )


def spec_to_proto(spec: PipelineSpec) -> pb.PipelineSpec:
    """Return the message of a spec, with every value said."""
    return pb.PipelineSpec(
        features=map(_step_to_proto, spec.features),
        detector=_step_to_proto(spec.detector),
        false_alarm_rate=spec.false_alarm_rate,
        ordered=spec.ordered,
        seed=spec.seed,
        background_row_count=spec.background_rows,
        promise=_PROMISE_NUMBERS[spec.promise],
        allow_extrapolated=spec.allow_extrapolated,
        partition_by=_PARTITION_NUMBERS[spec.partition_by],
    )


def version_to_proto(
    ref: VersionRef, manifest: Manifest, calibration: Calibration
) -> pb.ModelVersion:
    """Return the message of one version."""
    facts = manifest.facts
    return pb.ModelVersion(
        name=ref.name,
        digest=ref.digest,
        create_time=timestamp(manifest.create_time),
        spec=spec_to_proto(facts.spec),
        signals=map(_signal_to_proto, facts.signals),
        calibration=_calibration_to_proto(calibration),
        background_id=facts.background_id,
        background_row_count=facts.background_rows,
        fitted_row_count=facts.fitted_rows,
        history_row_count=facts.history,
        library_versions=manifest.libraries,
        explainer=facts.explainer,
        explainer_label=facts.explainer_label,
        choice=None if facts.choice is None else _choice_to_proto(facts.choice),
        group_count=manifest.groups,
    )


def _choice_to_proto(choice: Choice) -> pb.Choice:
    message = pb.Choice(chosen_recipe=choice.chosen, default_recipe=choice.default)
    for judged in choice.candidates:
        candidate = message.candidates.add(recipe=judged.recipe, note=judged.note)
        if not math.isnan(judged.precision):
            candidate.average_precision = judged.precision
        if not math.isnan(judged.gain_low):  # there is none where the default was not judged
            candidate.gain_low, candidate.gain_high = judged.gain_low, judged.gain_high
    return message


def model_to_proto(model: StoredModel, newest: Manifest | None) -> pb.Model:
    """Return the message of a model; ``newest`` is the manifest of its newest version."""
    name = f"models/{model.name}"
    message = pb.Model(
        name=name,
        display_name=model.display_name,
        create_time=timestamp(model.create_time),
        version_count=len(model.versions),
    )
    if newest is not None:
        message.update_time.CopyFrom(timestamp(newest.create_time))
        message.latest_version = f"{name}/versions/{model.versions[-1]}"
    return message


def _calibration_to_proto(calibration: Calibration) -> pb.Calibration:
    levels = calibration.levels(calibration.default_rate)
    level, tail = levels.pooled, calibration.pooled.tail
    message = pb.Calibration(
        id=calibration.id,
        row_count=calibration.rows,
        smallest_p_value=calibration.smallest_p,
        false_alarm_rate=calibration.default_rate,
        threshold=level.threshold,
        promise=_PROMISE_NUMBERS[calibration.promise],
        smallest_false_alarm_rate=calibration.smallest_rate,
        smallest_extrapolated_p_value=None if tail is None else tail.smallest_p,
        extrapolated=level.extrapolated,
        expected_false_alarm_rate=level.expected_rate,
    )
    for (name, own), judged in zip(calibration.classes, levels.by_class, strict=True):
        message.classes.add(
            asset_class=name,
            row_count=own.rows,
            smallest_p_value=own.smallest_p,
            smallest_false_alarm_rate=smallest_rate(own.rows, calibration.promise),
            threshold=judged.threshold,
        )
    if calibration.pace is not None:
        _put_pace(message, calibration.pace, level)
    return message


def _put_pace(message: pb.Calibration, pace: Pace, level: Level) -> None:
    message.step_seconds = pace.step_seconds
    message.false_alarms_per_week = pace.alarms_per_week(level.expected_rate)
    events = pace.events_per_week(level.threshold)
    if events is not None:
        message.false_events_per_week, message.event_row_count = events, EVENT_ROWS


def _signal_to_proto(signal: Signal) -> frame_pb2.SignalInfo:
    return frame_pb2.SignalInfo(name=signal.name, kind=_KIND_NUMBERS[signal.kind], unit=signal.unit)


def _step_from_proto(message: pb.Step, path: str) -> Step:
    try:
        parameters = json_format.MessageToDict(message.parameters)
    except (json_format.Error, ValueError) as error:  # a number that JSON cannot write
        raise InvalidParameterError(
            f"the parameters of '{message.plugin}' are no JSON: {error}", field=f"{path}.parameters"
        ) from error
    return Step(message.plugin, parameters)


def _step_to_proto(step: Step) -> pb.Step:
    message = pb.Step(plugin=step.plugin)
    message.parameters.update(step.parameters)
    return message
