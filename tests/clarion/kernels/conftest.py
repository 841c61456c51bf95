"""Random forests."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from clarion.detectors import Forest

_COLUMNS = ("left", "right", "feature", "threshold", "value", "cover")


@dataclass
class Grown:
    """Nodes of random trees, laid end to end; children share out their parent's cover."""

    rng: np.random.Generator
    features: int
    columns: dict[str, list[float]] = field(default_factory=lambda: {n: [] for n in _COLUMNS})

    def grow(self, depth: int, cover: float) -> int:
        node = self._leaf(cover)
        if depth and cover > 1:
            went_left = float(self.rng.integers(1, int(cover)))
            feature = int(self.rng.integers(self.features))
            children = self.grow(depth - 1, went_left), self.grow(depth - 1, cover - went_left)
            self._split(node, children, feature)
        return node

    def chain(self, features: list[int], cover: float) -> int:
        """One feature asked after the other; a leaf beside each."""
        node = self._leaf(cover)
        if features:
            kept = cover * float(self.rng.uniform(0.6, 0.95))
            inner, leaf = self.chain(features[1:], kept), self._leaf(cover - kept)
            turned = bool(self.rng.integers(2))
            self._split(node, (leaf, inner) if turned else (inner, leaf), features[0])
        return node

    def forest(self, roots: list[int]) -> Forest:
        left, right, feature = (np.array(self.columns[n], np.int64) for n in _COLUMNS[:3])
        threshold, value, cover = (np.array(self.columns[n]) for n in _COLUMNS[3:])
        return Forest(
            np.array(roots), left, right, feature, threshold, value, cover, scale=-2.5, offset=4.0
        )

    def _leaf(self, cover: float) -> int:
        cells = (-1, -1, 0, 0.0, float(self.rng.normal()), cover)
        for name, cell in zip(_COLUMNS, cells, strict=True):
            self.columns[name].append(cell)
        return len(self.columns["left"]) - 1

    def _split(self, node: int, children: tuple[int, int], feature: int) -> None:
        cells = (*children, feature, float(self.rng.normal()), 0.0)
        for name, cell in zip(_COLUMNS, cells, strict=False):
            self.columns[name][node] = cell


MakeForest = Callable[..., Forest]


@pytest.fixture
def grown() -> MakeForest:
    def make(features: int, depths: tuple[int, ...], seed: int = 0, cover: float = 60.0) -> Forest:
        trees = Grown(np.random.default_rng(seed), features)
        return trees.forest([trees.grow(depth, cover) for depth in depths])

    return make


@pytest.fixture
def chained() -> MakeForest:
    def make(*asked: list[int], seed: int = 0) -> Forest:
        trees = Grown(np.random.default_rng(seed), 0)
        return trees.forest([trees.chain(features, 1e6) for features in asked])

    return make
