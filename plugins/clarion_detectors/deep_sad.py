"""Deep SAD: a network draws normal rows together, and pushes known anomalies away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import DetectorTraits, Paradigm
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import require_rows
from clarion.kernels.sums import row_sums
from clarion.parameters import parameter
from clarion_detectors.dense_score import FEWEST_ROWS, DensePoints, FittedDense
from clarion_detectors.networks import Shapes, dense, dense_shapes, dense_tensor, started
from clarion_detectors.training import Trained

_AWAY_FROM_ZERO = 0.1
"""Smallest size of a coordinate of the middle, which weights of 0 would reach: the authors' code."""
_EPSILON = 1e-6  # added to distances before they are inverted: the authors' code


@dataclass(frozen=True, slots=True, eq=False)
class FittedDeepSad(FittedDense):
    """The network without biases, ``hidden`` its units after the inputs, and the point ``middle``."""

    reach: ClassVar[float] = 1e3

    @classmethod
    def shapes(cls, d: int, hidden: Sequence[int]) -> Shapes:
        """Return the shapes of the weights, and of ``middle``, a point of the last layer."""
        widths = (d, *hidden)
        return dense_shapes("layer", widths, biases=False) | {"middle": (widths[-1],)}

    def score(self, frame: Frame) -> FloatArray:
        """Return the squared distance from ``middle``, shape ``(n,)``: >= 0, unitless.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        return row_sums(np.square(self.outputs(self.points(frame)) - self.weights["middle"]))

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return ``u`` as the network is shown it, shape ``(n, d)``."""
        return self.shown(self.points(frame))

    def gradients(self, points: FloatArray) -> FloatArray:
        """Return the gradients of the score by ``u`` at ``points`` (n, d), shape ``(n, d)``."""
        images, pull = self.outputs_pulled(points)
        return pull(2.0 * (images - self.weights["middle"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class DeepSad(Trained):
    """Squared distance of a row's image under a network from the middle of normal rows' images.

    Without labels it is Deep SVDD (Ruff et al. 2018, ICML).
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paradigm=Paradigm.SEMI_SUPERVISED,
        paper="Ruff et al. (2020), Deep Semi-Supervised Anomaly Detection, ICLR, eq. 7",
    )
    fitted: ClassVar[type[FittedDeepSad]] = FittedDeepSad

    hidden: tuple[int, ...] = parameter(
        (64,), "Units of each hidden layer.", minimum=1, maximum=4096
    )
    outputs: int = parameter(
        16, "Dimensions in which distances are measured.", minimum=1, maximum=4096
    )
    anomaly_weight: float = parameter(
        1.0, "Weight of a known anomaly beside a row that is none (eta).", minimum=0.0, maximum=1e6
    )
    pretraining_epochs: int = parameter(
        20,
        "Passes, at most, of an autoencoder whose first half the network starts from.",
        minimum=0,
        maximum=100_000,
        unit="passes",
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedDeepSad:
        """Train the network; ``labels`` are True at known anomalies, the other rows are unlabelled.

        Raises
        ------
        TooFewRowsError
            Fewer than 10 rows that are not known to be anomalous.
        LimitExceededError
            The network does not fit this machine's memory.
        MissingExtraError
            Torch is not installed.
        """
        anomalous = np.zeros(len(frame), np.bool_) if labels is None else labels
        widths = (len(frame.signals), *self.hidden, self.outputs)
        data = DensePoints.of(frame, FittedDeepSad, widths[1:], self.batch_rows)
        unlabelled = np.flatnonzero(~anomalous)
        require_rows(len(unlabelled), FEWEST_ROWS, "Deep SAD, of rows not known to be anomalous,")
        weights = self._pretrained(widths, data.points[unlabelled], context)
        middle = _middle(dense(weights, "layer", data.points[unlabelled]))
        sign = np.where(anomalous, -1.0, 1.0)
        given = {"points": data.points, "sign": sign, "middle": middle}
        given["weight"] = np.where(anomalous, self.anomaly_weight, 1.0)
        rows = self.split(len(frame), context.rng)
        weights = self.train(weights, _loss, given, rows, context)
        fitted_weights = {**weights, "middle": middle}
        return FittedDeepSad(frame.signals, data.center, data.scale, widths[1:], fitted_weights)

    def _pretrained(
        self, widths: Sequence[int], points: FloatArray, context: FitContext
    ) -> dict[str, FloatArray]:
        """Return the first half of an autoencoder of ``points``."""
        weights = started(dense_shapes("layer", widths, biases=False), context.rng)
        if not self.pretraining_epochs:
            return weights
        copies = started(dense_shapes("copy", widths[::-1], biases=False), context.rng)
        options = replace(self, epochs=self.pretraining_epochs)
        rows: tuple[Int64Array, Int64Array] = options.split(len(points), context.rng)
        both = options.train(weights | copies, _copy_loss, {"points": points}, rows, context)
        return {name: weight for name, weight in both.items() if name in weights}


def _middle(images: FloatArray) -> FloatArray:
    """Return the mean of the images, no coordinate nearer to 0 than `_AWAY_FROM_ZERO`."""
    mean = images.mean(axis=0)
    sign = np.where(mean < 0, -1.0, 1.0)
    return np.asarray(sign * np.maximum(np.abs(mean), _AWAY_FROM_ZERO))


def _loss(weights: Mapping[str, Any], data: Mapping[str, Any], rows: Any) -> Any:
    """Return the mean of ``distance ** sign``: known anomalies cost less the farther they are."""
    images = dense_tensor(weights, "layer", data["points"][rows])
    distances = (images - data["middle"]).square().sum(1)
    signed = (distances + _EPSILON) ** data["sign"][rows]
    return (data["weight"][rows] * signed).mean()


def _copy_loss(weights: Mapping[str, Any], data: Mapping[str, Any], rows: Any) -> Any:
    points = data["points"][rows]
    images = dense_tensor(weights, "layer", points)
    return (dense_tensor(weights, "copy", images) - points).square().sum(1).mean()
