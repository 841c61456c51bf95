from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import confidence_calibration as part
from clarion.pipeline.rank_rule import Promise


def test_a_broken_promise_is_counted() -> None:
    rng = np.random.default_rng(1)
    assert part.rank_rule_violations(rng) <= 0.08
    assert part.rank_rule_violations(rng, Promise.AVERAGE) > 0.3


def test_the_ratio_is_near_1_where_rows_are_exchangeable_and_ties_are_left_out() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=4000)
    assert part.can_realise(scores)
    assert part.ratio_of(scores, rng) == pytest.approx(1, abs=0.2)
    assert not part.can_realise(np.minimum(scores, 1.0))
    assert not part.can_realise(scores[:399])


def test_each_suite_there_is_gives_a_ratio(tmp_path: Path) -> None:
    assert part.exchangeable_ratios(tmp_path, 1) == {}
    rng = np.random.default_rng(3)
    (tmp_path / "adbench").mkdir()
    for case in ("a", "b"):
        rows, labels = rng.normal(size=(3000, 3)), rng.random(3000) < 0.05
        np.savez(tmp_path / "adbench" / f"{case}.npz", X=rows, y=labels.astype(int))
    found = part.exchangeable_ratios(tmp_path, 2)
    assert list(found) == ["adbench"]
    assert 0.5 < found["adbench"] < 1.5
