from __future__ import annotations

import numpy as np
import pytest

from clarion.features import FitContext
from clarion.plugins import load_plugins


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def context() -> FitContext:
    return FitContext(np.random.default_rng(11), load_plugins())


@pytest.fixture
def deep() -> None:
    """Skip the test where the extra is not installed."""
    pytest.importorskip("torch", reason="the extra 'deep' is not installed")
