import sys

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.errors import MissingExtraError
from clarion.explainers import Attribution, Label, Role, Scorable
from clarion.frames import Frame, Signal, SignalKind
from clarion_explainers.lime import Lime

WEIGHTS = np.array([1.0, -20.0, 0.0, 5.0])


def background() -> Frame:
    spread = np.array([1.0, 0.1, 10.0, 3.0])
    return Frame.of(7 + spread * np.random.default_rng(0).normal(size=(40, 4)))


def rows(n: int) -> Frame:
    return Frame.of(7 + 4 * np.random.default_rng(1).normal(size=(n, 4)))


def linear(frame: Frame) -> FloatArray:
    return np.asarray(3.0 + (frame.numeric() * WEIGHTS).sum(axis=1))


def explain(case: Scorable, frame: Frame, seed: int = 0) -> Attribution:
    support = Lime().supports(case)
    assert support is not None
    seeds = np.arange(seed, seed + len(frame), dtype=np.uint64)
    return Lime().explain(case, frame, evaluations=support.evaluations, seeds=seeds)


def quality_of(answer: Attribution) -> FloatArray:
    assert answer.fit_quality is not None
    return answer.fit_quality


def interval_of(answer: Attribution) -> FloatArray:
    assert answer.interval is not None
    return answer.interval


def test_a_linear_score_gets_its_shap_values_and_a_perfect_fit() -> None:
    normal, frame = background(), rows(3)
    answer = explain(Scorable(linear, normal), frame)
    expected = WEIGHTS * (frame.numeric() - normal.numeric().mean(axis=0))
    np.testing.assert_allclose(answer.contributions, expected, atol=1e-9)
    np.testing.assert_allclose(answer.base_value, linear(normal).mean())
    np.testing.assert_allclose(quality_of(answer), 1.0)
    assert answer.additivity_error.max() <= 1e-12
    np.testing.assert_allclose(interval_of(answer), expected[..., None].repeat(2, 2), atol=1e-9)
    assert (Lime.role, answer.label) == (Role.CROSS_CHECK, Label.SAMPLED)


def test_curvature_does_not_tilt_the_line() -> None:
    """Of the sum of x², the slope at x is 2x; random points that are not mirrored miss it."""
    normal, frame = background(), rows(2)
    answer = explain(Scorable(lambda f: (f.numeric() ** 2).sum(axis=1), normal), frame)
    expected = 2 * frame.numeric() * (frame.numeric() - normal.numeric().mean(axis=0))
    np.testing.assert_allclose(answer.contributions, expected, rtol=1e-9, atol=1e-9)
    assert (quality_of(answer) < 0.999).all()


