import numpy as np
from scipy import special

from clarion.kernels.normal_points import mirrored_normal


def test_points_have_the_quantiles_of_the_normal_law_from_tail_to_tail() -> None:
    """Bits 0.5 off either end: +- 6.1 deviations; the middle; and where formulas meet, at 0.425."""
    cells = 2**30
    meeting = [int(cells * p) + k for p in (0.075, 0.925) for k in range(-3, 4)]
    net = np.array([0, 1, cells // 2 - 1, cells // 2, *meeting, cells - 2, cells - 1], np.uint32)
    got = mirrored_normal(net[:, None], np.zeros(1, np.uint32), 30)[1 : 1 + len(net), 0]
    np.testing.assert_allclose(got, special.ndtri((net + 0.5) / cells), rtol=1e-14)


def test_the_origin_comes_first_and_the_mirror_images_last() -> None:
    rng = np.random.default_rng(0)
    net, shift = (rng.integers(0, 2**30, shape, dtype=np.uint32) for shape in ((64, 7), 7))
    points = mirrored_normal(net, shift, 30)
    assert points.shape == (129, 7)
    assert not points[0].any()
    np.testing.assert_array_equal(points[65:], -points[1:65])
    np.testing.assert_allclose(points[1:65], special.ndtri(((net ^ shift) + 0.5) / 2**30))
