"""Boosted scores: boosted trees over the signals and over what unsupervised detectors say of a row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.stats import rankdata

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits, Paradigm
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.inputs import both_classes, complete
from clarion.parameters import parameter
from clarion.state import State, nested, signal_values, unnested
from clarion_detectors.ecod import Ecod
from clarion_detectors.forest_score import FittedForest
from clarion_detectors.gradient_boosting import GradientBoosting
from clarion_detectors.isolation_forest import IsolationForest
from clarion_detectors.knn import Knn
from clarion_detectors.nearest_rows import FittedNeighbours
from clarion_detectors.tail_score import FittedTails

_VERSION = 1
_DEPTH = 2
_Members = tuple[FittedTails, FittedForest, FittedNeighbours]
_PARTS = ("ecod", "isolation_forest", "knn", "boosted")


@dataclass(frozen=True, slots=True, eq=False)
class FittedBoostedScores:
    """Three unsupervised detectors, and the boosted trees that read their scores beside the row."""

    signals: tuple[Signal, ...]
    ecod: FittedTails
    isolation_forest: FittedForest
    knn: FittedNeighbours
    boosted: FittedForest

    def score(self, frame: Frame) -> FloatArray:
        """Return the log-odds of a row being anomalous, shape ``(n,)``: unitless.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        members = (self.ecod, self.isolation_forest, self.knn)
        return self.boosted.score(
            widened(frame.aligned_to([s.name for s in self.signals]), members)
        )

    def state(self) -> State:
        """Return all that was learned."""
        whole = nested({name: getattr(self, name).state() for name in _PARTS})
        parameters = {"signals": signal_values(self.signals), "parts": whole.parameters}
        return State(_VERSION, parameters, whole.arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        signals = state.require(_VERSION).signals()
        parts = unnested(State(1, state.parameter("parts", dict), state.arrays))
        return cls(
            signals,
            ecod=FittedTails.from_state(parts["ecod"]),
            isolation_forest=FittedForest.from_state(parts["isolation_forest"]),
            knn=FittedNeighbours.from_state(parts["knn"]),
            boosted=FittedForest.from_state(parts["boosted"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostedScores:
    """Gradient boosting over the signals and three unsupervised scores of them.

    For a handful of known anomalies among many rows of which nothing is known. The three detectors
    learn from the rows not known to be anomalous; the half of those that they find the most
    ordinary stands against the known anomalies, both weighing the same. So the anomalies that hide
    among the others do not count as normal.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paradigm=Paradigm.SEMI_SUPERVISED,
        paper="Zhao & Hryniewicki (2018), XGBOD, IJCNN, section III",
    )
    fitted: ClassVar[type[FittedBoostedScores]] = FittedBoostedScores

    trees: int = parameter(60, "Number of boosted trees.", minimum=1, maximum=10_000)
    learning_rate: float = parameter(
        0.1, "Share of each tree's correction that is taken.", exclusive_minimum=0.0, maximum=1.0
    )

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedBoostedScores:
        """Learn from known anomalies (``labels``) and from rows of which nothing is known.

        Raises
        ------
        InvalidParameterError
            No labels, or of one class only.
        TooFewRowsError
            Fewer rows than the neighbours need.
        """
        complete(frame, frame.signals)
        known = both_classes(labels, "boosted_scores")
        rest = frame.take(np.flatnonzero(~known))
        members = (
            Ecod().fit(rest, None, context),
            IsolationForest().fit(rest, None, context),
            Knn().fit(rest, None, context),
        )
        context.progress(0.5, "boosting")
        boosting = GradientBoosting(
            trees=self.trees,
            learning_rate=self.learning_rate,
            max_depth=_DEPTH,
            signals_per_cut="sqrt",
            balanced=True,
        )
        rows = np.flatnonzero(known | _ordinary(frame, known, members))
        boosted = boosting.fit(widened(frame.take(rows), members), known[rows], context)
        return FittedBoostedScores(frame.signals, *members, boosted)


def _ordinary(frame: Frame, known: BoolArray, members: _Members) -> BoolArray:
    """Return the half of the other rows that the members, by mean rank, find the most ordinary."""
    ranks = np.mean([rankdata(member.score(frame)[~known]) for member in members], axis=0)
    out = np.zeros(len(frame), np.bool_)
    out[np.flatnonzero(~known)[ranks <= np.median(ranks)]] = True
    return out


def widened(frame: Frame, members: tuple[FittedTails, FittedForest, FittedNeighbours]) -> Frame:
    """Return the rows with each member's score as one signal more."""
    scores = [member.score(frame) for member in members]
    names = ("ecod", "isolation_forest", "knn")
    signals = (*frame.signals, *(Signal(f"{name} score") for name in names))
    return frame.with_numeric(np.column_stack([frame.numeric(), *scores]), signals)
