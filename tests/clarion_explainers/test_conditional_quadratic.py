"""Conditional SHAP values, against the definition, against chance, and against the distance."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import Quadratic
from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, Role, Scorable
from clarion.explaining import ladder
from clarion.frames import Frame
from clarion.kernels.quadratic import quadratic_form
from clarion.kernels.shrunk_gaussian import shrunk_gaussian
from clarion.plugins import load_plugins
from clarion_explainers.conditional_quadratic import ConditionalQuadratic

Shapley = Callable[[Callable[[tuple[int, ...]], float], int], FloatArray]


@dataclass(frozen=True)
class Form:
    form: Quadratic

    def coordinates(self, frame: Frame) -> FloatArray:
        return frame.numeric() / 2

    def quadratic(self) -> Quadratic:
        return self.form

    def score(self, frame: Frame) -> FloatArray:
        points = quadratic_form(self.coordinates(frame), self.form.center, self.form.matrix)
        return points + self.form.offset


def background(d: int, m: int = 60) -> Frame:
    rng = np.random.default_rng(d)
    return Frame.of(rng.normal(size=(m, d)) @ rng.normal(size=(d, d)) + 5 * rng.normal(size=d))


def scorable(d: int, players: Int64Array | None = None) -> Scorable:
    rng = np.random.default_rng(7)
    half = rng.normal(size=(d, d))
    detector = Form(Quadratic(rng.normal(size=d), half @ half.T, offset=1.5))
    return Scorable(detector.score, background(d), detector, players)


def rows(case: Scorable, n: int = 3) -> Frame:
    d = len(case.background.signals)
    return Frame.of(5 * np.random.default_rng(1).normal(size=(n, d)))


def explain(case: Scorable, frame: Frame, **parameters: int) -> Attribution:
    explainer = ConditionalQuadratic(**parameters)
    support = explainer.supports(case)
    assert support is not None
    seeds = np.zeros(len(frame), np.uint64)
    answer = explainer.explain(case, frame, evaluations=0, seeds=seeds)
    assert answer.label is support.label
    return answer


def gaussian(case: Scorable) -> tuple[FloatArray, FloatArray]:
    mean, scale, correlation = shrunk_gaussian(case.background.numeric() / 2)
    return mean, correlation * np.outer(scale, scale)


def sampled_worth(
    case: Scorable, row: FloatArray, present: tuple[int, ...], draws: FloatArray
) -> float:
    """The mean score of ``draws`` of the Gaussian, moved to be draws given the present values.

    Given u_S, the law of the rest is that of ``w + C_.S inv(C_SS) (u_S - w_S)`` for w from the whole.
    """
    _, covariance = gaussian(case)
    kept = list(present)
    gain = covariance[:, kept] @ np.linalg.inv(covariance[np.ix_(kept, kept)])
    moved = draws + (row[kept] - draws[:, kept]) @ gain.T
    moved[:, kept] = row[kept]
    return float(case.score(Frame.of(2 * moved)).mean())


def test_what_a_set_is_worth_is_the_mean_score_of_rows_drawn_given_its_values(
    shapley_values: Shapley,
) -> None:
    case = scorable(3)
    frame, (mean, covariance) = rows(case, 2), gaussian(case)
    draws = np.random.default_rng(0).multivariate_normal(mean, covariance, 200_000)
    answer = explain(case, frame)
    assert answer.label is Label.EXACT
    for i, row in enumerate(frame.numeric() / 2):
        truth = shapley_values(lambda s, row=row: sampled_worth(case, row, s, draws), 3)  # type: ignore[misc]
        size = np.abs(truth).max()
        np.testing.assert_allclose(answer.contributions[i], truth, atol=0.01 * size)
        assert answer.base_value[i] == pytest.approx(
            case.score(Frame.of(2 * draws)).mean(), rel=0.02
        )


def closed_worth(case: Scorable, row: FloatArray, present: tuple[int, ...]) -> float:
    """The same in closed form: the score at the conditional mean, and what varies around it."""
    (mean, covariance), form = gaussian(case), case.capability.quadratic()  # type: ignore[attr-defined]
    kept = list(present)
    gain = covariance[:, kept] @ np.linalg.inv(covariance[np.ix_(kept, kept)])
    expected = mean + gain @ (row - mean)[kept] - form.center
    left = covariance - gain @ covariance[kept]
    return float(expected @ form.matrix @ expected + (form.matrix * left).sum() + form.offset)


@pytest.mark.parametrize("d", [1, 2, 6])
def test_equals_enumeration_over_all_sets(d: int, shapley_values: Shapley) -> None:
    case = scorable(d)
    frame = rows(case)
    answer = explain(case, frame)
    for i, row in enumerate(frame.numeric() / 2):
        truth = shapley_values(lambda s, row=row: closed_worth(case, row, s), d)  # type: ignore[misc]
        np.testing.assert_allclose(answer.contributions[i], truth, rtol=1e-9, atol=1e-9)
        assert answer.base_value[i] == pytest.approx(closed_worth(case, row, ()), rel=1e-12)
    assert answer.additivity_error.max() <= 1e-9
    assert answer.standard_error is None
    assert "conditional" in answer.value_function


def mahalanobis(d: int) -> Scorable:
    """A distance in the very Gaussian that the background makes."""
    case = scorable(d)
    mean, covariance = gaussian(case)
    detector = Form(Quadratic(mean, np.asarray(np.linalg.inv(covariance), np.float64)))
    return Scorable(detector.score, case.background, detector)


def test_a_mahalanobis_distance_is_worth_the_distance_of_what_is_present(
    shapley_values: Shapley,
) -> None:
    """v(S) = MD²_S + d - |S|: Takeishi & Kawahara (2023), up to the constant."""
    d = 5
    case = mahalanobis(d)
    frame, (mean, covariance) = rows(case), gaussian(case)

    def worth(present: tuple[int, ...], delta: FloatArray) -> float:
        kept = list(present)
        part = np.linalg.solve(covariance[np.ix_(kept, kept)], delta[kept])
        return float(delta[kept] @ part) + d - len(kept)

    for delta, got in zip(
        frame.numeric() / 2 - mean, explain(case, frame).contributions, strict=True
    ):
        truth = shapley_values(lambda s, delta=delta: worth(s, delta), d)  # type: ignore[misc]
        np.testing.assert_allclose(got, truth, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("d", [6, 14])
def test_orders_add_up_exactly_and_their_errors_are_honest(d: int) -> None:
    case = scorable(d)
    frame = rows(case, 5)
    answer = explain(case, frame, exact_players=0, pairs=32)
    assert answer.label is Label.SAMPLED
    assert answer.additivity_error.max() <= 1e-12
    assert answer.standard_error is not None
    truth = (
        explain(case, frame, exact_players=d)
        if d == 6
        else explain(case, frame, exact_players=0, pairs=2000)
    )
    off = np.abs(answer.contributions - truth.contributions) / answer.standard_error
    assert 0.3 < np.sqrt((off**2).mean()) < 2
    assert off.max() < 5


def test_more_orders_have_smaller_errors() -> None:
    case = scorable(12)
    few, many = (explain(case, rows(case), pairs=pairs).standard_error for pairs in (8, 800))
    assert few is not None
    assert many is not None
    assert few.mean() > 5 * many.mean()


@pytest.mark.parametrize("exact_players", [0, 10])
def test_features_of_one_player_come_and_go_together(
    exact_players: int, shapley_values: Shapley
) -> None:
    """Here no sum of members is the player's own value."""
    players = np.array([0, 1, 0, 2, 1])
    case = scorable(5, players)
    frame = rows(case)
    answer = explain(case, frame, exact_players=exact_players, pairs=500)
    assert answer.contributions.shape == (3, 3)
    for i, row in enumerate(frame.numeric() / 2):
        truth = shapley_values(
            lambda s, row=row: closed_worth(case, row, tuple(np.flatnonzero(np.isin(players, s)))),  # type: ignore[misc]
            3,
        )
        near = 1e-9 if exact_players else 5 * np.max(answer.standard_error[i])  # type: ignore[index]
        np.testing.assert_allclose(answer.contributions[i], truth, atol=near, rtol=1e-9)
    members = explain(scorable(5), frame).contributions
    assert np.abs(members[:, 0] + members[:, 2] - answer.contributions[:, 0]).max() > 1


