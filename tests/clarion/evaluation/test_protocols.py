from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from clarion.errors import InvalidFrameError, InvalidParameterError
from clarion.evaluation.baselines import baselines
from clarion.evaluation.figures import Figures, Labelled
from clarion.evaluation.identifiers import identifies, without_identifiers
from clarion.evaluation.injection import Injection, inject
from clarion.evaluation.injectors import Injector
from clarion.evaluation.protocols import judge, judge_fitted, score
from clarion.evaluation.volume import volume
from clarion.frames import Asset, Frame, Signal
from clarion.pipeline.fit import fit
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.registry import Registries

MAHALANOBIS = PipelineSpec(Step("mahalanobis"), false_alarm_rate=0.02)
WINDOWED = PipelineSpec(
    Step("mahalanobis"),
    (Step("window_statistics", {"window": 8, "statistics": ["mean", "sd"]}),),
    false_alarm_rate=0.02,
)
SECOND = 10**9


@pytest.fixture(scope="module")
def registries() -> Registries:
    return load_plugins()


def plant(rng: np.random.Generator, rows: int, start: int = 0) -> Frame:
    """Four sensors that follow one wave, a row a second."""
    time = np.arange(start, start + rows)
    wave = np.sin(time / 20)[:, None] * [1.0, -2.0, 0.5, 1.0]
    values = wave + 0.1 * rng.normal(size=(rows, 4))
    return Frame.of(values, ["flow", "level", "power", "heat"], time=time * SECOND)


@pytest.fixture
def train(rng: np.random.Generator) -> Frame:
    return plant(rng, 900)


@pytest.fixture
def test(rng: np.random.Generator) -> Labelled:
    made = inject(
        plant(rng, 700, 900), Injection(Injector.LEVEL, 1.0, 2), rng=rng, ordered=True, share=0.1
    )
    names = tuple("shift" if label else "" for label in made.labels)
    return Labelled(made.frame, made.labels, names, ordered=True)


def test_a_detector_stands_above_the_trivial_ones(
    train: Frame, test: Labelled, registries: Registries
) -> None:
    report = judge(MAHALANOBIS, train, test, registries=registries)
    table = {row.name: row.figures for row in report.table}
    assert list(table) == ["mahalanobis", "always_alarm", "random", "zscore"]
    best = table["mahalanobis"]
    assert best is report.figures
    assert best.roc_auc > 0.95
    for name in ("always_alarm", "random", "zscore"):
        assert best.pr_auc > table[name].pr_auc + 0.2
        assert best.volume.vus_pr > table[name].volume.vus_pr + 0.2
    assert best.confusion.recall > 0.8
    assert best.confusion.false_alarm_rate < 0.1
    assert best.events is not None
    assert best.events.recall == 1.0
    assert best.recall_by_name["shift"].rows == test.labels.sum()
    assert best.best_f1_upper_bound >= best.confusion.f1


def test_always_alarm_and_random_are_what_they_say(
    train: Frame, test: Labelled, registries: Registries
) -> None:
    table = {
        row.name: row.figures
        for row in judge(MAHALANOBIS, train, test, registries=registries).table
    }
    always, noise = table["always_alarm"], table["random"]
    assert (always.confusion.recall, always.confusion.false_alarm_rate) == (1.0, 1.0)
    assert always.roc_auc == 0.5
    assert always.pr_auc == pytest.approx(test.labels.mean())
    assert noise.roc_auc == pytest.approx(0.5, abs=0.1)
    assert noise.confusion.false_alarm_rate == pytest.approx(0.02, abs=0.02)


def test_neither_threshold_nor_score_looks_at_the_labels_judged(
    train: Frame, test: Labelled, registries: Registries
) -> None:
    plain = judge(MAHALANOBIS, train, test, registries=registries)
    flipped = judge(MAHALANOBIS, train, replace(test, labels=~test.labels), registries=registries)
    assert plain.threshold == flipped.threshold
    assert plain.scores.tobytes() == flipped.scores.tobytes()
    np.testing.assert_array_equal(plain.alarms, plain.scores >= plain.threshold)
    alone = judge(
        MAHALANOBIS,
        train,
        Labelled(test.frame.take(slice(0, 50)), test.labels[:50]),
        registries=registries,
    )
    assert alone.threshold == plain.threshold


def test_rows_are_scored_in_time_order(
    train: Frame, test: Labelled, registries: Registries, rng: np.random.Generator
) -> None:
    shuffle = rng.permutation(len(test.frame))
    shuffled = Labelled(
        test.frame.take(shuffle), test.labels[shuffle], tuple(test.names[i] for i in shuffle), True
    )
    straight = judge(WINDOWED, train, test, registries=registries)
    again = judge(WINDOWED, train, shuffled, registries=registries)
    assert again.scores.tobytes() == straight.scores.tobytes()
    assert again.figures == straight.figures
    assert again.truth.names == test.names


