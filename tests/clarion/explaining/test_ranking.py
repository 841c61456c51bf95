from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError
from clarion.explaining import relations
from clarion.explaining.ranking import SignalRanking
from clarion.explaining.rarity import FLOOR, rarity
from clarion.frames import Asset, Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.memory import Memory
from clarion.pipeline.run import FittedPipeline
from clarion.registry import Registries
from clarion.state import State
from clarion.tables import from_columns

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]
ALL = ExplanationPolicy(rows=ExplainedRows.ALL)


def scored(model: SignalRanking, frame: Frame) -> FloatArray:
    return model.scores(frame, np.arange(len(frame)), {})[0]


def walk(n: int, rng: np.random.Generator) -> FloatArray:
    """Two slow signals of different units, and a noisy one."""
    slow = np.cumsum(rng.normal(size=(n, 2)), axis=0) * 0.05
    return np.column_stack([slow[:, 0], 1000 * slow[:, 1], rng.normal(size=n)])


def tied(n: int, rng: np.random.Generator) -> FloatArray:
    """Six signals of two factors, with little noise of their own."""
    weights = np.random.default_rng(1).normal(size=(2, 6))
    return np.asarray(rng.normal(size=(n, 2)) @ weights + 0.1 * rng.normal(size=(n, 6)))


def test_a_jump_counts_in_the_signals_own_jumps(rng: np.random.Generator) -> None:
    values = walk(2000, rng)
    model = SignalRanking.learn(Frame.of(values[:1500]), ordered=True)
    later = values[1500:].copy()
    later[200:, 1] += 2000.0  # well within its range, but it never jumps so far
    at = scored(model, Frame.of(later))
    assert np.argmax(at[200]) == 1
    assert at[200, 1] > 10
    assert at[199].max() < 6
    assert np.median(at) < 2


def test_the_scale_of_sudden_jumps_is_their_size_and_a_share_of_the_range(
    rng: np.random.Generator,
) -> None:
    values = rng.uniform(size=(200, 1))
    model = SignalRanking.learn(Frame.of(values), ordered=True)
    points = (values - values.mean()) / (values.std() + FLOOR * np.ptp(values))
    assert model.steps is not None
    sudden = np.sqrt((np.diff(points, axis=0) ** 2).mean()) + FLOOR * np.ptp(points)
    assert model.steps[0, 0] == pytest.approx(sudden)


def test_the_first_row_of_an_asset_is_judged_by_its_level(rng: np.random.Generator) -> None:
    values = walk(500, rng)
    model = SignalRanking.learn(Frame.of(values), ordered=True)
    deviation, reach = values.std(axis=0), np.ptp(values, axis=0)
    row = values.mean(axis=0) + [0.5, -2.0, 3.0] * (deviation + FLOOR * reach)
    np.testing.assert_allclose(scored(model, Frame.of(row[None]))[0], [0.5, 2.0, 3.0])


def test_each_asset_has_its_own_past(rng: np.random.Generator) -> None:
    values = rng.normal(size=(400, 2)) + np.arange(400)[:, None] % 2 * 50.0
    index = (np.arange(400) % 2).astype(np.int32)
    frame = Frame.of(values, assets=(Asset("a"), Asset("b")), asset=index)
    apart = scored(SignalRanking.learn(frame, ordered=True), frame)
    assert np.median(apart[2:]) > 0.3
    swapped = Frame.of(values, assets=frame.assets, asset=1 - index)
    assert scored(SignalRanking.learn(frame, ordered=True), swapped).tobytes() == apart.tobytes()


def test_of_rows_without_order_what_breaks_the_relations_is_sick(rng: np.random.Generator) -> None:
    model = SignalRanking.learn(Frame.of(tied(1000, rng)), ordered=False)
    rows, bad = tied(200, rng), rng.integers(6, size=200)
    deviation = tied(1000, rng).std(axis=0)
    rows[np.arange(200), bad] += 1.0  # ten of its noise's deviations, about one of its own
    assert (np.abs(rows / deviation).argmax(axis=1) == bad).mean() < 0.7
    assert (scored(model, Frame.of(rows)).argmax(axis=1) == bad).mean() > 0.95


def test_all_signals_far_out_together_are_strange_though_none_breaks_a_relation(
    rng: np.random.Generator,
) -> None:
    normal = tied(1000, rng)
    model = SignalRanking.learn(Frame.of(normal), ordered=False)
    together = np.random.default_rng(1).normal(size=(2, 6))[:1]  # the first factor alone
    away = together / normal.std(axis=0)
    scores = scored(model, Frame.of(together * 3.5 / np.abs(away).max()))
    assert scores.max() == pytest.approx(3.5, rel=0.1)


