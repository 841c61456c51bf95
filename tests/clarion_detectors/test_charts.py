from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from clarion.errors import TooFewRowsError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.kernels.charts import cusum, grubbs, kolmogorov_smirnov, page_hinkley
from clarion_detectors.charts import FittedChart
from clarion_detectors.cusum import Cusum
from clarion_detectors.grubbs import Grubbs
from clarion_detectors.ks_window import KsWindow
from clarion_detectors.page_hinkley import PageHinkley
from clarion_detectors.spectral_residual import SpectralResidual, saliency


def scores(fitted: FittedChart, values: np.ndarray) -> np.ndarray:
    return fitted.score(fitted.unroll(fitted.start(), Frame.of(values))[0].frame)


def test_cusum_is_pages_recursion(rng: np.random.Generator) -> None:
    u = rng.normal(size=50)
    high = low = 0.0
    expected = []
    for x in u:
        high, low = max(0.0, high + x - 0.4), max(0.0, low - x - 0.4)
        expected.append(max(high, low))
    got, last = cusum(u[:, None], 0.4, np.zeros((2, 1)))
    np.testing.assert_allclose(got[:, 0], expected)
    np.testing.assert_allclose(last[:, 0], [high, low])


def test_page_hinkley_is_hinkleys_sum_above_its_minimum(rng: np.random.Generator) -> None:
    u = rng.normal(size=60)
    deviation = [u[t] - u[: t + 1].mean() for t in range(60)]
    up = np.concatenate([[0], np.cumsum(np.array(deviation) - 0.2)])
    down = np.concatenate([[0], np.cumsum(np.array(deviation) + 0.2)])
    expected = [max(up[t] - up[: t + 1].min(), down[: t + 1].max() - down[t]) for t in range(1, 61)]
    got, _ = page_hinkley(u[:, None], 0.2, np.zeros((6, 1)))
    np.testing.assert_allclose(got[:, 0], expected, atol=1e-12)


def test_grubbs_is_the_deviation_in_the_window(rng: np.random.Generator) -> None:
    u = rng.normal(size=(30, 2))
    expected = [
        np.abs(u[t] - u[t - 6 : t + 1].mean(axis=0)) / u[t - 6 : t + 1].std(axis=0, ddof=1)
        for t in range(6, 30)
    ]
    np.testing.assert_allclose(grubbs(u, 7), expected, rtol=1e-12)
    np.testing.assert_array_equal(grubbs(np.full((9, 1), 4.0), 7), 0)


def test_kolmogorov_smirnov_is_scipys(rng: np.random.Generator) -> None:
    reference = np.sort(np.round(rng.normal(size=80), 1))
    u = np.round(rng.normal(0.5, 1, size=40), 1)  # rounded: many ties, within and between
    got = kolmogorov_smirnov(u[:, None], 15, reference[None, :])[:, 0]
    expected = [ks_2samp(u[t : t + 15], reference).statistic for t in range(26)]
    np.testing.assert_allclose(got, np.array(expected) * np.sqrt(15 * 80 / 95), rtol=1e-12)


@pytest.mark.parametrize(
    "detector", [Cusum(), PageHinkley(), KsWindow(window=40)], ids=lambda d: type(d).__name__
)
def test_a_lasting_shift_of_one_sd_is_found(
    detector: Cusum, rng: np.random.Generator, context: FitContext
) -> None:
    fitted = detector.fit(Frame.of(rng.normal(20, 4, size=(2000, 1))), None, context)
    stream = rng.normal(20, 4, size=(600, 1))
    stream[300:] += 4
    got = scores(fitted, stream)
    before = got[: len(got) - 300]
    assert got[-200:].min() > np.quantile(before, 0.98)


@pytest.mark.parametrize("detector", [Grubbs(), SpectralResidual()], ids=lambda d: type(d).__name__)
def test_a_single_spike_is_found(
    detector: Grubbs, rng: np.random.Generator, context: FitContext
) -> None:
    quiet = np.sin(np.arange(900.0) / 7)[:, None] + 0.05 * rng.normal(size=(900, 1))
    fitted = detector.fit(Frame.of(quiet[:600]), None, context)
    stream = quiet[600:].copy()
    stream[200] += 4
    got = scores(fitted, stream)
    assert len(stream) - len(got) + int(np.argmax(got)) == 200


def test_saliency_of_one_window_does_not_depend_on_others(rng: np.random.Generator) -> None:
    windows = rng.normal(size=(5, 32))
    alone = [saliency(window[None, :])[0] for window in windows]
    assert saliency(windows).tobytes() == np.array(alone).tobytes()


@pytest.mark.parametrize("detector", [Grubbs(), KsWindow(), SpectralResidual()])
def test_a_window_longer_than_the_data_is_refused(detector: Grubbs, context: FitContext) -> None:
    with pytest.raises(TooFewRowsError, match=f"a window of {detector.window} rows"):
        detector.fit(Frame.of(np.zeros((7, 1))), None, context)