def test_rows_without_history_count_as_silent_unless_training_rows_came_before(
    train: Frame, test: Labelled, registries: Registries
) -> None:
    alone = judge(WINDOWED, train, test, registries=registries)
    assert alone.unscored_rows == 7
    assert not alone.alarms[:7].any()
    assert (alone.scores[:7] < alone.scores[7:].min()).all()
    behind = judge(WINDOWED, train, test, registries=registries, continues=True)
    assert behind.unscored_rows == 0
    np.testing.assert_array_equal(behind.scores[7:], alone.scores[7:])


def test_batches_give_the_scores_of_one_whole(
    train: Frame, test: Labelled, registries: Registries
) -> None:
    for spec in (WINDOWED, PipelineSpec(Step("ewma"), false_alarm_rate=0.02)):
        pipeline = fit(spec, train, registries=registries)
        small = score(pipeline, test.frame, batch_rows=37)
        whole = score(pipeline, test.frame, batch_rows=10_000)
        assert small.scores.tobytes() == whole.scores.tobytes()
        assert (len(small.seconds), len(whole.seconds)) == (math.ceil(700 / 37), 1)


def test_a_frame_too_short_for_any_score_is_silent(
    train: Frame, test: Labelled, registries: Registries
) -> None:
    pipeline = fit(WINDOWED, train, registries=registries)
    said = score(pipeline, test.frame.take(slice(0, 3)))
    assert said.unscored == 3
    assert list(said.scores) == [0.0, 0.0, 0.0]
    with pytest.raises(InvalidFrameError, match="no rows"):
        score(pipeline, test.frame.take(slice(0, 0)))


def test_known_anomalies_in_training_set_no_threshold(
    train: Frame, test: Labelled, registries: Registries
) -> None:
    both = Frame.of(
        np.concatenate([train.values, test.frame.values]),
        train.names,
        time=np.arange(1600, dtype=np.int64) * SECOND,
    )
    labels = np.concatenate([np.zeros(900, np.bool_), test.labels])
    spec = replace(MAHALANOBIS, ordered=False)
    told = judge(spec, both, test, train_labels=labels, registries=registries)
    untold = judge(spec, both, test, registries=registries)
    assert told.threshold < untold.threshold
    alarms = [
        counts.true_positives + counts.false_positives
        for report in (told, untold)
        for counts in [{row.name: row.figures.confusion for row in report.table}["zscore"]]
    ]
    assert alarms[0] > alarms[1]  # the baseline's threshold comes from the normal rows as well


def test_identifiers_are_left_out_and_named(
    train: Frame, test: Labelled, registries: Registries
) -> None:
    renamed = [replace(signal, name=name) for signal, name in _with_names(train, "SrcAddr")]
    marked = replace(train, signals=tuple(renamed))
    judged = replace(test, frame=replace(test.frame, signals=tuple(renamed)))
    report = judge(MAHALANOBIS, marked, judged, registries=registries)
    assert report.dropped == ("SrcAddr",)
    assert report.to_json()["dropped_columns"] == ["SrcAddr"]
    assert report.truth.frame.names == ("level", "power", "heat")


def _with_names(frame: Frame, first: str) -> list[tuple[Signal, str]]:
    return list(zip(frame.signals, [first, *frame.names[1:]], strict=True))


@pytest.mark.parametrize(
    "name",
    [
        "SrcAddr",
        "Dport",
        "SrcMac",
        "id.orig_h",
        "id.resp_p",
        "uid",
        "src_ip",
        "dst_port",
        "IPV4_SRC_ADDR",
        "L4_DST_PORT",
        "flow_id",
        "TransactionID",
        "srcip",
        "device-uuid",
    ],
)
def test_who_is_no_feature(name: str) -> None:
    assert identifies(name)


@pytest.mark.parametrize(
    "name",
    [
        "dst_host_same_src_port_rate",
        "orig_ip_bytes",
        "duration",
        "width",
        "pressure_mid",
        "humidity",
        "Dur",
        "SrcBytes",
        "transport",
        "portion",
        "dst_host_count",
        "number_of_ports",
    ],
)
def test_what_is_a_feature(name: str) -> None:
    assert not identifies(name)


def test_dropping_keeps_words_and_numbers_apart() -> None:
    from clarion.tables import from_columns

    frame = from_columns(
        {
            "proto": np.array(["tcp", "udp"]),
            "src_ip": np.array(["10.0.0.1", "10.0.0.2"]),
            "dport": np.array([80.0, 443.0]),
            "bytes": np.array([5.0, 7.0]),
        }
    )
    smaller, dropped = without_identifiers(frame)
    assert set(dropped) == {"src_ip", "dport"}
    assert smaller.names == ("proto", "bytes")
    assert list(smaller.values[:, 0]) == [5.0, 7.0]
    assert [smaller.signals[0].vocabulary[code] for code in smaller.codes[:, 0]] == ["tcp", "udp"]
    with pytest.raises(InvalidFrameError, match="nothing to learn from"):
        without_identifiers(from_columns({"dport": np.array([1.0])}))


