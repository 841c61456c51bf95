from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.evaluation.metrics import average_precision, roc_auc
from clarion.evaluation.volume import THRESHOLDS, volume


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and last row of each run of True."""
    found: list[tuple[int, int]] = []
    for row in np.flatnonzero(flags):
        if found and found[-1][1] == row - 1:
            found[-1] = (found[-1][0], int(row))
        else:
            found.append((int(row), int(row)))
    return found


def by_definition(scores: np.ndarray, labels: np.ndarray, window: int) -> tuple[float, float]:
    """VUS written out, row by row and threshold by threshold."""
    n, segments = len(labels), runs(labels)
    descending = sorted(scores, reverse=True)
    ranks = [int(rank) for rank in np.linspace(0, n - 1, THRESHOLDS)]
    areas = []
    for width in range(window + 1):
        soft = np.zeros(n)
        for first, last in segments:
            for row in range(n):
                off = max(first - row, row - last, 0)
                if off <= width // 2:
                    soft[row] += math.sqrt(1 - off / width) if off else 1.0
        soft = np.minimum(soft, 1.0)
        merged: list[tuple[int, int]] = []
        for first, last in segments:
            grown = (max(first - width // 2, 0), min(last + width // 2, n - 1))
            overlaps = merged and first - width // 2 <= merged[-1][1]
            merged = [*merged[:-1], (merged[-1][0], grown[1])] if overlaps else [*merged, grown]
        points = [(0.0, 0.0, 1.0)]
        for rank in ranks:
            called = scores >= descending[rank]
            hits = float(soft[called].sum())
            positives = (labels.sum() + labels.sum() + soft[called & ~labels].sum()) / 2
            seen = sum(called[a : b + 1].any() for a, b in merged) / len(merged)
            recall = min(hits / positives, 1.0) * seen
            points.append(
                (recall, (called.sum() - hits) / (n - positives), hits / int(called.sum()))
            )
        area_pr = sum(
            (here[0] - before[0]) * here[2] for before, here in itertools.pairwise(points)
        )
        points.append((1.0, 1.0, 0.0))
        area_roc = sum(
            (here[1] - before[1]) * (here[0] + before[0]) / 2
            for before, here in itertools.pairwise(points)
        )
        areas.append((area_pr, area_roc))
    return float(np.mean([a for a, _ in areas])), float(np.mean([b for _, b in areas]))


@given(st.integers(0, 10_000), st.integers(3, 60), st.integers(0, 14), st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_fast_volume_is_the_definition(seed: int, n: int, window: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.random(n) < 0.25, rng.integers(1, 4, n))[:n]
    labels[0], labels[-1] = rng.random() < 0.3, rng.random() < 0.3
    if labels.all() or not labels.any():
        return
    scores = rng.normal(size=n) + labels * rng.choice([0.0, 1.0, 3.0])
    scores = np.round(scores) if ties else scores
    fast = volume(scores, labels, window)
    assert (fast.vus_pr, fast.vus_roc) == pytest.approx(by_definition(scores, labels, window))


def test_without_flanks_it_is_the_area_with_an_existence_factor() -> None:
    scores = np.linspace(0.0, 1.0, 200)
    labels = np.zeros(200, np.bool_)
    labels[150:] = True  # one segment: every threshold that calls a row of it, has seen it
    plain = volume(scores, labels, window=0)
    assert plain.vus_roc == pytest.approx(roc_auc(scores, labels))
    assert plain.vus_pr == pytest.approx(average_precision(scores, labels))


def test_near_misses_count_for_more_with_wider_flanks() -> None:
    labels = np.zeros(1000, np.bool_)
    labels[500:510] = True
    near, far = np.zeros(1000), np.zeros(1000)
    near[511:521], far[700:710] = 1.0, 1.0
    narrow, wide = (volume(near, labels, window).vus_pr for window in (4, 60))
    assert wide > 2 * narrow
    assert volume(far, labels, 60).vus_pr < 0.05


def test_a_perfect_score_is_near_one_and_a_random_one_near_the_rate() -> None:
    rng = np.random.default_rng(3)
    labels = np.zeros(4000, np.bool_)
    labels[1000:1100] = labels[3000:3100] = True
    assert volume(labels.astype(float), labels, 0).vus_pr == pytest.approx(1.0)
    chance = volume(rng.random(4000), labels, 20)
    assert chance.vus_pr == pytest.approx(0.055, abs=0.02)
    assert chance.vus_roc == pytest.approx(0.55, abs=0.05)  # flanks help a little


def test_one_class_alone_has_no_volume() -> None:
    for labels in (np.zeros(5, np.bool_), np.ones(5, np.bool_)):
        assert math.isnan(volume(np.arange(5.0), labels).vus_pr)
