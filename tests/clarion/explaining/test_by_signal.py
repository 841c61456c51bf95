"""Contributions of raw signals, against the game whose players are whole signals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clarion.arrays import FloatArray
from clarion.explainers import Attribution, Label, Scorable
from clarion.explaining.games import Game
from clarion.explaining.players import PlayerChoice, Roster
from clarion.frames import Asset, Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.registry import Registries
from clarion.tables import from_columns

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]
Shapley = Callable[[Callable[[tuple[int, ...]], float], int], FloatArray]

SCALE = Step("standardize")
LINEAR = Step("window_statistics", {"window": 3, "statistics": ["mean", "slope"]})
WHOLE = Step("window_statistics", {"window": 3})
CHAINS = {"scale": (SCALE,), "linear window": (LINEAR,), "window": (WHOLE, SCALE)}
COLUMNS = ExplanationPolicy(ExplainedRows.ALL, view=View.COLUMNS)


def attributed(fitted: FittedPipeline, frame: Frame) -> tuple[FloatArray, Attribution]:
    answer, _ = fitted.run(frame, COLUMNS)
    assert answer.attribution is not None
    return answer.scores, answer.attribution


def raw_game(fitted: FittedPipeline, window: Frame) -> Callable[[tuple[int, ...]], float]:
    """Worth of signals present: the mean score with all other cells from each background window.

    It knows the model by its transform and its score alone.
    """
    absent, length = fitted.background.windows, fitted.history + 1
    m = len(absent) // length
    windows = tuple(Asset(str(i)) for i in range(m))
    number = np.repeat(np.arange(m, dtype=np.int32), length)

    def worth(present: tuple[int, ...]) -> float:
        values = absent.values.copy()
        values[:, present] = np.tile(window.values[:, present], (m, 1))
        mixed = replace(absent, values=values, assets=windows, asset=number)
        return float(fitted.detector.score(fitted.chain.transform(mixed).frame).mean())

    return worth


def test_every_detector_behind_a_window_adds_up(
    model: Model, watched: Watched, any_detector: str
) -> None:
    """Late rows of one asset, for some detectors look far back."""
    policy = replace(COLUMNS, rows=tuple(range(76, 90, 2)))
    told, _ = model(any_detector, *CHAINS["window"]).run(one_asset(watched(90, spikes=0.2)), policy)
    scores, answer = told.scores[told.explained], told.attribution
    assert answer is not None
    if answer.label is not Label.SAMPLED:
        sums = answer.base_value + answer.contributions.sum(axis=1)
        size = np.maximum(np.abs(scores), np.abs(answer.contributions).sum(axis=1))
        assert (np.abs(sums - scores) <= 1e-9 * np.maximum(1, size)).all()
        assert (answer.additivity_error <= 1e-9).all()


def test_exact_means_the_shapley_values_of_the_raw_signals(
    model: Model, watched: Watched, shapley: Shapley, row_detector: str
) -> None:
    """Wherever it is claimed; but trees' own game is not the background's."""
    fitted, frame = model(row_detector, SCALE), one_asset(watched(9, spikes=0.4))
    answer = attributed(fitted, frame)[1]
    if answer.label is Label.EXACT and answer.method != "tree_shap":
        is_exact(fitted, frame, shapley)
    else:
        inexact = {"expected_gradients", "neighbours", "permutation_shap", "rescaled_sum"}
        assert answer.method in {*inexact, "tree_shap"}


@pytest.mark.parametrize(
    "detector", ["mahalanobis", "pca", "ecod", "hbos", "one_class_svm", "kde", "gmm"]
)
@pytest.mark.parametrize("chain", ["linear window", "window"])
def test_exact_stays_exact_behind_a_window(
    model: Model, watched: Watched, shapley: Shapley, detector: str, chain: str
) -> None:
    """All features of a signal switched together, however many there are."""
    fitted, frame = model(detector, *CHAINS[chain]), one_asset(watched(9, spikes=0.4))
    is_exact(fitted, frame, shapley)


def is_exact(fitted: FittedPipeline, frame: Frame, shapley: Shapley) -> None:
    answer = attributed(fitted, frame)[1]
    assert answer.label is Label.EXACT
    for k in (0, len(answer.contributions) - 1):
        window = frame.take(slice(k, k + fitted.history + 1))
        expected = shapley(raw_game(fitted, window), 3)
        scale = max(1.0, float(np.abs(expected).max()))
        np.testing.assert_allclose(answer.contributions[k], expected, atol=1e-9 * scale)
        worth = raw_game(fitted, window)(())
        assert answer.base_value[k] == pytest.approx(worth, rel=1e-9, abs=1e-9)


def one_asset(frame: Frame) -> Frame:
    return replace(frame, assets=(), asset=None)


@pytest.mark.parametrize(
    ("detector", "one_each", "several_each"),
    [
        ("mahalanobis", Label.EXACT, Label.EXACT),
        ("pca", Label.EXACT, Label.EXACT),
        ("ecod", Label.EXACT, Label.EXACT),
        ("one_class_svm", Label.EXACT, Label.EXACT),
        ("isolation_forest", Label.EXACT, Label.EXACT),
        ("knn", Label.ADDITIVE, Label.ADDITIVE),
    ],
)
def test_several_features_a_signal_are_called_exact_only_where_they_are(
    model: Model, watched: Watched, detector: str, one_each: Label, several_each: Label
) -> None:
    """The game is played among signals, by whichever explainer can."""
    frame = watched(30, spikes=0.2)
    assert attributed(model(detector, SCALE), frame)[1].label is one_each
    assert attributed(model(detector, LINEAR), frame)[1].label is several_each


@pytest.mark.parametrize("detector", ["mahalanobis", "ecod", "one_class_svm", "gmm"])
def test_words_and_holes_add_up_and_stay_exact(
    registries: Registries, shapley: Shapley, detector: str
) -> None:
    rng = np.random.default_rng(5)
    columns = {"x": rng.normal(size=400), "y": rng.normal(size=400)}
    columns["y"][::5] = np.nan
    columns["mode"] = rng.choice(["idle", "run", "stop"], 400)
    frame = from_columns(columns)
    fitted = fit(PipelineSpec(Step(detector), (SCALE,)), frame, registries=registries)
    asked = from_columns(
        {
            "x": np.array([0.1, 7.0, np.nan]),
            "y": np.array([np.nan, -6.0, 1.0]),
            "mode": np.array(["run", "never seen", "stop"]),
        }
    )
    _, answer = attributed(fitted, asked)
    assert answer.label is Label.EXACT
    assert (answer.additivity_error <= 1e-9).all()
    features = fitted.chain.transform(asked).frame
    absent = fitted.background.rows.numeric()
    owners = [fitted.origins.of[j][0] for j in range(absent.shape[1])]
    assert sorted(set(owners)) == [0, 1, 2]

    def worth(present: tuple[int, ...]) -> float:
        mixed = absent.copy()
        columns = [j for j, owner in enumerate(owners) if owner in present]
        mixed[:, columns] = features.numeric()[1, columns]
        return float(
            fitted.detector.score(
                features.take(np.zeros(len(mixed), int)).with_numeric(mixed)
            ).mean()
        )

    np.testing.assert_allclose(answer.contributions[1], shapley(worth, 3), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("detector", "label"),
    [("mahalanobis", "exact"), ("isolation_forest", "exact"), ("knn", "additive")],
)
def test_the_label_promised_beforehand_is_the_answers(detector: str, label: str) -> None:
    """Several features a signal: what is exact stays so."""
    frame = Frame.of(np.random.default_rng(2).normal(size=(300, 2)))
    windows = Step("window_statistics", {"window": 3, "statistics": ["mean", "sd"]})
    fitted = fit(PipelineSpec(Step(detector), (windows,)), frame, registries=load_plugins())
    answer, _ = fitted.run(frame, ExplanationPolicy(rows=(5,)))
    assert answer.attribution is not None
    promised = fitted.default_explainer()
    assert promised is not None
    assert promised[1] == answer.attribution.label == label


def test_a_feature_of_two_signals_is_split_between_them_and_exact_no_more() -> None:
    """Two features of one signal, and one of two signals, of which each gets half."""
    alone = Scorable(lambda f: np.zeros(len(f)), Frame.of(np.zeros((1, 3))))
    roster, reads = Roster.of(PlayerChoice(), ("a", "b", "c")), ((0,), (0,), (1, 2))
    game = Game(PlayerChoice(), roster, reads, alone, Registries())
    values, width = np.array([[1.0, -2.0, 4.0]]), np.array([0.5, 1.0, 2.0])
    zero, ends = np.zeros(1), np.stack([values - width, values + width], axis=2)
    answer = Attribution(values, zero, Label.EXACT, "lime", "slope", zero, interval=ends)
    split = game.by_player(answer, zero)
    assert game.scorable is alone
    assert split.label is Label.ADDITIVE
    assert split.contributions.tolist() == [[-1.0, 2.0, 2.0]]
    assert split.interval is not None
    assert split.interval.tolist() == [[[-2.5, 0.5], [1.0, 3.0], [1.0, 3.0]]]
    assert game.by_player(replace(answer, interval=None), zero).interval is None
