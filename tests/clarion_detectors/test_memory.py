"""Sizes that would exhaust the memory are refused before the fit, with the estimate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clarion.detectors import Paradigm
from clarion.errors import LimitExceededError
from clarion.features import FitContext
from clarion.frames import Frame

GREEDY: list[tuple[str, dict[str, Any], int, int]] = [
    ("mahalanobis", {}, 40, 400),
    ("pca", {}, 40, 400),
    ("isolation_forest", {"trees": 10_000}, 300, 2),
    ("random_forest", {"trees": 1_000}, 300, 2),
    ("gradient_boosting", {"trees": 10_000}, 300, 2),
    ("one_class_svm", {"landmarks": 1_000}, 900, 2),
    ("bagged_knn", {"bags": 200, "share": 1.0}, 900, 8),
    ("gmm", {"components": 300}, 900, 2),
    ("lof", {"neighbours": 300}, 900, 2),
    ("half_space_trees", {}, 900, 2),
]
"""A detector and its parameters, and the rows and signals of a fit that asks for over 1 MiB."""


@pytest.mark.parametrize(
    ("name", "parameters", "rows", "signals"), GREEDY, ids=[case[0] for case in GREEDY]
)
def test_what_would_exhaust_the_memory_is_refused_with_the_estimate(
    name: str,
    parameters: dict[str, Any],
    rows: int,
    signals: int,
    context: FitContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = Frame.of(np.random.default_rng(0).normal(size=(rows, signals)))
    detector = context.registries.detectors.build(name, parameters)
    supervised = detector.traits.paradigm is Paradigm.SUPERVISED
    labels = np.arange(rows) % 3 == 0 if supervised else None
    monkeypatch.setattr("os.sysconf", lambda key: 1 << 10)  # 1 MiB: 1,024 pages of 1 KiB
    with pytest.raises(LimitExceededError, match=r"GiB of memory, and half") as caught:
        detector.fit(frame, labels, context)
    assert int(caught.value.metadata["needed_bytes"]) > 2**19
    assert int(caught.value.metadata["allowed_bytes"]) == 2**19
