from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from clarion.arrays import FloatArray, Int64Array
from clarion.evaluation.explanations.subject import Subject
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.explaining.ladder import Rung
from clarion.frames import Frame
from clarion_explainers.decomposition import decomposition

Explain = Callable[[Scorable, FloatArray], FloatArray]
WEIGHTS = np.array([4.0, 2.0, -1.0, 0.0])


def linear_score(frame: Frame) -> FloatArray:
    return np.asarray((frame.numeric() * WEIGHTS).sum(axis=1))


def linear_shap(scorable: Scorable, rows: FloatArray) -> FloatArray:
    """Contributions by hand: w (x - mean of the background)."""
    return np.asarray(WEIGHTS * (rows - scorable.background.numeric().mean(axis=0)))


@dataclass(frozen=True, slots=True)
class Told:
    """An explainer that answers what a test tells it."""

    role: ClassVar[Role] = Role.DECOMPOSITION
    explains: Explain = linear_shap
    label: Label = Label.EXACT

    def supports(self, scorable: Scorable) -> Support:
        return Support(self.label, 0)

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: object
    ) -> Attribution:
        contributions = scorable.by_player(self.explains(scorable, frame.numeric()))
        scores = scorable.score(frame)
        base = scores - contributions.sum(axis=1)
        errors = np.zeros_like(contributions)
        return decomposition(
            scores, contributions, base, label=self.label, method="told", standard_error=errors
        )


@pytest.fixture
def background(rng: np.random.Generator) -> Frame:
    first = rng.normal(size=(200, 1))
    rest = rng.normal(size=(200, 2))
    return Frame.of(np.hstack([first, rest, first + 0.1 * rng.normal(size=(200, 1))]), list("abcd"))


@pytest.fixture
def subject(background: Frame) -> Callable[..., Subject]:
    def make(
        explains: Explain = linear_shap,
        players: Sequence[int] | None = None,
        label: Label = Label.EXACT,
    ) -> Subject:
        grouped: Int64Array | None = None if players is None else np.array(players)
        scorable = Scorable(linear_score, background, None, grouped)
        return Subject(
            scorable, Rung("told", Told(explains, label), Support(label, 0)), 0, "digest"
        )

    return make
