"""What to judge, off the wire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clarion.errors import InvalidFrameError, InvalidParameterError
from clarion.evaluation.explanations.located import Blame
from clarion.evaluation.figures import Labelled
from clarion.pipeline.answer import ExplanationPolicy
from clarion.pipeline.schema import conform
from clarion.server.convert.faithfulness import blames_from_proto
from clarion.server.convert.frames import FrameLimits, frame_from_proto
from clarion.server.convert.numbers import array_of
from clarion.server.convert.orders import labels_of
from clarion.server.loaded import Loaded
from clarion_api.v1 import frame_pb2
from clarion_api.v1 import models_pb2 as pb

MAX_NAMES = 1000
"""Different names of anomalies in one evaluation: each has a row in the report."""
MAX_NAME_LETTERS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """An evaluation that was asked for: a model, labelled rows, and the rate of its threshold.

    Attributes
    ----------
    explanations
        How to explain, where the explanations are to be judged too; else None.
    blames
        Rows whose sick signals are known.
    """

    model: Loaded
    truth: Labelled
    false_alarm_rate: float
    explanations: ExplanationPolicy | None = None
    blames: tuple[Blame, ...] = ()


def trial_from_proto(message: pb.EvaluateModelRequest, model: Loaded, limits: FrameLimits) -> Trial:
    """Return what ``message`` asks of ``model``.

    Raises
    ------
    InvalidFrameError, InvalidParameterError, LimitExceededError
        The frame, the labels or the names are none, of one kind only, or too many; the field is
        named.
    SignalMismatchError
        The frame has other signals than the model.
    UnsupportedPairError, PluginNotFoundError
        The explainer named cannot explain this model.
    UnreachableRateError
        The rate is below the smallest p-value there is.
    """
    pipeline = model.pipeline
    frame = frame_from_proto(message.frame, limits=limits, fitted=pipeline.signals)
    frame = conform(frame, pipeline.signals)
    if not message.labels:
        raise InvalidFrameError(
            "an evaluation needs labels: one byte a row, 1 where the row is anomalous, else 0",
            field="labels",
        )
    labels = labels_of(message.labels, len(frame))
    if labels.all() or not labels.any():
        only = "anomalous" if labels.all() else "normal"
        raise InvalidParameterError(
            f"an evaluation needs normal and anomalous rows; all {len(labels)} labels say {only}",
            field="labels",
        )
    names = _names(message.names, len(frame)) if message.HasField("names") else ()
    ordered = message.ordered or pipeline.spec.ordered or frame.time is not None
    rate = pipeline.calibration.default_rate
    if message.HasField("false_alarm_rate"):
        rate = message.false_alarm_rate
    pipeline.calibration.threshold(rate)  # refuses a rate out of reach before any work is done
    policy = ExplanationPolicy(explainer=message.explainer) if message.explanations else None
    if policy is not None:
        pipeline.reasoner.rung(policy)  # likewise an explainer that cannot do it
    blames = blames_from_proto(message.blames, pipeline, len(frame))
    if blames and frame.time is not None and (np.diff(frame.time) < 0).any():
        raise InvalidFrameError(
            "the rows are not in time order, so it is not clear which ones are blamed; sort them",
            field="frame",
        )
    return Trial(model, Labelled(frame, labels, names, ordered), rate, policy, blames)


def _names(message: frame_pb2.Words, rows: int) -> tuple[str, ...]:
    """Return the name of each row, empty where it has none."""
    words = (*message.vocabulary, "")
    count = len(message.vocabulary)
    if count > MAX_NAMES or max(map(len, words)) > MAX_NAME_LETTERS:
        raise InvalidParameterError(
            f"there are {count} different names, of up to {max(map(len, words))} letters; at most "
            f"{MAX_NAMES} names of {MAX_NAME_LETTERS} letters are told apart",
            field="names.vocabulary",
        )
    codes = array_of(message.codes, "<i4", "names.codes", rows)
    wrong = (codes < -1) | (codes >= count)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InvalidFrameError(
            f"the name of row {row} has the code {codes[row]}; it must be in [-1, {count - 1}]",
            field="names.codes",
            row=row,
        )
    return tuple(words[code] for code in codes.tolist())