def test_relations_that_do_not_hold_elsewhere_are_worth_less(rng: np.random.Generator) -> None:
    """Forty rows of thirty signals fit themselves far better than any other row."""
    few = rng.normal(size=(40, 30))
    model = SignalRanking.learn(Frame.of(few), ordered=False)
    assert model.related is not None
    assert model.related.spread.mean() > 1.1
    model = SignalRanking.learn(Frame.of(tied(60, rng)), ordered=False)
    assert model.related is not None
    doubted = replace(model, related=replace(model.related, spread=2 * model.related.spread))
    broken = tied(1, rng)
    broken[0, 0] += 3
    found, doubtful = (scored(m, Frame.of(broken))[0, 0] for m in (model, doubted))
    assert found == pytest.approx(2 * doubtful)


def test_too_many_signals_are_judged_each_on_its_own(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relations, "MOST_SIGNALS", 2)
    values = rng.normal(size=(300, 3))
    model = SignalRanking.learn(Frame.of(values), ordered=False)
    row = values.mean(axis=0) + [0, 2, 0] * (values.std(axis=0) + FLOOR * np.ptp(values, axis=0))
    np.testing.assert_allclose(scored(model, Frame.of(row[None]))[0], [0, 2, 0], atol=1e-12)


@pytest.mark.parametrize("ordered", [True, False])
def test_the_rarer_a_word_the_stranger_and_an_unknown_one_most(ordered: bool) -> None:
    words = np.array(["idle"] * 90 + ["run"] * 10)
    normal = from_columns({"mode": words, "x": np.arange(100.0)})
    model = SignalRanking.learn(normal, ordered=ordered)
    # Another vocabulary, in another order; the last is missing, as none was.
    seen = from_columns({"mode": np.array(["burst", "run", "idle", None]), "x": np.full(4, 49.5)})
    scores = scored(model, seen)[:, 0]
    expected = [rarity(0, 100), rarity(10, 100), rarity(90, 100), rarity(0, 100)]
    np.testing.assert_allclose(scores, expected)
    assert expected[0] > expected[1] > expected[2]


def test_rarity_is_the_deviation_of_an_indicator() -> None:
    share = 25 / 100
    assert rarity(24, 99) == pytest.approx((1 - share) / (np.sqrt(share * (1 - share)) + FLOOR))


@pytest.mark.parametrize("ordered", [True, False])
def test_a_missing_cell_and_a_first_move_are_as_strange_as_what_was_never_seen(
    rng: np.random.Generator, ordered: bool
) -> None:
    values = np.column_stack([rng.normal(size=200), np.full(200, 7.0)])
    model = SignalRanking.learn(Frame.of(values), ordered=ordered)
    rows = Frame.of([[0.0, 7.0], [0.0, 7.0], [np.nan, 7.0], [0.0, 7.1]])
    scores = scored(model, rows)
    assert scores[1, 1] == 0
    assert scores[2, 0] == pytest.approx(rarity(0, 200))
    assert scores[3, 1] == pytest.approx(rarity(0, 200))
    often = values.copy()
    often[::2, 0] = np.nan
    lacks = SignalRanking.learn(Frame.of(often), ordered=ordered)
    assert scored(lacks, rows)[2, 0] == pytest.approx(rarity(100, 200))


@pytest.mark.parametrize("ordered", [True, False])
def test_units_change_nothing(rng: np.random.Generator, ordered: bool) -> None:
    values, later = walk(300, rng), walk(50, rng)
    units = np.array([2.0**20, 2.0**-30, 4.0])
    plain = scored(SignalRanking.learn(Frame.of(values), ordered=ordered), Frame.of(later))
    other = SignalRanking.learn(Frame.of(values * units), ordered=ordered)
    np.testing.assert_allclose(scored(other, Frame.of(later * units)), plain, rtol=1e-9)


@pytest.mark.parametrize("ordered", [True, False])
def test_huge_and_absent_numbers_give_finite_scores(
    rng: np.random.Generator, ordered: bool
) -> None:
    values = rng.normal(size=(100, 4)) * [1e308 / 5, 1e-310, 1, 1]
    values[:, 2] = np.nan
    model = SignalRanking.learn(Frame.of(values), ordered=ordered)
    rows = np.vstack([values[:5], np.full(4, -1.7e308), np.full(4, np.nan)])
    scores = scored(model, Frame.of(rows))
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


