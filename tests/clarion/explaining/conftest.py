from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.detectors import Paradigm
from clarion.frames import Asset, Frame
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.registry import FAMILIES, Registries


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that asks for ``row_detector`` or ``any_detector`` every one that is built in."""
    for wanted, kinds in (("row_detector", {"row"}), ("any_detector", {"row", "sequence"})):
        if wanted in metafunc.fixturenames:
            detectors = load_plugins().detectors
            own = [entry.name for entry in detectors if entry.distribution == "clarion"]
            # Adapted detectors are all of one kind to explainers: one of them stands for all.
            own = [name for name in own if not name.startswith("pyod.") or name == "pyod.KNN"]
            able = [name for name in own if detectors.get(name).traits.kind.value in kinds]
            metafunc.parametrize(wanted, able)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def installed() -> Registries:
    return load_plugins()


@pytest.fixture
def registries(installed: Registries) -> Registries:
    """Every installed plugin, and room for a test's own."""
    own = Registries()
    own.adopt({family: installed.of(family) for family in FAMILIES})
    return own


@pytest.fixture
def normal(rng: np.random.Generator) -> Frame:
    """400 correlated rows of three signals, two of them with a unit."""
    mixed = rng.normal(size=(400, 3)) @ rng.normal(size=(3, 3)) + [10, -2, 300]
    return Frame.of(mixed, ["p", "q", "r"], units=["bar", "A", ""])


@pytest.fixture(scope="session")
def model(installed: Registries) -> Callable[..., FittedPipeline]:
    """Fits a chain on 400 rows of three assets, once a session."""
    known = dict[str, FittedPipeline]()

    def of(detector: str, *features: Step, ordered: bool = False) -> FittedPipeline:
        spec = PipelineSpec(Step(detector), features, 0.05, ordered, seed=3, background_rows=32)
        key = json.dumps(spec.to_json(), sort_keys=True)
        if key not in known:
            frame, labels = watch(400), None
            if installed.detectors.get(detector).traits.paradigm is not Paradigm.UNSUPERVISED:
                spiked = watch(400, spikes=0.1)
                frame, labels = spiked, (spiked.values != frame.values).any(axis=1)
            known[key] = replace(fit(spec, frame, labels, registries=installed), digest="d1")
        return known[key]

    return of


@pytest.fixture
def watched() -> Callable[..., Frame]:
    return watch


def watch(n: int, *, spikes: float = 0.0, seed: int = 21, start: int = 0) -> Frame:
    """Return rows of three interleaved assets with times and ids; a share of them has a spike."""
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(4).normal(size=(3, 3))
    values = rng.normal(size=(n, 3)) @ mixing + [10, -2, 300]
    at = np.flatnonzero(rng.uniform(size=n) < spikes)
    values[at, rng.integers(0, 3, len(at))] += 15
    return Frame.of(
        values,
        ["p", "q", "r"],
        units=["bar", "A", ""],
        time=np.arange(start, start + n, dtype=np.int64) * 10**9,
        assets=tuple(Asset(f"m{i}") for i in range(3)),
        asset=rng.integers(0, 3, n).astype(np.int32),
        row_ids=tuple(f"r{i}" for i in range(start, start + n)),
    )


@pytest.fixture
def shapley() -> Callable[[Callable[[tuple[int, ...]], float], int], FloatArray]:
    """Shapley (1953), eq. 12: marginal contributions over all coalitions, weighted by size."""

    def values(worth: Callable[[tuple[int, ...]], float], players: int) -> FloatArray:
        known = {
            coalition: worth(coalition)
            for size in range(players + 1)
            for coalition in itertools.combinations(range(players), size)
        }
        phi = np.zeros(players)
        for coalition, before in known.items():
            rest = set(range(players)) - set(coalition)
            ways = math.factorial(len(coalition)) * math.factorial(max(len(rest) - 1, 0))
            for player in rest:
                after = known[tuple(sorted((*coalition, player)))]
                phi[player] += ways / math.factorial(players) * (after - before)
        return phi

    return values
