"""Numbers and times that travel as bytes, little-endian."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def floats(packed: bytes) -> NDArray[np.float64]:
    """Return float64 numbers, shape ``(n,)``."""
    return np.frombuffer(packed, "<f8").astype(np.float64)


def moments(packed: bytes) -> NDArray[np.datetime64] | None:
    """Return times in UTC with nanoseconds, shape ``(n,)``; None where there are none."""
    times = np.frombuffer(packed, "<i8").astype(np.int64)
    return times.astype("datetime64[ns]") if packed else None
