"""Online Gaussian: the distance from a mean, in the metric of a covariance, that follow the stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.errors import ArtifactCorruptError, LimitExceededError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale, scaled
from clarion.kernels.adaptive_gaussian import Learning, gaussian_terms
from clarion.parameters import parameter
from clarion.state import State, signal_values
from clarion_detectors.stream_terms import FittedStreamTerms

_VERSION = 2
"""Of the fitted state; 1 had no bound on how far to walk."""
_MEMORY = 1
_LEAST_SHRINKAGE = 1e-3
"""Weight of the identity in the covariance, at least: it stays well enough conditioned."""
_MOST_SIGNALS = 300
"""An asset's memory takes d² numbers, and a row d³ / 6 multiplications."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedOnlineGaussian(FittedStreamTerms):
    """Mean and covariance to start from, in the coordinates ``u = (x - center) / scale``.

    Attributes
    ----------
    center, scale
        Shape ``(d,)``, in each signal's unit.
    mean, covariance
        Shapes ``(d,)`` and ``(d, d)``, unitless.
    learning
        How rows are learned from.
    """

    center: FloatArray
    scale: FloatArray
    mean: FloatArray
    covariance: FloatArray
    learning: Learning

    quantity: ClassVar[str] = "distance"

    def start(self) -> State:
        """Return the fitted mean and covariance."""
        return State(_MEMORY, {}, {"mean": self.mean, "covariance": self.covariance})

    def follow(self, values: FloatArray, memory: State) -> tuple[FloatArray, State]:
        """Return each signal's part in the squared distance from the mean so far."""
        d, before = len(self.inputs), memory.require(_MEMORY)
        mean, covariance = before.array("mean", (d,)), before.array("covariance", (d, d))
        if np.linalg.eigvalsh(covariance)[0] <= 0:
            raise ArtifactCorruptError("the memory's covariance is not positive definite")
        points = scaled(values, self.center, self.scale)
        fitted = (self.mean, self.covariance)
        terms, mean, covariance = gaussian_terms(points, mean, covariance, fitted, self.learning)
        return terms, State(_MEMORY, {}, {"mean": mean, "covariance": covariance})

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {"inputs": signal_values(self.inputs), **self.learning._asdict()}
        names = ("center", "scale", "mean", "covariance")
        return State(_VERSION, parameters, {name: getattr(self, name) for name in names})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        inputs = state.require(_VERSION).signals("inputs")
        d = len(inputs)
        center, scale, mean = (state.array(name, (d,)) for name in ("center", "scale", "mean"))
        learning = Learning(*(state.parameter(name, float) for name in Learning._fields))
        return cls(inputs, center, scale, mean, state.array("covariance", (d, d)), learning)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineGaussian:
    """Squared Mahalanobis distance from what an asset's rows so far say is normal.

    A row too strange teaches nothing, so that an anomaly never becomes normal by lasting; nor does
    a lasting change, until the model is fitted again. A slow one is followed, but not farther than
    ``reach`` allows, by whatever steps.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="West (1979), Comm. ACM 22(9), with exponential weights; parts of the distance by "
        "Mayrhofer & Filzmoser (2023), Econometrics and Statistics",
    )
    fitted: ClassVar[type[FittedOnlineGaussian]] = FittedOnlineGaussian

    weight: float = parameter(
        0.0001,
        "Share of the newest row in mean and covariance: about 1 / weight rows are remembered.",
        exclusive_minimum=0.0,
        maximum=0.5,
    )
    outside: float = parameter(
        0.01,
        "Share of the fitted rows, the farthest, beyond whose distance a row teaches nothing.",
        minimum=0.0,
        maximum=0.5,
    )

    reach: float = parameter(
        2.0,
        "How far from the fitted mean a row may lie to be learned from, where 1 is as far as `outside` says.",
        minimum=1.0,
        maximum=1000.0,
    )

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedOnlineGaussian:
        """Learn mean and covariance to start from.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        LimitExceededError
            More than 300 signals.
        """
        values, d = complete(frame, frame.signals), len(frame.signals)
        require_rows(len(values), 2, "a covariance")
        if d > _MOST_SIGNALS:
            raise LimitExceededError(
                f"{d} signals are too many: each asset would keep {8 * d * d / 2**20:.3g} MiB; "
                f"at most {_MOST_SIGNALS} can be followed",
                signals=d,
                limit=_MOST_SIGNALS,
            )
        center, scale = robust_scale(values)
        points = scaled(values, center, scale)
        mean: FloatArray = points.mean(axis=0)
        covariance, shrinkage = _shrunk(points)
        learning = self._learning(points - mean, covariance, shrinkage)
        return FittedOnlineGaussian(frame.signals, center, scale, mean, covariance, learning)

    def _learning(
        self, deviations: FloatArray, covariance: FloatArray, shrinkage: float
    ) -> Learning:
        """Return how to learn so that rows like the fitted ones keep mean and covariance in place."""
        distances = np.sum(deviations * np.linalg.solve(covariance, deviations.T).T, axis=1)
        # No farther out than a Gaussian's mean distance nothing is strange.
        gate = max(float(np.quantile(distances, 1.0 - self.outside)), float(len(covariance)))
        inside = float(distances[distances <= gate].mean())
        # Rows beyond the gate would have widened the covariance: those inside do it for them.
        growth = float(distances.mean()) / inside if inside > 0 else 1.0
        level = float(np.trace(covariance)) / len(covariance)
        gain = self.weight * (1.0 - self.weight) * (1.0 - shrinkage) * growth
        floor, farthest = self.weight * shrinkage * level, self.reach**2 * gate
        return Learning(self.weight, gate, farthest, gain, floor)


def _shrunk(points: FloatArray) -> tuple[FloatArray, float]:
    """Return the covariance of Ledoit & Wolf (2004), and the weight of the identity in it."""
    from sklearn.covariance import empirical_covariance, ledoit_wolf_shrinkage, shrunk_covariance

    empirical = empirical_covariance(points)
    constant = np.diag(empirical) == 0
    empirical[constant, constant] = 1.0
    shrinkage = max(float(ledoit_wolf_shrinkage(points)), _LEAST_SHRINKAGE)
    return np.asarray(shrunk_covariance(empirical, shrinkage)), shrinkage
