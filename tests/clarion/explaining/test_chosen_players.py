"""Other players than single signals: groups of them, and blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.detectors import FittedDetector
from clarion.errors import (
    BudgetExceededError,
    ClarionError,
    InvalidParameterError,
    LimitExceededError,
    UnsupportedPairError,
)
from clarion.explainers import Attribution, Label
from clarion.explaining.players import PlayerChoice, Roster, SignalGroup
from clarion.frames import Asset, Frame
from clarion.pipeline.answer import Answer, ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.memory import Memory
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.score import row_scores
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]
Game = Callable[[tuple[int, ...]], float]
Shapley = Callable[[Game, int], FloatArray]

SCALE = Step("standardize")
LINEAR = Step("window_statistics", {"window": 3, "statistics": ["mean", "slope"]})
WHOLE = Step("window_statistics", {"window": 3})
PUMP = PlayerChoice(groups=(SignalGroup("pump", ("r", "p")),))


def one_asset(frame: Frame) -> Frame:
    return replace(frame, assets=(), asset=None)


def answered(fitted: FittedPipeline, frame: Frame, choice: PlayerChoice, **more: object) -> Answer:
    options = {"rows": ExplainedRows.ALL, "view": View.COLUMNS, **more}
    return fitted.run(frame, ExplanationPolicy(players=choice, **options))[0]  # type: ignore[arg-type]


def attributed(fitted: FittedPipeline, frame: Frame, choice: PlayerChoice) -> Attribution:
    attribution = answered(fitted, frame, choice).attribution
    assert attribution is not None
    return attribution


def window_game(fitted: FittedPipeline, window: Frame, players: Sequence[object]) -> Game:
    """Worth of players present, who own raw cells: ``players[lag][signal]`` says whose each is.

    It knows the model by its transform and its score alone.
    """
    absent, length = fitted.background.windows, fitted.history + 1
    m, owner = len(absent) // length, np.array(players)[::-1]  # oldest row first, as windows are
    number = np.repeat(np.arange(m, dtype=np.int32), length)
    assets = tuple(Asset(str(i)) for i in range(m))

    def worth(present: tuple[int, ...]) -> float:
        own = np.tile(np.isin(owner, present), (m, 1))
        values = np.where(own, np.tile(window.values, (m, 1)), absent.values)
        mixed = replace(absent, values=values, assets=assets, asset=number)
        return float(fitted.detector.score(fitted.chain.transform(mixed).frame).mean())

    return worth


def require_exact(answer: Attribution, k: int, worth: Game, shapley: Shapley, players: int) -> None:
    assert answer.label is Label.EXACT
    wanted = shapley(worth, players)
    size = max(1.0, float(np.abs(wanted).sum()))
    np.testing.assert_allclose(answer.contributions[k], wanted, atol=1e-9 * size)
    assert answer.base_value[k] == pytest.approx(worth(()), rel=1e-9, abs=1e-9)
    assert answer.additivity_error[k] <= 1e-9


@pytest.mark.parametrize("detector", ["mahalanobis", "ecod", "one_class_svm", "gmm"])
@pytest.mark.parametrize("chain", [(SCALE,), (LINEAR,), (WHOLE, SCALE)], ids=["1", "2", "6"])
def test_a_group_has_its_value_in_the_game_among_groups(
    model: Model, watched: Watched, shapley: Shapley, detector: str, chain: tuple[Step, ...]
) -> None:
    fitted, frame = model(detector, *chain), one_asset(watched(9, spikes=0.4))
    answer = attributed(fitted, frame, PUMP)
    owners = [[0, 1, 0]] * (fitted.history + 1)
    for k in (0, len(answer.contributions) - 1):
        window = frame.take(slice(k, k + fitted.history + 1))
        require_exact(answer, k, window_game(fitted, window, owners), shapley, 2)


@pytest.mark.parametrize("choice", [PUMP, PlayerChoice(block_rows=2), PlayerChoice(2, PUMP.groups)])
def test_columns_and_records_say_who_the_players_are(
    model: Model, watched: Watched, choice: PlayerChoice
) -> None:
    frame = one_asset(watched(30, spikes=0.3))
    answer = answered(model("var", SCALE), frame, choice, view=View.BASIC)
    assert answer.attribution is not None
    assert answer.signals == ("p", "q", "r")
    names = {("p",): "p", ("q",): "q", ("r",): "r", ("p", "r"): "pump"}
    for player in answer.players:
        name = names[tuple(sorted(player.signals))]
        assert player.name.split(",")[0] == name
        if choice.block_rows is None:
            assert (player.name, player.first_lag, player.last_lag) == (name, None, None)
        else:
            assert player.first_lag is not None
            assert player.last_lag is not None
            assert player.first_lag % 2 == 0
            assert player.last_lag - player.first_lag in (0, 1)
    for k, record in enumerate(answer.explanations):
        assert record.signal_ranking == ()
        values = [reason.contribution for reason in record.player_ranking]
        assert values == sorted(values, reverse=True)
        by_name = {reason.player: reason.contribution for reason in record.player_ranking}
        column = dict(zip(answer.players, answer.attribution.contributions[k], strict=True))
        assert by_name == column
        assert sum(reason.share for reason in record.player_ranking) == pytest.approx(1)
        if values[0] > 0:
            assert record.player_ranking[0].player.name in record.summary


def test_by_default_the_players_are_the_signals(model: Model, watched: Watched) -> None:
    answer = answered(model("ecod", WHOLE), watched(40), PlayerChoice(), view=View.BASIC)
    assert answer.players == ()
    assert all(record.player_ranking == () for record in answer.explanations)
    assert all(len(record.signal_ranking) == 3 for record in answer.explanations)


def lagged_game(fitted: FittedPipeline, row: FloatArray, owners: Sequence[int]) -> Game:
    absent = fitted.background.rows

    def worth(present: tuple[int, ...]) -> float:
        mixed = np.where(np.isin(owners, present), row, absent.numeric())
        return float(fitted.detector.score(absent.with_numeric(mixed)).mean())

    return worth


@pytest.mark.parametrize(("block_rows", "groups"), [(2, ()), (3, PUMP.groups), (100, ())])
@pytest.mark.parametrize("detector", ["var", "sub_pca"])
def test_blocks_of_lagged_cells_have_their_values_in_the_game_among_blocks(
    registries: Registries,
    watched: Watched,
    shapley: Shapley,
    detector: str,
    block_rows: int,
    groups: tuple[SignalGroup, ...],
) -> None:
    step = Step(detector, {"lags": 4} if detector == "var" else {"window": 5})
    spec = PipelineSpec(step, (SCALE,), background_rows=8)
    fitted = fit(spec, watched(300), registries=registries)
    frame = one_asset(watched(14, spikes=0.3))
    answer = attributed(fitted, frame, PlayerChoice(block_rows, groups))
    blocks = 4 // block_rows + 1
    of_signal = {"p": 0, "q": 1, "r": 0 if groups else 2}
    owners = []
    for name in fitted.background.rows.names:
        signal, _, lag = name.partition(".lag")
        owners.append(of_signal[signal] * blocks + int(lag or 0) // block_rows)
    features, _ = fitted.detector.unroll(  # type: ignore[attr-defined]
        fitted.detector.start(),  # type: ignore[attr-defined]
        fitted.chain.transform(frame).frame,
    )
    last = len(answer.contributions) - 1
    game = lagged_game(fitted, features.frame.numeric()[last], owners)
    require_exact(answer, last, game, shapley, (2 if groups else 3) * blocks)


@pytest.mark.parametrize("detector", ["mahalanobis", "pca"])
def test_blocks_of_rows_behind_linear_features_have_their_own_values(
    model: Model, watched: Watched, shapley: Shapley, detector: str
) -> None:
    """Means and slopes mix the rows; the quadratic form of the raw cells tells them apart."""
    fitted, frame = model(detector, SCALE, LINEAR), one_asset(watched(12, spikes=0.3))
    answer = attributed(fitted, frame, PlayerChoice(2))
    assert answer.method == "quadratic"
    owners = [[0, 2, 4], [0, 2, 4], [1, 3, 5]]
    for k in (0, 9):
        game = window_game(fitted, frame.take(slice(k, k + 3)), owners)
        require_exact(answer, k, game, shapley, 6)
    full = answered(fitted, frame, PlayerChoice(2), view=View.FULL)
    for k, record in enumerate(full.explanations):
        sums = np.zeros(6)
        for cell in record.cells:
            sums[owners[cell.lag]["pqr".index(cell.signal)]] += cell.contribution
        np.testing.assert_allclose(sums, answer.contributions[k], atol=1e-9 * sum(abs(sums)))


def test_a_block_as_long_as_the_window_needs_no_linear_feature(
    model: Model, watched: Watched
) -> None:
    fitted, frame = model("gmm", WHOLE), watched(40)
    whole = attributed(fitted, frame, PlayerChoice(3))
    assert (
        whole.contributions.tobytes()
        == attributed(fitted, frame, PlayerChoice()).contributions.tobytes()
    )
    assert whole.label is Label.EXACT


@pytest.mark.parametrize(
    ("detector", "chain"), [("ewma", ()), ("gmm", (WHOLE,)), ("mahalanobis", (WHOLE,))]
)
def test_rows_that_features_mix_cannot_be_told_apart(
    model: Model, watched: Watched, detector: str, chain: tuple[Step, ...]
) -> None:
    fitted, frame = model(detector, *chain), watched(40)
    with pytest.raises(UnsupportedPairError, match="signals or groups of signals") as caught:
        answered(fitted, frame, PlayerChoice(2))
    assert caught.value.field == "policy.players"
    answer = answered(fitted, frame, PlayerChoice(2), allow_unexplained=True)
    assert answer.attribution is None
    assert len(answer.scores)


def test_blocks_by_raw_cells_have_one_explainer(model: Model, watched: Watched) -> None:
    fitted, frame = model("mahalanobis", LINEAR), one_asset(watched(9))
    for more in ({"explainer": "permutation_shap"}, {"cross_checks": ("lime",)}):
        with pytest.raises(UnsupportedPairError, match="'quadratic' alone"):
            answered(fitted, frame, PlayerChoice(1), **more)
    named = answered(fitted, frame, PlayerChoice(1), explainer="quadratic")
    assert named.attribution is not None
    far = frame.values.copy()
    far[5, 0] = 1e300
    with pytest.raises(UnsupportedPairError, match="so far out"):
        answered(fitted, frame.with_numeric(far), PlayerChoice(1))


def refused(
    choice: Callable[[], PlayerChoice], fitted: FittedPipeline, frame: Frame
) -> ClarionError:
    with pytest.raises(ClarionError) as caught:
        answered(fitted, frame, choice())
    return caught.value


@pytest.mark.parametrize(
    ("groups", "field"),
    [
        ((("a", ("p", "no_such")),), "policy.groups[0].signals[1]"),
        ((("a", ("p",)), ("b", ("q", "p"))), "policy.groups[1].signals[1]"),
        ((("a", ("p", "p")),), "policy.groups[0].signals[1]"),
        ((("a", ()),), "policy.groups[0].signals"),
        ((("", ("p",)),), "policy.groups[0].name"),
        ((("q", ("p",)),), "policy.groups"),
        ((("a", ("p",)), ("a", ("q",))), "policy.groups"),
    ],
)
def test_groups_that_cannot_be_are_refused_by_field(
    model: Model, watched: Watched, groups: tuple[tuple[str, tuple[str, ...]], ...], field: str
) -> None:
    def choice() -> PlayerChoice:
        return PlayerChoice(groups=tuple(SignalGroup(*group) for group in groups))

    error = refused(choice, model("ecod", SCALE), watched(30))
    assert isinstance(error, InvalidParameterError)
    assert error.field == field


@pytest.mark.parametrize("rows", [0, -3])
def test_a_block_has_a_row_at_least(rows: int) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        PlayerChoice(rows)
    assert caught.value.field == "policy.block_rows"


def test_more_players_than_a_frame_may_have_signals_are_refused() -> None:
    names = [f"x{i}" for i in range(5)]
    assert len(Roster.of(PlayerChoice(2), names, last_lag=1000).players) == 5 * 501
    with pytest.raises(LimitExceededError, match="5005 players, more than 4096") as caught:
        Roster.of(PlayerChoice(1), names, last_lag=1000)
    assert caught.value.field == "policy.block_rows"
    wide = [f"x{i}" for i in range(5000)]
    for choice in (PlayerChoice(), PlayerChoice(10)):
        assert len(Roster.of(choice, wide, last_lag=9).players) == 5000


def test_however_long_a_window_is_its_blocks_are_found_by_its_ends() -> None:
    """Row by row a billion of them would take all memory."""
    roster = Roster.of(PlayerChoice(10**7), ["x", "y"], last_lag=10**9)
    assert len(roster.players) == 2 * 101
    ends = [(0, 10**9), (10**7, 2 * 10**7 - 1)]
    assert roster.reading([(0,), (0, 1)], ends) == ((0, 100), (1, 102))


@pytest.mark.parametrize(
    ("detector", "chain"), [("gmm", (WHOLE,)), ("lof", (LINEAR,)), ("mahalanobis", (LINEAR,))]
)
@pytest.mark.parametrize("choice", [PUMP, PlayerChoice(3)])
def test_a_row_gets_the_same_bits_alone_and_in_a_batch(
    model: Model, watched: Watched, detector: str, chain: tuple[Step, ...], choice: PlayerChoice
) -> None:
    fitted, frame = model(detector, *chain), one_asset(watched(24))
    together = attributed(fitted, frame, choice)
    for k in (0, 11, 21):
        alone = attributed(fitted, frame.take(slice(k, k + 3)), choice)
        assert alone.contributions.tobytes() == together.contributions[k].tobytes()


@pytest.mark.parametrize("choice", [PlayerChoice(), PUMP])
@pytest.mark.parametrize("detector", ["gmm", "ecod", "isolation_forest", "lof", "knn"])
def test_cells_of_a_player_sum_to_what_it_got(
    model: Model, watched: Watched, detector: str, choice: PlayerChoice
) -> None:
    fitted, frame = model(detector, WHOLE), one_asset(watched(9, spikes=0.4))
    answer = answered(fitted, frame, choice, view=View.FULL)
    assert answer.attribution is not None
    owner = {"p": 0, "q": 1, "r": 0 if choice.groups else 2}
    for k, record in enumerate(answer.explanations):
        sums = np.zeros(max(owner.values()) + 1)
        for cell in record.cells:
            sums[owner[cell.signal]] += cell.contribution
            assert cell.unit == {"p": "bar", "q": "A", "r": ""}[cell.signal]
        wanted = answer.attribution.contributions[k]
        np.testing.assert_allclose(sums, wanted, atol=1e-9 * max(1.0, np.abs(wanted).sum()))
        assert record.cells_label is Label.ADDITIVE


@pytest.mark.parametrize(
    ("detector", "chain", "choice", "label"),
    [
        ("gmm", (SCALE,), PlayerChoice(), Label.EXACT),
        ("mahalanobis", (LINEAR,), PlayerChoice(), Label.EXACT),
        ("gmm", (SCALE,), PUMP, Label.ADDITIVE),
        ("gmm", (LINEAR,), PlayerChoice(), Label.ADDITIVE),
        ("knn", (SCALE,), PlayerChoice(), Label.ADDITIVE),
        ("ewma", (), PlayerChoice(), Label.ADDITIVE),
    ],
)
def test_cells_are_exact_where_each_is_a_signal_or_has_a_closed_form(
    model: Model,
    watched: Watched,
    detector: str,
    chain: tuple[Step, ...],
    choice: PlayerChoice,
    label: Label,
) -> None:
    answer = answered(model(detector, *chain), one_asset(watched(9)), choice, view=View.FULL)
    assert {record.cells_label for record in answer.explanations} == {label}


def test_a_budget_must_do_for_the_cells_of_the_full_view_too(
    model: Model, watched: Watched
) -> None:
    """Six features a signal are explained beside the three signals: 16 pairs of either."""
    fitted, frame = model("lof", WHOLE), watched(40)
    players, features = 16 * 2 * 2, 16 * 2 * 17
    policy = {"rows": (20,), "view": View.FULL}
    error = None
    try:
        answered(fitted, frame, PlayerChoice(), max_evaluations=players + features - 1, **policy)
    except BudgetExceededError as raised:
        error = raised
    assert error is not None
    assert error.metadata["needed"] == str(players + features)
    enough = answered(fitted, frame, PlayerChoice(), max_evaluations=players + features, **policy)
    assert enough.explanations[0].cells
    assert answered(
        fitted, frame, PlayerChoice(), max_evaluations=players, rows=(20,), view=View.BASIC
    ).explanations


def test_players_and_cells_together_keep_to_the_budget(
    model: Model, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Free are the row itself, and the background: once for each of the two games, and for culprits."""
    fitted, frame, counted = replace(model("lof", WHOLE)), watched(40), list[int]()
    quiet = int(np.flatnonzero(~fitted.run(frame)[0].anomalous)[0])
    row = int(fitted.run(frame)[0].source_rows[quiet])

    def counting(name: str, detector: FittedDetector, features: Frame) -> FloatArray:
        counted.append(len(features))
        return row_scores(name, detector, features)

    monkeypatch.setattr("clarion.pipeline.run.row_scores", counting)
    answered(fitted, frame, PlayerChoice(), max_evaluations=1000, rows=(row,), view=View.FULL)
    assert 900 < sum(counted) <= 1000 + 3 * len(fitted.background) + 3