@pytest.mark.parametrize("d", [4, 20])
def test_units_and_the_order_of_signals_do_not_matter(d: int) -> None:
    """Within rounding; for orders drawn anew by place, within their errors."""
    case = scorable(d)
    frame, form = rows(case), case.capability.quadratic()  # type: ignore[attr-defined]
    unit = 10.0 ** np.random.default_rng(3).integers(-4, 5, d)
    scaled = Form(Quadratic(form.center * unit, form.matrix / np.outer(unit, unit), form.offset))
    other = Scorable(scaled.score, Frame.of(case.background.numeric() * unit), scaled)
    told = explain(case, frame), explain(other, Frame.of(frame.numeric() * unit))
    size = np.abs(told[0].contributions).max()
    np.testing.assert_allclose(told[0].contributions, told[1].contributions, atol=1e-9 * size)


def test_one_background_row_or_a_constant_signal_leaves_nothing_to_expect() -> None:
    """With a single row the game is the marginal one, up to the least variance."""
    case = scorable(4)
    single = Scorable(case.score, case.background.take(slice(0, 1)), case.capability)
    frame = rows(case)
    marginal = ladder.rungs(single, load_plugins(), Role.DECOMPOSITION)[0]
    assert marginal.name == "quadratic"
    seeds = np.zeros(3, np.uint64)
    wanted = marginal.explainer.explain(single, frame, evaluations=0, seeds=seeds).contributions
    got = explain(single, frame)
    np.testing.assert_allclose(got.contributions, wanted, atol=1e-4)
    assert got.additivity_error.max() <= 1e-12