def test_the_record_is_ranked_by_it_and_keeps_the_contributions(
    model: Model, watched: Watched
) -> None:
    fitted, frame = model("mahalanobis", ordered=True), watched(120, spikes=0.1)
    answer, _ = fitted.run(frame, ALL)
    assert answer.attribution is not None
    at = scored(fitted.ranking, frame)
    for k, record in enumerate(answer.explanations):
        found = {r.signal: (r.ranking_score, r.contribution) for r in record.signal_ranking}
        contributions = answer.attribution.contributions[k].tolist()
        assert found == dict(
            zip("pqr", zip(at[k].tolist(), contributions, strict=True), strict=True)
        )
        keys = [(-score, -contribution) for score, contribution in found.values()]
        assert keys == sorted(keys)


def test_equally_strange_signals_are_ranked_by_contribution(
    model: Model, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, frame = model("mahalanobis"), watched(20, spikes=0.3)
    monkeypatch.setattr(
        SignalRanking, "scores", lambda self, frame, chosen, pasts: (np.ones((len(chosen), 3)), {})
    )
    for record in fitted.run(frame, ALL)[0].explanations:
        contributions = [reason.contribution for reason in record.signal_ranking]
        assert contributions == sorted(contributions, reverse=True)


@pytest.mark.parametrize("cuts", [[1], [59], [7, 8, 30], list(range(1, 60))])
def test_a_stream_ranks_as_the_batch_does(model: Model, watched: Watched, cuts: list[int]) -> None:
    fitted, frame = model("mahalanobis", ordered=True), watched(60, spikes=0.1)
    whole = fitted.run(frame, ALL)[0].explanations
    memory, found = Memory(), []
    for begin, end in itertools.pairwise([0, *cuts, 60]):
        answer, memory = fitted.run(frame.take(slice(begin, end)), ALL, memory=memory)
        found += [record.signal_ranking for record in answer.explanations]
    assert found == [record.signal_ranking for record in whole]


def test_scores_do_not_depend_on_what_is_ranked(model: Model, watched: Watched) -> None:
    fitted, frame = model("mahalanobis", ordered=True), watched(60, spikes=0.1)
    silent, _ = fitted.run(frame, ExplanationPolicy(rows=ExplainedRows.NONE))
    told, _ = fitted.run(frame, ALL)
    assert silent.scores.tobytes() == told.scores.tobytes()


@pytest.mark.parametrize(
    "policy",
    [ExplanationPolicy(rows=ExplainedRows.NONE), ExplanationPolicy(view=View.COLUMNS)],
    ids=["none", "columns"],
)
def test_a_stream_without_records_does_not_pay_for_them(
    model: Model, watched: Watched, policy: ExplanationPolicy
) -> None:
    _, memory = model("mahalanobis", ordered=True).run(watched(9), policy)
    assert memory.pasts() == {}


@pytest.mark.parametrize("ordered", [True, False])
def test_a_stored_model_ranks_to_the_bit(
    model: Model, watched: Watched, installed: Registries, ordered: bool
) -> None:
    fitted, frame = model("mahalanobis", ordered=ordered), watched(50, spikes=0.2)
    again = FittedPipeline.from_state(fitted.state(), fitted.calibration, installed)
    mine, stored = (
        p.run(frame, ALL)[0].explanations for p in (fitted, replace(again, digest="d1"))
    )
    assert [r.signal_ranking for r in stored] == [r.signal_ranking for r in mine]


def test_a_model_stored_before_there_was_a_ranking_is_refused(
    model: Model, installed: Registries
) -> None:
    fitted = model("mahalanobis")
    with pytest.raises(ArtifactCorruptError, match="fit the model again"):
        FittedPipeline.from_state(replace(fitted.state(), version=1), fitted.calibration, installed)


def words_and_numbers() -> Frame:
    rng = np.random.default_rng(2)
    words = rng.choice(["a", "b"], 60)
    return from_columns({"x": rng.normal(size=60), "mode": words, "y": rng.normal(size=60)})


@pytest.mark.parametrize(
    ("ordered", "array", "value"),
    [
        (False, "center", np.zeros(3)),
        (False, "scale", np.array([1.0, -1.0])),
        (False, "rare/missing", np.array([0, 61, 0])),
        (False, "rare/words", np.array([-1, 30])),
        (False, "related/precision", np.zeros((2, 2))),
        (False, "related/spread", np.array([0.0, 1.0])),
        (False, "related/middle", np.array([np.nan, 0.0])),
        (True, "steps", np.zeros((4, 2))),
        (True, "steps", np.ones((3, 2))),
    ],
)
def test_damaged_state_is_refused(ordered: bool, array: str, value: FloatArray) -> None:
    frame = words_and_numbers()
    state = SignalRanking.learn(frame, ordered=ordered).state()
    assert SignalRanking.from_state(state, frame.signals).state().arrays.keys() == (
        state.arrays.keys()
    )
    damaged = State(1, state.parameters, {**state.arrays, array: value})
    with pytest.raises(ArtifactCorruptError):
        SignalRanking.from_state(damaged, frame.signals)
