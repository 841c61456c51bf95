"""Cases: a built plugin in one configuration, with the frames its checks use."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from clarion.arrays import BoolArray
from clarion.detectors import Detector, DetectorKind, FittedDetector, Paradigm
from clarion.features import FeatureExtractor, Features, FitContext, FittedExtractor, rows_by_asset
from clarion.frames import Frame, SignalKind
from clarion.registry import Registries
from clarion.state import State
from clarion.testing import data
from clarion.testing.answers import Answer, require_features, scored
from clarion.testing.errors import require
from clarion.testing.streams import stream

TRAINING_ROWS = 240
FRESH_ROWS = 48


@dataclass(frozen=True, eq=False)
class FitCase:
    """A plugin that fits: what detectors and extractors have in common.

    Attributes
    ----------
    plugin
        Built, its parameters set.
    registries
        Plugins that this one may hold.
    name
        Its name in messages; the class's name if empty.
    training_rows
        Rows of the frame it is fitted on.
    numeric_signals
        Numeric signals of its frames, at most 5.
    """

    plugin: Any
    registries: Registries = field(default_factory=Registries)
    name: str = ""
    training_rows: int = TRAINING_ROWS
    numeric_signals: int = 5

    @property
    def title(self) -> str:
        """Its name, for messages."""
        return self.name or type(self.plugin).__name__

    @property
    def accepts(self) -> frozenset[SignalKind]:
        """Kinds of signals it declares."""
        kinds: frozenset[SignalKind] = self.plugin.traits.signal_kinds
        return kinds

    def normal(self, n: int, seed: int, *, assets: bool = True) -> Frame:
        """Return ``n`` normal rows of every kind the plugin accepts."""
        return data.normal(
            self.accepts, n, seed, assets=assets, numeric_signals=self.numeric_signals
        )

    @cached_property
    def training(self) -> Frame:
        """Rows to fit on."""
        return self.normal(self.training_rows, seed=1)

    @cached_property
    def fresh(self) -> Frame:
        """Rows that the fit has not seen."""
        return self.normal(FRESH_ROWS, seed=2)

    @cached_property
    def fitted(self) -> Any:
        """The plugin fitted on `training`."""
        return self.fit(self.training)

    def context(self, seed: int = 0) -> FitContext:
        """Return what a fit is given."""
        held_out = self.normal(self.training_rows, seed=3)
        return FitContext(np.random.default_rng(seed), self.registries, held_out=held_out)

    def fit(self, frame: Frame) -> Any:
        """Return the plugin fitted on ``frame``, always with the same seed."""
        raise NotImplementedError

    def restore(self, state: State) -> Any:
        """Return the fitted object that ``state`` describes."""
        return self.plugin.fitted.from_state(state)

    def answer(self, fitted: Any, frame: Frame) -> Answer:
        """Return what ``fitted`` says of ``frame``."""
        raise NotImplementedError

    def require_sound(self, what: str, frame: Frame, answer: Answer) -> None:
        """Require numbers that the rest of Clarion can go on with."""
        raise NotImplementedError


class DetectorCase(FitCase):
    """A detector of either kind; its answers are scores."""

    plugin: Detector

    @property
    def sequential(self) -> bool:
        """Whether its scores depend on earlier rows."""
        return self.plugin.traits.kind is DetectorKind.SEQUENCE

    @cached_property
    def training(self) -> Frame:
        """Rows to fit on; every tenth is an anomaly where the detector is given labels."""
        frame = self.normal(self.training_rows, seed=1)
        labels = self.labels(len(frame))
        for row in np.flatnonzero(labels) if labels is not None else ():
            frame = data.spiked(frame, int(row))
        return frame

    @cached_property
    def fresh(self) -> Frame:
        """Rows that the fit has not seen: enough for each of two assets to be scored."""
        return self.normal(FRESH_ROWS + 4 * self.warm_up, seed=2)

    @cached_property
    def warm_up(self) -> int:
        """Rows of an asset that come before its first score."""
        if not self.sequential:
            return 0
        frame = self.normal(self.training_rows, seed=4, assets=False)
        features, _ = self.fitted.unroll(self.fitted.start(), frame)
        require(len(features.source_rows), f"none of {len(frame)} rows of an asset gets a score")
        return int(features.source_rows[0])

    def one_asset(self, seed: int, n: int = 20) -> Frame:
        """Return rows of one asset of which ``n`` get a score."""
        return self.normal(n + self.warm_up, seed, assets=False)

    def labels(self, n: int) -> BoolArray | None:
        """Return True for every tenth row, or None for an unsupervised detector."""
        supervised = self.plugin.traits.paradigm is not Paradigm.UNSUPERVISED
        return np.arange(n) % 10 == 9 if supervised else None

    def fit(self, frame: Frame) -> FittedDetector:
        """Return the detector fitted on ``frame``."""
        return self.plugin.fit(frame, self.labels(len(frame)), self.context())

    def answer(self, fitted: Any, frame: Frame) -> Answer:
        """Return the scores of ``frame``; a sequence detector starts without a memory."""
        if self.sequential:
            return stream(fitted, frame)
        return scored(np.arange(len(frame)), fitted.score(frame), len(frame))

    def scorable_rows(self, frame: Frame) -> Frame:
        """Return rows that `score` takes: ``frame``, or what its assets unroll to."""
        if not self.sequential:
            return frame
        asset = rows_by_asset(frame)[0]
        features, _ = self.fitted.unroll(self.fitted.start(), frame.take(asset))
        rows: Frame = features.frame
        return rows

    def require_sound(self, what: str, frame: Frame, answer: Answer) -> None:
        """Require finite scores, and one a row unless it may leave out rows."""
        if not self.sequential:
            require(len(answer.rows) == len(frame), f"{what}: {len(answer.rows)} scores")
        finite = np.isfinite(answer.values)
        if not finite.all():
            worst = int(np.argmin(finite[:, 0]))
            require(
                False,
                f"{what}: the score of row {answer.rows[worst]} is {answer.values[worst, 0]}, "
                "it must be finite",
            )


class ExtractorCase(FitCase):
    """A feature extractor; its answers are features."""

    plugin: FeatureExtractor

    @cached_property
    def fresh(self) -> Frame:
        """Rows that the fit has not seen: enough for windows of each of two assets."""
        return self.normal(FRESH_ROWS + 4 * self.fitted.history, seed=2)

    def fit(self, frame: Frame) -> FittedExtractor:
        """Return the extractor fitted on ``frame``."""
        return self.plugin.fit(frame, self.context())

    def answer(self, fitted: Any, frame: Frame) -> Answer:
        """Return the features of ``frame``, words as their codes."""
        features: Features = fitted.transform(frame)
        require_features(features, fitted.signals, len(frame))
        numeric, coded = (features.frame.of_kind(numeric=kind) for kind in (True, False))
        values = np.column_stack([features.frame.values, features.frame.codes]).astype(np.float64)
        names = tuple(signal.name for signal in numeric + coded)
        return Answer(np.asarray(features.source_rows), values, names)

    def require_sound(self, what: str, frame: Frame, answer: Answer) -> None:
        """Require that no feature is missing where no cell is (a Frame is never infinite)."""
        missing = np.isnan(answer.values)
        if missing.any() and not np.isnan(frame.values).any():
            row, column = (int(i) for i in np.argwhere(missing)[0])
            require(
                False,
                f"{what}: the feature '{answer.names[column]}' of row {answer.rows[row]} is "
                "missing, though no cell of the frame is",
            )
