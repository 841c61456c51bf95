import numpy as np
import pytest
from scipy.linalg import hadamard

from clarion.kernels.slope_bootstrap import nth_largest_size, walsh_hadamard


@pytest.mark.parametrize("n", [1, 2, 64])
def test_signed_sums_are_those_of_the_hadamard_matrix(n: int) -> None:
    values = np.random.default_rng(n).normal(size=(n, 3))
    sums = values.copy()
    walsh_hadamard(sums)
    np.testing.assert_allclose(sums, hadamard(n) @ values, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 26, 100])
def test_the_nth_largest_size_is_found_in_each_column_ties_and_all(n: int) -> None:
    rng = np.random.default_rng(n)
    values = np.column_stack(
        [rng.normal(size=100), rng.integers(-3, 4, 100), np.arange(100.0), np.zeros(100)]
    )
    wanted = np.sort(np.abs(values), axis=0)[-n]
    np.testing.assert_array_equal(nth_largest_size(values, n), wanted)