def test_points_lie_around_the_row_at_the_scale_of_normal_data() -> None:
    scored: list[FloatArray] = []

    def spying(frame: Frame) -> FloatArray:
        scored.append(frame.numeric())
        return linear(frame)

    normal, far = background(), Frame.of([[1e4, -1e4, 0.0, 1e6]])
    explain(Scorable(spying, normal), far)
    around = next(points for points in scored if len(points) == 1025)
    np.testing.assert_array_equal(around[0], far.numeric()[0])
    np.testing.assert_allclose(around.mean(axis=0), far.numeric()[0], rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(around.std(axis=0), normal.numeric().std(axis=0), rtol=0.05)


def test_near_points_count_more() -> None:
    """Weighted by exp(-z² / (2 · 0.75²)), a normal law has the variance 0.36; z³ the slope 1.08."""
    normal = Frame.of([[-2.0], [-4.0]])  # mean -3, deviation 1
    case = Scorable(lambda f: f.numeric()[:, 0] ** 3, normal)
    np.testing.assert_allclose(
        explain(case, Frame.of([[0.0]])).contributions, [[1.08 * 3]], rtol=0.02
    )


def test_a_flat_score_has_no_slope_and_no_quality() -> None:
    answer = explain(Scorable(lambda f: np.full(len(f), 0.1), background()), rows(2))
    assert np.abs(answer.contributions).max() < 1e-12
    assert quality_of(answer).tolist() == [0.0, 0.0]
    assert np.ptp(interval_of(answer), axis=2).max() < 1e-12


def test_a_score_that_no_line_fits_says_so() -> None:
    rough = Scorable(lambda f: np.sin(40 * f.numeric()).sum(axis=1), background())
    assert (quality_of(explain(rough, rows(3))) < 0.2).all()


def test_constant_signals_and_values_beyond_all_scales_are_explained() -> None:
    constant = Frame.of(np.full((1, 4), 2.0))
    frame = Frame.of([[1e308, -1e308, 2.0, 0.0], [2.0, 2.0, 2.0, 2.0]])
    answer = explain(Scorable(lambda f: np.tanh(linear(f) / 1e308), constant), frame)
    assert np.isfinite(answer.contributions).all()
    assert np.isfinite(answer.base_value).all()
    assert np.isfinite(interval_of(answer)).all()


def bent(frame: Frame) -> FloatArray:
    return np.asarray((frame.numeric() ** 3).sum(axis=1))


def test_intervals_hold_the_true_slope_as_often_as_they_say() -> None:
    """Of z³ in each of 3 signals the slope is 3 · 0.75² · 3 / (1 + 0.75² · 3) (the kernel's variance).

    Sobol points do better than the random ones that the bootstrap imagines: hence the upper bound.
    """
    normal, row = Frame.of([[-2.0] * 3, [-4.0] * 3]), Frame.of([[0.0] * 3])
    true = 3 * 3 * (3 * 0.75**2 / (1 + 3 * 0.75**2))
    ends = [interval_of(explain(Scorable(bent, normal), row, seed=s))[0] for s in range(60)]
    low, high = np.moveaxis(np.array(ends), 2, 0)
    assert ((low <= true) & (true <= high)).mean() >= 0.95
    assert 0.05 < np.median(high - low) / true < 0.3


def test_intervals_are_as_wide_as_slopes_vary_where_points_are_as_good_as_random() -> None:
    """A score that is noise to every net: 95 % is 1.96 deviations either way."""
    hashed = Scorable(
        lambda f: np.modf(1e5 * np.sin(1e4 * f.numeric().sum(axis=1)))[0], background()
    )
    row = Frame.of([[9.0, 8.9, 9.3, 8.1]])
    answers = [explain(hashed, row, seed=s) for s in range(200)]
    spread = np.std([answer.contributions[0] for answer in answers], axis=0)
    width = np.mean(
        [np.diff(interval_of(answer)[0], axis=1)[:, 0] / 2 for answer in answers], axis=0
    )
    np.testing.assert_allclose(width / spread, 1.96, rtol=0.2)


def test_few_points_have_wide_intervals() -> None:
    case, row, widths = Scorable(bent, background()), rows(1), []
    for samples in (64, 4096):
        lime = Lime(samples=samples)
        answer = lime.explain(case, row, evaluations=samples, seeds=np.zeros(1, np.uint64))
        widths.append(np.ptp(interval_of(answer)))
    assert widths[0] > 3 * widths[1]


def test_features_of_one_player_are_summed_in_every_world() -> None:
    """Of two features that err apart, the sum errs by the root of the sum of squares."""
    normal = Frame.of(np.random.default_rng(3).normal(size=(60, 4)))
    frame = Frame.of([[2.0, 1.0, -2.0, 0.5], [1.0, -1.0, 1.0, 3.0]])
    joined = Scorable(bent, normal, players=np.array([0, 1, 0, 2]))
    alone, together = explain(Scorable(bent, normal), frame), explain(joined, frame)
    expected = alone.contributions[:, [0, 1, 3]] + [1, 0, 0] * alone.contributions[:, [2]]
    np.testing.assert_allclose(together.contributions, expected)
    width, joint = (np.diff(interval_of(answer))[..., 0] for answer in (alone, together))
    np.testing.assert_allclose(joint[:, 1:], width[:, [1, 3]])
    np.testing.assert_allclose(joint[:, 0], np.hypot(width[:, 0], width[:, 2]), rtol=0.08)


def test_one_signal_is_enough() -> None:
    case = Scorable(lambda f: 5 * f.numeric()[:, 0], Frame.of([[1.0], [3.0]]))
    np.testing.assert_allclose(explain(case, Frame.of([[4.0]])).contributions, [[10.0]])


def test_a_row_gets_the_same_bits_alone_and_in_a_batch() -> None:
    case, frame = Scorable(lambda f: np.cos(f.numeric()).sum(axis=1), background()), rows(4)
    together = explain(case, frame, seed=30)
    for i in (3, 1):
        alone = explain(case, frame.take(np.array([i])), seed=30 + i)
        assert alone.contributions.tobytes() == together.contributions[i].tobytes()
        assert quality_of(alone)[0] == quality_of(together)[i]
        assert interval_of(alone).tobytes() == interval_of(together)[i].tobytes()
    other = explain(case, frame, seed=90)
    assert (other.contributions != together.contributions).all()


@pytest.mark.parametrize(
    ("d", "samples", "asked"), [(4, 1024, 1024), (300, 1024, 2048), (3, 65, 128)]
)
def test_asks_for_a_power_of_two_and_four_points_a_feature(
    d: int, samples: int, asked: int
) -> None:
    support = Lime(samples=samples).supports(Scorable(linear, Frame.of(np.zeros((2, d)))))
    assert support is not None
    assert support.evaluations == asked


def test_categories_are_left_to_others() -> None:
    signals = (Signal("a"), Signal("mode", SignalKind.CATEGORICAL, vocabulary=("on",)))
    frame = Frame(signals, np.zeros((2, 1)), np.zeros((2, 1), np.int32))
    assert Lime().supports(Scorable(linear, frame)) is None


def test_rows_that_would_take_minutes_are_left_to_others() -> None:
    for d, fits in ((1024, True), (1025, False)):
        support = Lime().supports(Scorable(linear, Frame.of(np.zeros((1, d)))))
        assert (support is not None) == fits


def test_without_the_library_the_error_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lime.lime_base", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'clarion\[explain\]'"):
        explain(Scorable(linear, background()), rows(1))
