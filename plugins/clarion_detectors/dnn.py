"""DNN: a network that learned to tell known anomalies from normal rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import DetectorTraits, Layers, Paradigm
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import both_classes
from clarion.parameters import parameter
from clarion_detectors.dense_score import DensePoints, FittedDense
from clarion_detectors.networks import SLOPE, Shapes, dense_shapes, dense_tensor, started
from clarion_detectors.training import Trained


@dataclass(frozen=True, slots=True, eq=False)
class FittedDnn(FittedDense):
    """The network; ``hidden`` holds the units between its inputs and its one output."""

    reach: ClassVar[float] = 10.0

    @classmethod
    def shapes(cls, d: int, hidden: Sequence[int]) -> Shapes:
        """Return the shapes of the weights: one output."""
        return dense_shapes("layer", (d, *hidden, 1))

    def score(self, frame: Frame) -> FloatArray:
        """Return the margin, shape ``(n,)``: log-odds of "anomalous" had both classes equal weight.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        return np.ascontiguousarray(self.outputs(self.points(frame))[:, 0])

    def coordinates(self, frame: Frame) -> FloatArray:
        """Return ``u`` as the network is shown it, shape ``(n, d)``."""
        return self.shown(self.points(frame))

    def layers(self) -> Layers:
        """Return the layers of the network."""
        places = range(len(self.hidden) + 1)
        return Layers(
            tuple(self.weights[f"layer{i}.weights"] for i in places),
            tuple(self.weights[f"layer{i}.biases"] for i in places),
            SLOPE,
        )

    def gradients(self, points: FloatArray) -> FloatArray:
        """Return the gradients of the margin by ``u`` at ``points`` (n, d), shape ``(n, d)``."""
        outputs, pull = self.outputs_pulled(points)
        return pull(np.ones_like(outputs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dnn(Trained):
    """Margin of a fully connected network trained on labelled rows, both classes of equal weight."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paradigm=Paradigm.SUPERVISED,
        paper="Rumelhart, Hinton & Williams (1986), Nature 323; rectified units of Nair & Hinton "
        "(2010), ICML",
    )
    fitted: ClassVar[type[FittedDnn]] = FittedDnn

    hidden: tuple[int, ...] = parameter(
        (64, 32), "Units of each hidden layer.", minimum=1, maximum=4096
    )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedDnn:
        """Train the network on normal and anomalous rows.

        Raises
        ------
        InvalidParameterError
            No labels, or labels of one class only.
        TooFewRowsError
            Fewer than 10 rows.
        LimitExceededError
            The network does not fit this machine's memory.
        MissingExtraError
            Torch is not installed.
        """
        anomalous = both_classes(labels, "dnn")
        data = DensePoints.of(frame, FittedDnn, self.hidden, self.batch_rows)
        parts = [np.flatnonzero(anomalous == known) for known in (False, True)]
        weight = np.where(anomalous, 0.5 / len(parts[1]), 0.5 / len(parts[0])) * len(frame)
        given = {"points": data.points, "label": anomalous.astype(np.float64), "weight": weight}
        initial = started(FittedDnn.shapes(len(frame.signals), self.hidden), context.rng)
        rows = self._split_by_class(parts, context.rng)
        weights = self.train(initial, _loss, given, rows, context)
        return FittedDnn(frame.signals, data.center, data.scale, self.hidden, weights)

    def _split_by_class(
        self, parts: Sequence[Int64Array], rng: np.random.Generator
    ) -> tuple[Int64Array, Int64Array]:
        """Return rows to learn from and rows held back, the same share of each class."""
        split = [[part[rows] for rows in self.split(len(part), rng)] for part in parts]
        learned, held_back = (np.concatenate(both) for both in zip(*split, strict=True))
        return learned, held_back


def _loss(weights: Mapping[str, Any], data: Mapping[str, Any], rows: Any) -> Any:
    from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

    margins = dense_tensor(weights, "layer", data["points"][rows])[:, 0]
    return cross_entropy(margins, data["label"][rows], data["weight"][rows])
