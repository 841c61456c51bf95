"""Calibration: from a score to a p-value and a threshold, by held-out normal rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.errors import ArtifactCorruptError, InvalidParameterError
from clarion.frames import Frame
from clarion.pipeline.classes import POOLED, class_codes
from clarion.pipeline.pace import Pace
from clarion.pipeline.rank_rule import Promise, rank, smallest_rate
from clarion.pipeline.reach import rows_to_hold, too_few, unreachable
from clarion.pipeline.reference import Level, Levels, Reference
from clarion.state import State

_VERSION = 2
"""Of the state; 1 had no promise, classes and pace."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Split-conformal calibration (Vovk et al. 2005; Bates et al., Ann. Stat. 2023, eq. 2).

    Attributes
    ----------
    pooled
        Scores of all normal rows that no fit has seen, and their tail.
    default_rate
        The false-alarm rate used where a request names none, in (0, 0.5].
    promise
        What thresholds promise of false-alarm rates.
    id
        Identity: the same scores, rate, promise, classes and pace have the same id.
    classes
        The same scores of asset classes that are calibrated alone, by name (Mondrian; Vovk et al. 2005,
        ch. 4.5); rows of all others, and of unknown ones, are judged by ``pooled``.
    pace
        How often rows come; None for models without order or times.
    allow_extrapolated
        Whether thresholds may be extrapolated without being asked for.
    """

    pooled: Reference
    default_rate: float
    promise: Promise = Promise.AVERAGE
    classes: tuple[tuple[str, Reference], ...] = ()
    pace: Pace | None = None
    allow_extrapolated: bool = False
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", _identity(self.state()))

    @classmethod
    def of(
        cls,
        scores: FloatArray,
        default_rate: float,
        promise: Promise | None = None,
        *,
        classes: Mapping[str, FloatArray] | None = None,
        pace: Pace | None = None,
        allow_extrapolated: bool = False,
    ) -> Calibration:
        """Calibrate on held-out ``scores``, in any order.

        Parameters
        ----------
        promise
            Default: certain where there are rows enough for ``default_rate``, else average.
        classes
            The scores of classes to calibrate alone, by name: some of ``scores``.

        Raises
        ------
        TooFewRowsError
            Too few scores to promise ``default_rate``.
        """
        rows = len(scores)
        if rows < rows_to_hold(default_rate, promise, allow_extrapolated=allow_extrapolated):
            raise too_few(rows, default_rate, promise, allow_extrapolated=allow_extrapolated)
        kept = tuple((name, Reference.of(own)) for name, own in (classes or {}).items())
        made = promise or _best_promise(default_rate, rows)
        return cls(Reference.of(scores), default_rate, made, kept, pace, allow_extrapolated)

    @property
    def scores(self) -> FloatArray:
        """All held-out scores, ascending, shape ``(n,)``."""
        return self.pooled.scores

    @property
    def rows(self) -> int:
        """How many held-out rows it rests on."""
        return self.pooled.rows

    @property
    def smallest_p(self) -> float:
        """The smallest conformal p-value, ``1 / (n + 1)``; smaller ones are extrapolated."""
        return self.pooled.smallest_p

    @property
    def smallest_rate(self) -> float:
        """The smallest false-alarm rate that it can promise."""
        return smallest_rate(self.rows, self.promise)

    def classes_of(self, frame: Frame, rows: Int64Array) -> Int64Array | None:
        """Return the class of some ``rows`` of ``frame``: its place in ``classes``, or -1 for pooled.

        None where all are pooled.
        """
        if not self.classes:
            return None
        return class_codes(frame, {name: code for code, (name, _) in enumerate(self.classes)})[rows]

    def p_values(self, scores: FloatArray, classes: Int64Array | None = None) -> FloatArray:
        """Return the p-value of each score, shape ``(n,)``, in (0, 1]; see `Reference.p_values`.

        ``classes`` are those of `classes_of`; all are pooled by default.
        """
        p = self.pooled.p_values(scores)
        for rows, reference in self._alone(classes):
            p[rows] = reference.p_values(scores[rows])
        return p

    def extrapolated(self, p_values: FloatArray, classes: Int64Array | None = None) -> BoolArray:
        """Return which p-values are smaller than the held-out rows can show, shape ``(n,)``."""
        beyond = self.pooled.extrapolated(p_values)
        for rows, reference in self._alone(classes):
            beyond[rows] = reference.extrapolated(p_values[rows])
        return beyond

    def threshold(self, rate: float, *, extrapolate: bool = False) -> float:
        """Return the smallest anomalous score at ``rate`` of rows that are judged pooled; see `levels`."""
        return self.levels(rate, extrapolate=extrapolate).pooled.threshold

    def levels(self, rate: float, *, extrapolate: bool = False) -> Levels:
        """Return the thresholds that keep the promise at ``rate``, pooled and of each class.

        A class whose own rows cannot reach ``rate`` is judged pooled.

        Parameters
        ----------
        extrapolate
            Take an extrapolated threshold, which promises nothing, where no other is in reach.

        Raises
        ------
        InvalidParameterError
            ``rate`` is not in (0, 1).
        UnreachableRateError
            ``rate`` is below `smallest_rate`, and may not or cannot be extrapolated.
        """
        if not 0 < rate < 1:
            raise InvalidParameterError(
                f"false_alarm_rate must be in (0, 1), not {rate}", field="false_alarm_rate"
            )
        allowed = extrapolate or self.allow_extrapolated
        pooled = self.pooled.level(rate, self.promise, extrapolate=allowed)
        if pooled is None:
            raise unreachable(self.pooled, rate, self.promise)
        alone = (own.level(rate, self.promise, extrapolate=allowed) for _, own in self.classes)
        return Levels(pooled, tuple(level or pooled for level in alone))

    def false_alarms_per_week(self, level: Level) -> float | None:
        """Return the false alarms expected of one asset in a week; None without a pace."""
        return None if self.pace is None else self.pace.alarms_per_week(level.expected_rate)

    def _alone(self, classes: Int64Array | None) -> list[tuple[BoolArray, Reference]]:
        if classes is None or (classes == POOLED).all():
            return []
        return [(classes == code, reference) for code, (_, reference) in enumerate(self.classes)]

    def state(self) -> State:
        """Return all of it."""
        parameters = {
            "default_rate": self.default_rate,
            "promise": str(self.promise),
            "classes": [name for name, _ in self.classes],
            "step_seconds": None if self.pace is None else self.pace.step_seconds,
            "allow_extrapolated": self.allow_extrapolated,
        }
        arrays = {"scores": self.scores}
        arrays |= {f"class{i}": own.scores for i, (_, own) in enumerate(self.classes)}
        if self.pace is not None and len(self.pace.maxima):
            arrays["maxima"] = self.pace.maxima
        return State(_VERSION, parameters, arrays)

    @classmethod
    def from_state(cls, state: State) -> Calibration:
        """Return the calibration that `state` describes.

        Raises
        ------
        ArtifactCorruptError
            It describes none.
        """
        state.require(_VERSION)
        names = state.parameter("classes", list)
        if not all(isinstance(name, str) for name in names):
            raise ArtifactCorruptError("the stored calibration's classes are no names")
        return cls(
            _reference(state, "scores"),
            state.parameter("default_rate", float),
            _promise(state.parameter("promise", str)),
            tuple((name, _reference(state, f"class{i}")) for i, name in enumerate(names)),
            _pace(state),
            state.parameter("allow_extrapolated", bool),
        )


def _reference(state: State, name: str) -> Reference:
    scores = state.array(name, (-1,))
    if not len(scores):
        raise ArtifactCorruptError("the stored calibration has no scores", array=name)
    return Reference.of(scores)


def _promise(value: str) -> Promise:
    try:
        return Promise(value)
    except ValueError as error:
        raise ArtifactCorruptError(f"the stored calibration promises {value!r:.80}") from error


def _pace(state: State) -> Pace | None:
    if state.parameters.get("step_seconds") is None:
        return None
    step = state.parameter("step_seconds", float)
    if not 0 < step < float("inf"):
        raise ArtifactCorruptError(f"the stored calibration's step is {step} seconds")
    maxima = state.array("maxima", (-1,)) if "maxima" in state.arrays else np.empty(0)
    return Pace(step, np.sort(maxima))


def _best_promise(rate: float, rows: int) -> Promise:
    return Promise.CERTAIN if rank(rate, rows, Promise.CERTAIN) else Promise.AVERAGE


def _identity(state: State) -> str:
    digest = hashlib.sha256(json.dumps(state.parameters, sort_keys=True).encode())
    for name, array in state.arrays.items():
        digest.update(f" {name} {len(array)} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:16]
