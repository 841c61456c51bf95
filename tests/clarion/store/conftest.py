from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clarion.frames import Frame
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.registry import Registries
from clarion.store.artifacts import ModelStore


@pytest.fixture(scope="session")
def registries() -> Registries:
    return load_plugins()


@pytest.fixture(scope="session")
def rows() -> Frame:
    values = np.random.default_rng(7).normal(size=(400, 3))
    return Frame.of(values, ("pressure", "flow", "speed"), units=("bar", "l/s", "1/min"))


@pytest.fixture(scope="session")
def pipeline(registries: Registries, rows: Frame) -> FittedPipeline:
    spec = PipelineSpec(Step("mahalanobis"), features=(Step("standardize"),))
    return fit(spec, rows, registries=registries)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> ModelStore:
    return ModelStore(root)