def test_a_stream_shares_out_as_a_batch_does(model: Model, watched: Watched) -> None:
    fitted, frame = model("var", SCALE), one_asset(watched(40, spikes=0.3))
    policy = ExplanationPolicy(ExplainedRows.ALL, view=View.FULL, players=PlayerChoice(2))
    whole, memory, seen = fitted.run(frame, policy)[0], Memory(), 0
    assert whole.attribution is not None
    for start in range(0, 40, 7):
        part, memory = fitted.run(frame.take(slice(start, start + 7)), policy, memory=memory)
        for k, record in enumerate(part.explanations):
            assert part.attribution is not None
            same = whole.attribution.contributions[seen]
            assert part.attribution.contributions[k].tobytes() == same.tobytes()
            gap = sum(c.contribution for c in record.cells) - (record.score - record.base_value)
            size = sum(abs(c.contribution) for c in record.cells)
            assert abs(gap) <= 1e-9 * max(1.0, abs(record.score), size)
            seen += 1
    assert seen == len(whole.explanations)


def test_only_a_few_choices_of_players_are_kept(model: Model, watched: Watched) -> None:
    games = model("ecod", SCALE).reasoner.games
    for name in "abcdefgh":
        games.of(PlayerChoice(groups=(SignalGroup(name, ("p", "q")),)))
    assert len(games._chosen) == 4
