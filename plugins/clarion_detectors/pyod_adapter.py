"""PyOD's detectors as Clarion's: scaled rows in, scores of single rows out, stored without pickle."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.errors import ArtifactCorruptError, InvalidFrameError, InvalidParameterError
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import (
    complete,
    require_memory,
    require_rows,
    robust_scale,
    sampled_rows,
    scaled,
)
from clarion.parameters import parameter, values_of
from clarion.state import State, signal_values
from clarion_detectors.pyod_blob import dumped, loaded, pyod_class
from clarion_detectors.pyod_kinds import KINDS, Kind

_VERSION = 1
_LIBRARIES = ("pyod", "scikit-learn")
_BLOCK = 1024
"""Rows scored at once, at most: some detectors hold thousands of distances a row."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedPyod:
    """A detector of PyOD, fitted on ``u = (x - center) / scale``, and its bytes.

    It scores with what its own bytes describe, so that it and a restored one are the same.

    Attributes
    ----------
    center, scale
        Shape ``(d,)``, in each signal's unit.
    """

    signals: tuple[Signal, ...]
    center: FloatArray
    scale: FloatArray
    kind: Kind
    blob: bytes = field(repr=False)
    detector: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read the bytes; ArtifactCorruptError or MissingExtraError if that cannot be."""
        object.__setattr__(self, "detector", loaded(self.blob, self.kind, len(self.signals)))

    def score(self, frame: Frame) -> FloatArray:
        """Return PyOD's outlier score, shape ``(n,)``: unitless, its range is the detector's.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        import sklearn

        points = scaled(complete(frame, self.signals), self.center, self.scale)
        rows = 1 if self.kind.by_row else _BLOCK
        scores = np.empty(len(points))
        # What scikit-learn would check is known, and takes it longer than to score a row.
        with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
            for i in range(0, len(points), rows):
                scores[i : i + rows] = self.detector.decision_function(points[i : i + rows])
        return scores

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {
            "signals": signal_values(self.signals),
            "kind": self.kind.name,
            "versions": {library: version(library) for library in _LIBRARIES},
        }
        arrays = {"center": self.center, "scale": self.scale}
        return State(_VERSION, parameters, arrays, {"detector": self.blob})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        name = state.parameter("kind", str)
        if name not in KINDS or "detector" not in state.blobs:
            raise ArtifactCorruptError(f"the state is of no adapted detector: {name!r:.80}")
        pyod_class(KINDS[name])  # without the libraries there are no versions to compare
        _check_versions(state.parameter("versions", dict))
        center, scale = (state.array(name, (len(signals),)) for name in ("center", "scale"))
        return cls(signals, center, scale, KINDS[name], state.blobs["detector"])


def _check_versions(stored: Mapping[str, Any]) -> None:
    """Raise ArtifactCorruptError if a library has another minor version than at the fit."""
    for library in _LIBRARIES:
        then, now = str(stored.get(library)), version(library)
        if then.split(".")[:2] != now.split(".")[:2]:
            raise ArtifactCorruptError(
                f"the model was fitted with {library} {then:.20}, and {now} is installed; "
                "install that version, or fit the model again",
                library=library,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PyodDetector:
    """What all adapted detectors have in common: their parameters are PyOD's, but for this one."""

    traits: ClassVar[DetectorTraits]
    fitted: ClassVar[type[FittedPyod]] = FittedPyod
    blamed: ClassVar[str] = ""
    """The parameter to change where PyOD refuses rows; empty if it is for the rows alone."""

    max_fit_rows: int = parameter(
        20_000, "Rows fitted, at most; drawn at random.", minimum=2, maximum=200_000
    )

    @property
    def kind(self) -> Kind:
        """What Clarion knows of PyOD's class of the same name."""
        return KINDS[type(self).__name__]

    def arguments(self) -> dict[str, Any]:
        """Return what PyOD's class is made with."""
        values = values_of(self)
        del values["max_fit_rows"]
        return values

    def least_rows(self) -> int:
        """Return how many rows a fit needs."""
        return 2

    def numbers(self, rows: int, d: int) -> float:
        """Return about how many numbers a fit on ``rows`` of ``d`` signals holds at once."""
        return 8.0 * rows * d + 8.0 * d * d

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedPyod:
        """Fit PyOD's detector on normal rows, each signal scaled by its deviation.

        Raises
        ------
        MissingExtraError
            The extra ``pyod`` is not installed.
        TooFewRowsError
            Fewer rows than the parameters ask for, or than 2.
        LimitExceededError
            The fit does not fit this machine's memory, or its result the store.
        InvalidParameterError, InvalidFrameError
            PyOD refuses the rows.
        """
        cls, name = pyod_class(self.kind), f"pyod.{self.kind.name}"
        values = complete(frame, frame.signals)
        rows = min(len(frame), self.max_fit_rows)
        require_rows(rows, self.least_rows(), f"'{name}' with these parameters")
        require_memory(8.0 * self.numbers(rows, values.shape[1]), f"fitting '{name}'")
        center, scale = robust_scale(values)
        points = scaled(values[sampled_rows(len(values), rows, context.rng)], center, scale)
        seed = {"random_state": int(context.rng.integers(2**31))} if self.kind.seeded else {}
        detector = self._fitted(cls(**self.arguments(), **seed), points)
        return FittedPyod(frame.signals, center, scale, self.kind, dumped(detector, self.kind))

    def _fitted(self, detector: Any, points: FloatArray) -> Any:
        """Return ``detector`` fitted on ``points``, or raise an error that names what to change."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of few rows, of duplicates: the scores tell
                detector.fit(points)
        except (ValueError, AssertionError, ArithmeticError) as error:
            raise self._refused(f"{error}") from error
        if flaw := self.flaw(detector):
            raise self._refused(flaw)
        return detector

    def flaw(self, detector: Any) -> str:
        """Return why PyOD's fitted ``detector`` cannot be used; empty if it can."""
        finite = np.isfinite(detector.decision_scores_).all()
        return "" if finite else "some of them get no finite score"

    def _refused(self, why: str) -> InvalidParameterError | InvalidFrameError:
        """Return the error that says why PyOD refuses the rows, and names what to change."""
        message = f"'pyod.{self.kind.name}' cannot be fitted on these rows: {why:.200}"
        if not self.blamed:
            return InvalidFrameError(f"{message}; send rows that differ", field="frame")
        return InvalidParameterError(
            f"{message}; change the parameter '{self.blamed}'",
            field=f"parameters.{self.blamed}",
            parameter=self.blamed,
        )
