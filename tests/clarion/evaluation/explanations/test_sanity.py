from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.errors import TooFewRowsError
from clarion.evaluation.explanations.sanity import sanity
from clarion.evaluation.explanations.subject import Subject
from clarion.explainers import Scorable
from clarion.frames import Frame

ROWS = np.random.default_rng(5).normal(size=(12, 4)) * 3


class Squares:
    """Squared deviations in its own scales: another fit, another score."""

    def __init__(self, frame: Frame) -> None:
        rows = frame.numeric()
        self.center, self.scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)

    def terms(self, rows: FloatArray) -> FloatArray:
        return np.asarray(((rows - self.center) / self.scale) ** 2)

    def score(self, frame: Frame) -> FloatArray:
        return np.asarray(self.terms(frame.numeric()).sum(axis=1))


def faithful(scorable: Scorable, rows: FloatArray) -> FloatArray:
    fitted = scorable.capability
    terms = fitted.terms if isinstance(fitted, Squares) else Squares(scorable.background).terms
    return np.asarray(terms(rows) - terms(scorable.background.numeric()).mean(axis=0))


def deaf(scorable: Scorable, rows: FloatArray) -> FloatArray:
    """Looks at the row, never at the model, and credits every signal."""
    return np.abs(rows) + 1.0


def test_an_explainer_that_looks_at_the_model_passes(
    subject: Callable[..., Subject], rng: np.random.Generator
) -> None:
    found = sanity(subject(faithful), ROWS, Squares, rng)  # type: ignore[arg-type]
    assert abs(found.randomised_rank_correlation) < 0.75
    assert found.dummy_share < 1e-12
    assert not found.why


def test_one_that_does_not_is_found_out(
    subject: Callable[..., Subject], rng: np.random.Generator
) -> None:
    found = sanity(subject(deaf), ROWS, Squares, rng)  # type: ignore[arg-type]
    assert found.randomised_rank_correlation == pytest.approx(1.0)
    assert found.dummy_share > 0.05


def test_what_cannot_be_fitted_again_is_said(
    subject: Callable[..., Subject], rng: np.random.Generator
) -> None:
    assert "labels" in sanity(subject(), ROWS, None, rng).why

    def refuses(frame: Frame) -> Squares:
        raise TooFewRowsError("it takes 500 rows")

    found = sanity(subject(), ROWS, refuses, rng)  # type: ignore[arg-type]
    assert found.why == "it takes 500 rows"
    assert math.isnan(found.dummy_share)
