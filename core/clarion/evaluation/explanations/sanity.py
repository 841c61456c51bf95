"""Sanity: an explanation must depend on the model, and give nothing to what plays no part.

Adebayo et al. (2018), Sanity checks for saliency maps, NeurIPS, section 3: explanations that stay the
same when the model is another one explain something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clarion.arrays import FloatArray
from clarion.detectors import FittedDetector
from clarion.errors import ClarionError
from clarion.evaluation.explanations.stability import rank_correlation
from clarion.evaluation.explanations.subject import Subject, spread
from clarion.explainers import Scorable
from clarion.frames import Frame, Signal

DUMMY = "a signal that never moves"
Refit = Callable[[Frame], FittedDetector]
"""Fits the same detector, with the same parameters, on other rows of features."""


@dataclass(frozen=True, slots=True)
class Sanity:
    """What became of two checks; NaN where the detector cannot be fitted again (`why`).

    Attributes
    ----------
    randomised_rank_correlation
        Spearman's correlation of |contributions| under the model, and under one fitted on noise
        whose means and spreads are drawn anew; median over rows. Near 0 is right; near 1 means that
        explanations do not look at the model.
    dummy_share
        Largest share of |contributions| that a signal gets which never moves, of a model fitted with
        it: 0 is right.
    """

    randomised_rank_correlation: float
    dummy_share: float
    why: str = ""


def sanity(
    subject: Subject, rows: FloatArray, refit: Refit | None, rng: np.random.Generator
) -> Sanity:
    """Check the explainer on rows ``(n, d)``; without ``refit`` (labels are needed) on none."""
    if refit is None:
        return Sanity(float("nan"), float("nan"), "fitting this detector again takes labels")
    try:
        return Sanity(_randomised(subject, rows, refit, rng), _dummy(subject, rows, refit))
    except ClarionError as error:
        return Sanity(float("nan"), float("nan"), str(error))


def _randomised(
    subject: Subject, rows: FloatArray, refit: Refit, rng: np.random.Generator
) -> float:
    normal = subject.normal
    scale = spread(normal)
    moved = normal.mean(axis=0) + 3.0 * scale * rng.standard_normal(normal.shape[1])
    spreads = scale * 10.0 ** rng.uniform(-1.0, 1.0, normal.shape[1])
    noise = subject.frame(moved + spreads * rng.standard_normal(normal.shape))
    other = refit(noise)
    before = np.abs(subject.explain(rows).contributions)
    after = np.abs(subject.of(other.score, noise, other).explain(rows).contributions)
    found = [rank_correlation(a, b) for a, b in zip(before, after, strict=True)]
    known = [value for value in found if not np.isnan(value)]
    return float(np.median(known)) if known else float("nan")


def _dummy(subject: Subject, rows: FloatArray, refit: Refit) -> float:
    background = _widened(subject.scorable.background)
    other = refit(background)
    wider = Scorable(other.score, background, other, _with_own_player(subject))
    answer = Subject(wider, subject.rung, subject.evaluations, subject.digest).explain(
        np.column_stack([rows, np.ones(len(rows))])
    )
    sizes = np.abs(answer.contributions)
    whole = sizes.sum(axis=1)
    return float(np.max(sizes[:, -1][whole > 0] / whole[whole > 0], initial=0.0))


def _widened(background: Frame) -> Frame:
    values = np.column_stack([background.numeric(), np.ones(len(background))])
    return Frame((*background.signals, Signal(DUMMY)), values, background.codes)


def _with_own_player(subject: Subject) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    players = subject.scorable.players
    return None if players is None else np.append(players, subject.scorable.n_players)
