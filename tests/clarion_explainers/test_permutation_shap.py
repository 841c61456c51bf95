from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from clarion.arrays import FloatArray
from clarion.errors import BudgetExceededError, InvalidFrameError, SignalMismatchError
from clarion.explainers import Attribution, Label, Scorable
from clarion.frames import Frame, Signal, SignalKind
from clarion_explainers import permutation_shap
from clarion_explainers.permutation_shap import PermutationShap


def tangled(frame: Frame) -> FloatArray:
    """Every set of features interacts."""
    a, b, c, d = np.tanh(frame.numeric()).T
    return np.asarray((2 + a) * (1 - b) * (2 + c) * (1 + d) + np.maximum(a, c) ** 2)


def scorable(m: int = 12) -> Scorable:
    return Scorable(tangled, Frame.of(np.random.default_rng(0).normal(size=(m, 4))))


def rows(n: int) -> Frame:
    return Frame.of(2 * np.random.default_rng(1).normal(size=(n, 4)))


def explain(
    case: Scorable,
    frame: Frame,
    evaluations: int | None = None,
    seeds: np.ndarray[tuple[int], np.dtype[np.uint64]] | None = None,
) -> Attribution:
    explainer = PermutationShap()
    support = explainer.supports(case)
    assert support is not None
    assert support.label is Label.SAMPLED
    return explainer.explain(
        case,
        frame,
        evaluations=support.evaluations if evaluations is None else evaluations,
        seeds=np.arange(len(frame), dtype=np.uint64) if seeds is None else seeds,
    )


@pytest.mark.parametrize(("m", "pairs"), [(1, 16), (6, 16), (60, 64), (300, 16), (300, 200)])
def test_estimates_are_unbiased_and_their_standard_errors_honest(
    m: int, pairs: int, marginal_shapley: Callable[[Scorable, Frame], FloatArray]
) -> None:
    """With all, nearly all, and few of the background's rows visited."""
    case, repeats = scorable(m), 600
    frame = rows(1).take(np.zeros(repeats, np.int64))
    answer = explain(case, frame, 6 * pairs)
    off = answer.contributions - marginal_shapley(case, frame.take(slice(0, 1)))
    assert answer.standard_error is not None
    actual = off.std(axis=0)
    # A regression's own bias is of the order of 1 / pairs of the standard deviation.
    assert (np.abs(off.mean(axis=0)) < (4 / np.sqrt(repeats) + 2 / pairs) * actual).all()
    reported = np.sqrt((answer.standard_error**2).mean(axis=0))
    assert (0.85 * actual < reported).all()
    assert (reported < 1.3 * actual).all()
    # Nine in ten, were the draws normal; few draws of unlike rows fall somewhat short.
    inside = np.abs(off) <= stats.t(8).ppf(0.95) * answer.standard_error
    assert (inside.mean(axis=0) > 0.75).all()


def test_contributions_sum_to_the_score_less_its_mean_over_the_whole_background() -> None:
    """Also with a background that the 16 pairs cannot all visit."""
    case = scorable(m=101)
    answer = explain(case, rows(5))
    np.testing.assert_allclose(answer.base_value, tangled(case.background).mean())
    assert answer.additivity_error.max() <= 1e-12


def test_four_times_the_budget_halves_the_standard_error() -> None:
    little, much = (explain(scorable(m=500), rows(20), n).standard_error for n in (192, 768))
    assert little is not None
    assert much is not None
    assert 0.4 < np.median(much / little) < 0.6


def test_the_whole_budget_is_used_and_never_exceeded() -> None:
    scored: list[int] = []

    def counting(frame: Frame) -> FloatArray:
        scored.append(len(frame))
        return tangled(frame)

    case = Scorable(counting, scorable().background)
    explain(case, rows(2), evaluations=250)
    assert sum(scored) == 2 + 12 + 2 * 246  # rows, background, and 41 pairs of 6 for each row


def test_a_budget_below_what_it_asks_for_is_refused() -> None:
    with pytest.raises(BudgetExceededError, match="needs 96 evaluations a row, not 95"):
        explain(scorable(), rows(1), evaluations=95)


def test_and_of_two_features_is_shared_equally_without_error() -> None:
    case = Scorable(lambda f: f.numeric().prod(axis=1), Frame.of([[0.0, 0.0]]))
    answer = explain(case, Frame.of([[1.0, 1.0]]))
    assert answer.contributions.tolist() == [[0.5, 0.5]]
    assert answer.standard_error is not None
    assert answer.standard_error.tolist() == [[0.0, 0.0]]


def test_xor_of_two_bits() -> None:
    """Against (0, 0), either bit alone brings 1, and the other takes it away again."""
    case = Scorable(
        lambda f: (f.numeric()[:, 0] != f.numeric()[:, 1]) * 1.0, Frame.of([[0.0, 0.0]])
    )
    answer = explain(case, Frame.of([[1.0, 1.0], [1.0, 0.0]]))
    assert answer.contributions.tolist() == [[0.0, 0.0], [1.0, 0.0]]


