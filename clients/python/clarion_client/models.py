"""Models, their versions, and the plugins they are made of, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from google.protobuf import json_format

from clarion_api.v1 import frame_pb2, models_pb2, plugins_pb2
from clarion_client.errors import InvalidParameterError
from clarion_client.explanations import moment, record, values_of
from clarion_client.spec import PipelineSpec, promise_name


@dataclass(frozen=True, slots=True)
class Signal:
    """One measured quantity: its name, kind (``numeric``, ``categorical`` ...) and unit."""

    name: str
    kind: str
    unit: str


@dataclass(frozen=True, slots=True)
class ClassCalibration:
    """One asset class that is calibrated alone, by held-out rows of its own, in `Calibration`'s terms."""

    asset_class: str
    row_count: int
    smallest_p_value: float
    smallest_false_alarm_rate: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """How p-values come about: held-out rows, the smallest p they can give, rate and threshold.

    Attributes
    ----------
    promise
        ``certain``: the rate is kept with 95 % certainty; ``average``: on average over fits.
    smallest_false_alarm_rate
        The smallest rate that can be promised so.
    smallest_extrapolated_p_value
        The smallest p-value of a fitted tail; None with too few rows to fit one.
    extrapolated
        Whether the threshold is extrapolated: nothing is promised of it.
    expected_false_alarm_rate
        Share of normal rows expected to reach the threshold.
    classes
        Asset classes that are calibrated alone.
    step_seconds, false_alarms_per_week, false_events_per_week, event_row_count
        Median seconds between rows, and what is expected in a week of one asset: false alarms, and blocks
        of ``event_row_count`` rows with a false alarm in them; None where they are not known.
    """

    id: str
    row_count: int
    smallest_p_value: float
    false_alarm_rate: float
    threshold: float
    promise: str
    smallest_false_alarm_rate: float
    smallest_extrapolated_p_value: float | None
    extrapolated: bool
    expected_false_alarm_rate: float
    classes: tuple[ClassCalibration, ...]
    step_seconds: float | None
    false_alarms_per_week: float | None
    false_events_per_week: float | None
    event_row_count: int

    @classmethod
    def of(cls, message: models_pb2.Calibration) -> Self:
        """Return the calibration of a message."""
        classes = tuple(record(ClassCalibration, own) for own in message.classes)
        promise = promise_name(message.promise)
        return cls(**{**values_of(cls, message), "classes": classes, "promise": promise})


@dataclass(frozen=True, slots=True)
class Model:
    """A named line of fitted pipelines; times are UTC."""

    name: str
    display_name: str
    create_time: np.datetime64
    update_time: np.datetime64
    latest_version: str
    version_count: int

    @classmethod
    def of(cls, message: models_pb2.Model) -> Self:
        """Return the model of a message."""
        return cls(
            message.name,
            message.display_name,
            moment(message.create_time),
            moment(message.update_time),
            message.latest_version,
            message.version_count,
        )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipe that suited the rows.

    ``average_precision`` is its mean on injected anomalies, ``gain_low`` and ``gain_high`` the 95 %
    interval of its gain over the default; None where it was not judged, and ``note`` says why.
    """

    recipe: str
    average_precision: float | None
    gain_low: float | None
    gain_high: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What the detector name ``auto`` stood for, and what it was taken over."""

    chosen_recipe: str
    default_recipe: str
    candidates: tuple[Candidate, ...]

    @classmethod
    def of(cls, message: models_pb2.Choice) -> Self:
        """Return the choice of a message."""
        candidates = tuple(record(Candidate, candidate) for candidate in message.candidates)
        return cls(message.chosen_recipe, message.default_recipe, candidates)


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One fitted pipeline, never changed after its fit.

    Attributes
    ----------
    name, digest
        ``models/{model}/versions/{version}``, and the SHA-256 of its manifest.
    spec
        The pipeline as fitted: with every default, and the steps that the fit put in.
    signals
        The signals it takes.
    fitted_row_count, background_row_count
        Rows the detector was fitted on; rows that stand for "feature absent".
    history_row_count
        Earlier rows of the same asset that a row needs to be scored.
    explainer, explainer_label
        The explainer used by default, and how far to trust it.
    choice
        What ``auto`` took; None where the fit named a detector.
    group_count
        Assets or classes of assets that it keeps apart; 0 where all rows are one group.
    """

    name: str
    digest: str
    create_time: np.datetime64
    spec: PipelineSpec
    signals: tuple[Signal, ...]
    calibration: Calibration
    background_id: str
    background_row_count: int
    fitted_row_count: int
    history_row_count: int
    library_versions: Mapping[str, str]
    explainer: str
    explainer_label: str
    choice: Choice | None
    group_count: int

    @classmethod
    def of(cls, message: models_pb2.ModelVersion) -> Self:
        """Return the version of a message."""
        return cls(
            message.name,
            message.digest,
            moment(message.create_time),
            PipelineSpec.of(message.spec),
            tuple(_signal_of(signal) for signal in message.signals),
            Calibration.of(message.calibration),
            message.background_id,
            message.background_row_count,
            message.fitted_row_count,
            message.history_row_count,
            dict(message.library_versions),
            message.explainer,
            message.explainer_label,
            Choice.of(message.choice) if message.HasField("choice") else None,
            message.group_count,
        )


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin of the server, or one package kept out, with the ``error`` that says why.

    ``parameters_schema`` (JSON Schema), ``description``, ``traits`` and ``capabilities`` come with
    `Client.plugin` only, not in lists.
    """

    name: str
    family: str
    distribution: str
    error: str
    description: str
    parameters_schema: Mapping[str, Any]
    traits: Mapping[str, Any]
    capabilities: tuple[str, ...]

    @classmethod
    def of(cls, message: plugins_pb2.Plugin) -> Self:
        """Return the plugin of a message."""
        return cls(
            message.name,
            message.name.split("/")[1],
            message.distribution,
            message.error,
            message.description,
            json_format.MessageToDict(message.parameters_schema),
            json_format.MessageToDict(message.traits),
            tuple(message.capabilities),
        )


def resource(name: str, collection: str = "models") -> str:
    """Return a resource name; a bare ``pump-7`` is taken as ``models/pump-7``."""
    if not name:
        raise InvalidParameterError(f"a name under {collection}/ must not be empty")
    return name if "/" in name else f"{collection}/{name}"


def _signal_of(message: frame_pb2.SignalInfo) -> Signal:
    kind = frame_pb2.SignalKind.Name(message.kind).removeprefix("SIGNAL_KIND_").lower()
    return Signal(message.name, kind, message.unit)
