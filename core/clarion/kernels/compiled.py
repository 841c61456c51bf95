"""How every kernel is compiled: cached on disk, without the interpreter lock, in strict arithmetic.

No ``fastmath``: sums keep their written order, so that a row gives the same bits in any batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` with numba on its first call for each combination of array types."""
    return cast("Callable[P, R]", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
