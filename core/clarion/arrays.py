"""Names for the array types that cross module borders."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
NumericArray = NDArray[np.float32 | np.float64]

_Array = TypeVar("_Array", bound=np.ndarray[Any, Any])


def frozen(array: _Array) -> _Array:
    """Return ``array`` contiguous row by row and read-only; the caller's own stays as it is.

    Kernels are compiled for writable and for read-only arrays apart: what they are often given
    should be of one kind.
    """
    kept: Any = np.asarray(array, order="C").view()
    kept.flags.writeable = False
    out: _Array = kept
    return out