def test_a_linear_score_against_one_background_row_is_exact() -> None:
    weights = np.array([1.0, -2.0, 3.0, 0.0])
    case = Scorable(lambda f: (f.numeric() * weights).sum(axis=1), Frame.of([[1.0, 2.0, 3.0, 4.0]]))
    frame = rows(3)
    expected = weights * (frame.numeric() - [1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(explain(case, frame).contributions, expected, atol=1e-12)


def test_one_feature_takes_it_all() -> None:
    case = Scorable(lambda f: f.numeric()[:, 0] ** 2, Frame.of([[1.0], [3.0]]))
    answer = explain(case, Frame.of([[5.0]]))
    assert answer.contributions.tolist() == [[20.0]]
    assert answer.standard_error is not None
    assert answer.standard_error.max() < 1e-12


def test_a_feature_that_the_score_ignores_gets_nothing() -> None:
    case = Scorable(lambda f: f.numeric()[:, 0] * f.numeric()[:, 2], scorable().background)
    answer = explain(case, rows(3))
    assert np.abs(answer.contributions[:, [1, 3]]).max() < 1e-15


def test_a_score_that_never_changes_is_attributed_to_nothing() -> None:
    case = Scorable(lambda f: np.full(len(f), 3.0), scorable().background)
    answer = explain(case, rows(2))
    assert not answer.contributions.any()
    assert answer.standard_error is not None
    assert not answer.standard_error.any()


def test_a_rare_background_row_that_was_not_drawn_counts_in_sum_and_error() -> None:
    background = np.zeros((400, 4))
    background[7, 2] = 80.0
    case = Scorable(lambda f: f.numeric().sum(axis=1), Frame.of(background))
    answer = explain(case, Frame.of([[1.0, 1.0, 1.0, 1.0]]))
    assert answer.standard_error is not None
    assert answer.additivity_error.max() <= 1e-12
    off = answer.contributions - [[1.0, 1.0, 0.8, 1.0]]
    np.testing.assert_allclose(off, [[-0.05, -0.05, 0.15, -0.05]])
    np.testing.assert_allclose(answer.standard_error, 0.2, rtol=0.05)


def test_huge_scores_have_finite_estimates() -> None:
    case = Scorable(lambda f: 1e300 * np.tanh(tangled(f)), scorable().background)
    answer = explain(case, rows(4))
    assert answer.standard_error is not None
    assert np.isfinite(answer.contributions).all()
    assert np.isfinite(answer.standard_error).all()
    assert answer.additivity_error.max() <= 1e-12


def test_a_row_gets_the_same_bits_alone_in_a_batch_and_in_small_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame, seeds = rows(6), np.arange(100, 106, dtype=np.uint64)
    together = explain(scorable(), frame, 500, seeds)
    assert together.standard_error is not None
    monkeypatch.setattr(permutation_shap, "_CELLS", 70)
    for i in (5, 0, 3):
        alone = explain(scorable(), frame.take(np.array([i])), 500, seeds[i : i + 1])
        assert alone.standard_error is not None
        assert alone.contributions.tobytes() == together.contributions[i].tobytes()
        assert alone.standard_error.tobytes() == together.standard_error[i].tobytes()


def test_another_seed_draws_other_orders() -> None:
    frame = rows(1)
    one, other = (
        explain(scorable(), frame, seeds=np.array([seed], np.uint64)) for seed in (1, 2**64 - 1)
    )
    assert (one.contributions != other.contributions).all()


def coded(values: list[list[float]], codes: list[list[int]], words: tuple[str, ...]) -> Frame:
    signals = (
        Signal("load"),
        Signal("mode", SignalKind.CATEGORICAL, vocabulary=words),
        Signal("heat"),
    )
    return Frame(signals, np.array(values), np.array(codes, np.int32))


def test_words_are_mixed_as_words_whatever_codes_they_have() -> None:
    """Load counts double in the mode 'fast', which the background never was in."""

    def score(frame: Frame) -> FloatArray:
        words = np.array(frame.signals[1].vocabulary)[frame.codes[:, 0]]
        return np.asarray(frame.values[:, 0] * np.where(words == "fast", 2.0, 1.0))

    background = coded([[1.0, 0.0]], [[1]], ("idle", "slow"))
    frame = coded([[4.0, 9.0]], [[0]], ("fast", "slow"))
    answer = explain(Scorable(score, background), frame)
    # Worths: none 1, load 4, mode 2, both 8.
    np.testing.assert_allclose(answer.contributions, [[4.5, 2.5, 0.0]], atol=1e-14)
    assert answer.base_value.tolist() == [1.0]


def test_contributions_follow_the_order_of_the_background_signals() -> None:
    frame = rows(3)
    turned = Frame.of(frame.numeric()[:, ::-1], frame.names[::-1])
    assert (
        explain(scorable(), turned).contributions.tobytes()
        == explain(scorable(), frame).contributions.tobytes()
    )


def test_other_signals_are_refused() -> None:
    with pytest.raises(SignalMismatchError, match="missing 'x3'"):
        explain(scorable(), Frame.of(np.zeros((1, 3))))


def test_errors_of_the_score_reach_the_caller() -> None:
    def refuses(frame: Frame) -> FloatArray:
        raise InvalidFrameError("signal 'x1' is missing (NaN) at row 0")

    with pytest.raises(InvalidFrameError, match="x1"):
        explain(Scorable(refuses, scorable().background), rows(1))


def test_no_rows_have_no_explanations() -> None:
    assert explain(scorable(), rows(0)).contributions.shape == (0, 4)