@pytest.mark.parametrize("d", [6, 30])
def test_a_row_gets_the_same_bits_alone_and_in_a_batch(d: int) -> None:
    case, again = scorable(d), scorable(d)
    frame = rows(case, 40)
    together = explain(case, frame)
    for i in (0, 17, 39):
        alone = explain(again, frame.take(np.array([i])))
        assert alone.contributions.tobytes() == together.contributions[i].tobytes()


def test_adds_up_for_rows_beyond_all_scales_and_nearly_dependent_signals() -> None:
    case = scorable(6)
    values = np.array(case.background.numeric())
    values[:, 1] = values[:, 0] + 1e-6 * values[:, 1]
    values[:, 2] = 4.0
    tight = Scorable(case.score, Frame.of(values), case.capability)
    frame = Frame.of(np.vstack([values[:2], [[1e9, -1e9, 1e9, 0.0, 0.0, 1.0]]]))
    for exact_players in (0, 10):
        answer = explain(tight, frame, exact_players=exact_players)
        assert np.isfinite(answer.contributions).all()
        assert answer.additivity_error.max() <= 1e-9


def test_what_contradicts_its_fellows_is_blamed_where_marginal_values_blame_the_largest() -> None:
    """Two signals move as one. Both are high as they may be; the third, apart, is a little off."""
    rng = np.random.default_rng(0)
    common = rng.normal(size=400)
    normal = np.column_stack([common, common, rng.normal(size=400)])
    normal[:, :2] += 0.1 * rng.normal(size=(400, 2))
    mean, covariance = normal.mean(axis=0), np.cov(normal.T)
    detector = Form(Quadratic(mean / 2, 4 * np.asarray(np.linalg.inv(covariance), np.float64)))
    case = Scorable(detector.score, Frame.of(normal), detector)
    together, apart = Frame.of([[2.0, 2.0, 3.0]]), Frame.of([[2.0, 0.0, 0.0]])
    assert explain(case, together).contributions[0].argmax() == 2
    first, second, third = explain(case, apart).contributions[0]
    assert first > second > 10 * abs(third)


def test_it_comes_after_the_marginal_values_unless_named() -> None:
    case, registries = scorable(4), load_plugins()
    able = [rung.name for rung in ladder.rungs(case, registries, Role.DECOMPOSITION)]
    assert able[0] == "quadratic"
    assert able[-1] == "conditional_quadratic"
    named = ladder.named(case, registries, "conditional_quadratic", Role.DECOMPOSITION)
    assert named.support.label is Label.EXACT


def test_other_scores_and_too_many_features_are_left_to_others() -> None:
    case = scorable(2)
    assert ConditionalQuadratic().supports(Scorable(case.score, case.background)) is None
    form = Form(Quadratic(np.zeros(129), np.eye(129)))
    for d, fits in ((128, True), (129, False)):
        wide = Scorable(form.score, Frame.of(np.zeros((2, d))), form)
        assert (ConditionalQuadratic().supports(wide) is not None) == fits
    with pytest.raises(UnsupportedPairError, match=r"at most 128 features.*there are 129"):
        ConditionalQuadratic().explain(
            wide, wide.background, evaluations=0, seeds=np.zeros(2, "u8")
        )
    players = Scorable(form.score, Frame.of(np.zeros((2, 129))), form, np.arange(129) % 3)
    support = ConditionalQuadratic().supports(players)
    assert support is not None
    assert support.label is Label.EXACT


def test_the_covariance_is_ledoit_and_wolfs() -> None:
    points = background(8).numeric()
    mean, scale, correlation = shrunk_gaussian(points)
    np.testing.assert_allclose(mean, points.mean(axis=0))
    np.testing.assert_allclose(scale, points.std(axis=0))
    wanted = ledoit_wolf((points - mean) / scale)[0] + 1e-6 * np.eye(8)
    np.testing.assert_allclose(correlation, wanted, rtol=1e-12)


def test_one_bad_sensor_among_followers_is_found_more_often_than_by_marginal_values() -> None:
    """12 sensors of 3 factors, one off by 6 deviations of its noise."""
    rng = np.random.default_rng(0)
    load = rng.normal(size=(3, 12))
    normal, asked = (
        rng.normal(size=(n, 3)) @ load + 0.5 * rng.normal(size=(n, 12)) for n in (1500, 200)
    )
    bad = rng.integers(12, size=200)
    asked[np.arange(200), bad] += 3.0
    precision = 4 * np.asarray(np.linalg.inv(np.cov(normal.T)), np.float64)
    detector = Form(Quadratic(normal.mean(axis=0) / 2, precision))
    case = Scorable(detector.score, Frame.of(normal[:128]), detector)
    found = {}
    for name in ("conditional_quadratic", "quadratic"):
        rung = ladder.named(case, load_plugins(), name, Role.DECOMPOSITION)
        seeds = np.zeros(200, np.uint64)
        values = rung.explainer.explain(case, Frame.of(asked), evaluations=0, seeds=seeds)
        found[name] = (values.contributions.argmax(axis=1) == bad).mean()
    assert found["conditional_quadratic"] > 0.94
    assert found["conditional_quadratic"] > found["quadratic"] + 0.03