def test_the_zscore_baseline_by_hand() -> None:
    train = Frame.of([[0.0, 10.0], [2.0, 14.0], [1.0, 12.0]], ["a", "b"])
    test = Frame.of([[14.0, 3.0], [12.0, np.nan]], ["b", "a"])
    found = {b.name: b for b in baselines(train, test, 0.4, np.random.default_rng(0))}["zscore"]
    # means 1 and 12, variances 2/3 and 8/3
    np.testing.assert_allclose(found.scores, [4 / (2 / 3) + 4 / (8 / 3), 0.0])
    assert list(found.alarms) == [True, False]


def test_words_alone_have_no_zscore() -> None:
    from clarion.tables import from_columns

    words = from_columns({"proto": np.array(["tcp", "udp"])})
    names = [b.name for b in baselines(words, words, 0.1, np.random.default_rng(0))]
    assert names == ["always_alarm", "random"]


def test_volumes_are_the_mean_over_assets(rng: np.random.Generator) -> None:
    labels = np.zeros(300, np.bool_)
    labels[60:120] = True
    labels[240:] = True
    asset = np.tile(np.array([0, 1, 2], np.int32), 100)
    labels[asset == 2] = False
    frame = Frame.of(
        np.zeros((300, 1)), assets=(Asset("a"), Asset("b"), Asset("quiet")), asset=asset
    )
    scores = rng.normal(size=300)
    figures = Figures.of(Labelled(frame, labels, ordered=True), scores, scores > 1)
    each = [volume(scores[asset == i], labels[asset == i]).vus_pr for i in (0, 1)]
    assert figures.volume.vus_pr == pytest.approx(np.mean(each))


def test_a_report_is_json_without_nan(train: Frame, test: Labelled, registries: Registries) -> None:
    quiet = Labelled(test.frame, np.zeros_like(test.labels), ordered=False)
    report = judge(MAHALANOBIS, train, quiet, registries=registries)
    written = json.loads(json.dumps(report.to_json(), allow_nan=False))
    row = written["table"][0]
    assert row["name"] == "mahalanobis"
    assert row["roc_auc"] is None
    assert row["vus_pr"] is None
    assert "event_recall" not in row
    assert written["threshold_from"] == "training data"
    assert written["latency_seconds"]["p50"] <= written["latency_seconds"]["p99"]
    assert PipelineSpec.from_json(written["spec"]) == report.spec
    ordered = judge(MAHALANOBIS, train, test, registries=registries).to_json()
    assert ordered["table"][0]["event_recall"] == 1.0
    assert ordered["table"][0]["recall_by_name"]["shift"]["recall"] > 0.8


def test_labels_and_names_must_fit_the_rows(train: Frame) -> None:
    with pytest.raises(InvalidParameterError, match="3 labels for 900 rows"):
        Labelled(train, np.zeros(3, np.bool_))
    with pytest.raises(InvalidParameterError, match="1 names for 900 rows"):
        Labelled(train, np.zeros(900, np.bool_), ("x",))


def test_another_rate_moves_threshold_and_baselines(
    train: Frame, test: Labelled, registries: Registries
) -> None:
    pipeline = fit(MAHALANOBIS, train, registries=registries)
    own = judge_fitted(pipeline, train, test)
    wide = judge_fitted(pipeline, train, test, false_alarm_rate=0.2)
    assert own.threshold == pipeline.calibration.threshold(0.02)
    assert wide.threshold == pipeline.calibration.threshold(0.2) < own.threshold
    np.testing.assert_array_equal(wide.alarms, wide.scores >= wide.threshold)
    for before, after in zip(own.table[2:], wide.table[2:], strict=True):
        assert after.figures.confusion.false_positives > before.figures.confusion.false_positives
        assert after.figures.roc_auc == before.figures.roc_auc


def test_progress_rises_and_what_it_raises_ends_the_work(
    train: Frame, test: Labelled, registries: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clarion.evaluation.protocols.BATCH_ROWS", 100)
    pipeline = fit(MAHALANOBIS, train, registries=registries)
    told: list[tuple[float, str]] = []
    judge_fitted(pipeline, train, test, progress=lambda *said: told.append(said))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert 0.0 <= shares[0] < shares[-1] < 1.0
    assert len([stage for _, stage in told if stage == "scoring"]) == 7
    assert {stage for _, stage in told} > {"judging mahalanobis", "judging zscore"}

    def cancelled(share: float, stage: str) -> None:
        if share > 0.3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        judge_fitted(pipeline, train, test, progress=cancelled)


def test_a_pipeline_named_as_a_baseline_keeps_its_own_row(
    train: Frame, test: Labelled, registries: Registries
) -> None:
    spec = PipelineSpec(Step("zscore"), false_alarm_rate=0.02)
    report = judge(spec, train, test, registries=registries)
    names = [row["name"] for row in report.to_json()["table"]]
    assert names == ["zscore", "always_alarm", "random", "zscore"]
