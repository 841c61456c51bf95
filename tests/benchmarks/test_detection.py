from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import common
import detection
import detection_candidates
import detection_scoring
import detection_tables
from clarion.evaluation.figures import Figures, Labelled
from clarion.evaluation.nab import PROFILES, Series, nab_score
from clarion.frames import Frame
from clarion.pipeline.spec import PipelineSpec
from detection_candidates import AUTO, CHEAP, specs
from detection_protocol import FOLDERS
from detection_readers import LAYOUTS, Limits, Split, stratified

LIMITS = Limits(300, 400)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every layout in small, under names that no public set has."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(1)
    _tables(folder / "adbench", rng)
    _machines(folder / "smd", rng)
    _experiments(folder / "skab", rng)
    _connections(folder / "nsl_kdd", rng)
    _plants(folder / "batadal", rng)
    _metrics(folder / "nab", rng)
    (folder / "tsb_uad_ecg").mkdir()
    beats = np.column_stack([np.sin(np.arange(900) / 8), np.arange(900) % 300 > 280])
    pd.DataFrame(beats).to_csv(folder / "tsb_uad_ecg" / "patient.out.gz", header=False, index=False)
    return folder


def _tables(folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir()
    for name in ("first", "second"):
        y = np.arange(260) >= 240
        np.savez(folder / f"{name}.npz", X=rng.normal(size=(260, 3)) + 5 * y[:, None], y=y * 1)
    (folder / "README.md").write_text("not a table")


def _machines(folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir()
    label = np.zeros(450, np.int8)
    label[200:230] = 1
    test = rng.normal(size=(450, 2)) + 6 * label[:, None]
    np.savez(folder / "box.npz", train=rng.normal(size=(500, 2)), test=test, test_label=label)


def _experiments(folder: Path, rng: np.random.Generator) -> None:
    for group, anomalous in (("pump", 1), ("calm", 0)):
        (folder / group).mkdir(parents=True)
        label = np.zeros(600)
        label[500:560] = anomalous
        pd.DataFrame(
            {
                "datetime": pd.date_range("2020-01-01", periods=600, freq="s"),
                "Flow": rng.normal(size=600) + 8 * label,
                "Load": rng.normal(size=600),
                "anomaly": label,
                "changepoint": label,
            }
        ).to_csv(folder / group / "one.csv", sep=";", index=False)


def _connections(folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir()
    fields = ["duration", "service", "src_ip", "difficulty_free"]
    (folder / "field_names.csv").write_text("".join(f"{name},continuous\n" for name in fields))
    for name, rows, attacks in (("big", 500, ["smurf"]), ("mid", 300, ["smurf", "worm"]),
                                ("low", 100, ["worm"])):  # fmt: skip
        bad = np.arange(rows) % 5 == 0
        attack = np.where(bad, np.resize(attacks, rows), "normal")
        columns = [rng.normal(size=rows) + 9 * bad, np.resize(["http", "dns"], rows),
                   np.arange(rows), rng.normal(size=rows), attack, bad * 21]  # fmt: skip
        table = pd.DataFrame(dict(enumerate(columns)))
        table.to_csv(folder / f"{name}.txt.gz", header=False, index=False)


def _plants(folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir()
    for name, rows, attacked in (("calm", 500, 0), ("hit", 450, 1)):
        label = np.zeros(rows, int)
        label[300:340] = attacked
        pd.DataFrame(
            {
                "DATETIME": "04/07/16 00",
                " L_T1": rng.normal(size=rows) + 7 * label,
                " F_PU1": rng.normal(size=rows),
                " ATT_FLAG": label,
            }
        ).to_csv(folder / f"{name}.csv", index=False)


def _metrics(folder: Path, rng: np.random.Generator) -> None:
    (folder / "realThing").mkdir(parents=True)
    (folder / "labels").mkdir()
    stamps = pd.date_range("2020-01-01", periods=1000, freq="5min")
    value = rng.normal(size=1000)
    value[600:640] += 9
    pd.DataFrame({"timestamp": stamps, "value": value}).to_csv(
        folder / "realThing" / "load.csv.gz", index=False
    )
    windows = {"realThing/load.csv": [[str(stamps[600]), str(stamps[639])]]}
    (folder / "labels" / "combined_windows.json").write_text(json.dumps(windows))


def read(root: Path, folder: str, regime: str = "one_class", limits: Limits = LIMITS) -> Split:
    protocol, layout = FOLDERS[folder], LAYOUTS[FOLDERS[folder].layout]
    path = layout.cases(root / folder, protocol)[0]
    return layout.split(path, protocol, regime, limits, np.random.default_rng(0))


def only(split: Split) -> Labelled:
    (test,) = split.tests.values()
    return test


def test_files_are_found_by_folder_whatever_their_names(root: Path) -> None:
    found = detection.jobs(root, list(FOLDERS))
    seen = {(job.folder, job.path.name) for job in found}
    assert {name for folder, name in seen if folder == "adbench"} == {"first.npz", "second.npz"}
    assert ("skab", "one.csv") in seen
    assert {job.path.parent.name for job in found if job.folder == "skab"} == {"pump"}
    assert {job.folder for job in found} == set(FOLDERS) - {"asd"}  # it is not there
    assert {job.regime for job in found if job.folder == "adbench"} == set(
        FOLDERS["adbench"].regimes
    )
    assert not detection.jobs(root / "nowhere", list(FOLDERS))


def test_one_class_fits_on_normal_rows_and_scores_only_others(root: Path) -> None:
    split = read(root, "adbench")
    test = only(split)
    assert (len(split.train), len(test.frame), test.labels.sum()) == (120, 140, 20)
    assert split.train_labels is not None
    assert not split.train_labels.any()
    fitted, judged = (
        {row.tobytes() for row in frame.values} for frame in (split.train, test.frame)
    )
    assert not fitted & judged


def test_unsupervised_fits_on_what_it_scores_and_is_given_no_labels(root: Path) -> None:
    split = read(root, "adbench", "unsupervised")
    assert split.train_labels is None
    assert split.train.values.tobytes() == only(split).frame.values.tobytes()


def test_few_labels_know_one_percent_of_the_anomalies(root: Path) -> None:
    split = read(root, "adbench", "few_labels")
    assert split.train_labels is not None
    assert split.train_labels.sum() == 1
    assert (len(split.train), len(only(split).frame)) == (182, 78)


def test_caps_keep_the_strata(root: Path) -> None:
    split = read(root, "adbench", limits=Limits(50, 70))
    assert len(split.train) == 50
    assert (len(only(split).frame), only(split).labels.sum()) == (70, 10)
    labels = np.arange(1000) < 2
    kept = stratified(labels, 100, np.random.default_rng(0))
    assert labels[kept].sum() == 1
    assert (np.diff(kept) > 0).all()


def test_series_keep_the_last_training_rows_and_the_first_test_rows(root: Path) -> None:
    split = read(root, "smd")
    arrays = np.load(root / "smd" / "box.npz")  # noqa: TID251 - pickle is off
    np.testing.assert_array_equal(split.train.values, arrays["train"][-300:])
    np.testing.assert_array_equal(only(split).frame.values, arrays["test"][:400])
    assert only(split).ordered
    assert split.continues


def test_experiments_train_on_their_first_rows_and_see_no_label(root: Path) -> None:
    split = read(root, "skab")
    assert (len(split.train), len(only(split).frame)) == (400, 200)
    assert split.train.names == ("Flow", "Load")
    assert only(split).labels.sum() == 60
    assert list(split.tests) == ["pump/one"]


def test_the_largest_connection_file_trains_and_the_next_counts(root: Path) -> None:
    split = read(root, "nsl_kdd").without_identifiers()
    assert list(split.tests) == ["mid", "low"]
    assert (len(split.train), split.train.names) == (
        300,
        ("duration", "service", "difficulty_free"),
    )
    assert split.train.values[:, 0].max() < 6  # normal rows only
    assert {*split.tests["mid"].names} == {"normal", "smurf", "unseen: worm"}
    assert split.tests["mid"].labels.sum() == 60


def test_plants_train_where_no_attack_was(root: Path) -> None:
    split = read(root, "batadal")
    assert list(split.tests) == ["hit"]
    assert split.train.names == ("L_T1", "F_PU1")
    assert split.train.values.max() < 6
    assert only(split).labels.sum() == 40


def test_a_metric_trains_on_its_probation(root: Path) -> None:
    split = read(root, "nab", "unsupervised")
    test = only(split)
    assert (len(split.train), len(test.frame), test.labels.sum()) == (150, 850, 40)
    assert test.frame.time is not None
    assert list(np.flatnonzero(test.labels)[[0, -1]]) == [450, 489]
    assert split.train_labels is None


def test_an_ecg_trains_on_its_first_rows(root: Path) -> None:
    split = read(root, "tsb_uad_ecg", "unsupervised")
    assert (len(split.train), len(only(split).frame)) == (300, 400)
    assert only(split).labels.sum() == 19


@pytest.fixture(scope="module")
def finished(root: Path) -> Any:
    """A run over all folders with two candidates each, in this process."""

    def few(group: str, **options: Any) -> dict[str, PipelineSpec]:
        kept = {AUTO, "isolation_forest", CHEAP[group][0], CHEAP[group][-1]}
        return {name: spec for name, spec in specs(group, **options).items() if name in kept}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detection_scoring, "specs", few)
        found: dict[str, Any] = {}
        for job in detection.jobs(root, list(FOLDERS)):
            if job.seed < 2:
                outcomes = detection_scoring.work(replace(job, limits=LIMITS))
                found.setdefault(job.folder, []).extend((job, outcome) for outcome in outcomes)
    return found, *detection.figures_of(found)


def test_every_key_of_the_table_is_there(finished: Any) -> None:
    found, figures, details = finished
    assert set(figures) == {key for keys in detection.KEYS.values() for key in keys}
    assert all(math.isfinite(value) for value in figures.values())
    assert not detection.left_out(figures, found)
    json.dumps(common.plain(details), allow_nan=False)


def test_planted_anomalies_are_found(finished: Any) -> None:
    _, figures, details = finished
    assert figures["adbench_one_class_roc_auc"] > 95
    assert figures["smd_pr_auc"] > 0.9
    assert figures["skab_f1"] > 0.6
    assert figures["nsl_kdd_roc_auc"] > 0.9
    assert figures["batadal_roc_auc"] > 0.95
    assert details["nab"]["scores"]["zscore"]["standard_upper_bound"] > 80


def test_trivial_baselines_stand_in_every_table(finished: Any) -> None:
    _, _, details = finished
    for folder in set(FOLDERS) - {"asd"}:
        for regime in FOLDERS[folder].regimes:
            rows = details[folder][regime]["candidates"]
            assert {"baseline_always_alarm", "baseline_random"} <= set(rows)
            assert rows["baseline_random"]["roc_auc"] < 0.75


def test_nab_hears_of_each_event_once() -> None:
    scores = np.full(1000, -1.0)
    scores[200:260] = scores[500:600] = 2.0
    series = Series(scores, ((500, 599),))
    figures = Figures.of(Labelled(Frame.of(scores[:, None]), scores > 9), scores, scores > 1)
    outcome = detection_scoring.Outcome("ewma", "x", True, figures, series=series)
    row = detection_tables.nab([(detection_scoring.Job("nab", Path(), "", 0, LIMITS), outcome)])[
        "ewma"
    ]
    assert row["standard"] == pytest.approx(100 - 5.5)  # one alarm outside costs 0.11 of 2
    assert row["standard_every_row"] == pytest.approx(100 - 60 * 5.5)
    assert row["standard_upper_bound"] == 0.0  # ties: no threshold tells the two runs apart


def test_regret_and_margin_are_what_they_say(finished: Any) -> None:
    _, figures, details = finished
    table = {
        regime: details["adbench"][regime]["roc_auc_by_case"]
        for regime in ("one_class", "unsupervised")
    }
    fixed = ("bagged_knn", "isolation_forest", "zscore")
    regrets = [
        max(table[regime][name][case] for name in fixed) - table[regime][AUTO][case]
        for regime in table
        for case in ("first", "second")
    ]
    assert figures["auto_regret"] == pytest.approx(100 * np.mean(regrets))
    mean = {
        name: np.mean(
            [table[regime][name][case] for regime in table for case in table[regime][name]]
        )
        for name in (*fixed, AUTO)
    }
    best = max(mean[name] for name in fixed)
    assert figures["auto_minus_best_default"] == pytest.approx(100 * (mean[AUTO] - best))


def test_a_missing_folder_leaves_its_keys_out_with_a_reason(finished: Any) -> None:
    found = {name: part for name, part in finished[0].items() if name != "skab"}
    figures, _ = detection.figures_of(found)
    reasons = detection.left_out(figures, found)
    assert set(reasons) == {"skab_f1", "skab_far", "skab_mar"}
    assert "under 'skab'" in reasons["skab_f1"]


def test_a_failing_candidate_counts_as_random() -> None:
    rng = np.random.default_rng(0)
    frame = Frame.of(rng.normal(size=(40, 2)))
    test = Labelled(frame, np.arange(40) < 10)
    split = Split(frame.take(slice(0, 5)), None, {"tiny": test})
    spec = specs("table", ordered=False, false_alarm_rate=0.01, seed=0)["zscore"]
    trivial = detection_scoring._trivial(split, 0.1, 0)
    chance = {"tiny": next(o.figures for o in trivial if o.candidate == "baseline_random")}
    (outcome,) = detection_scoring._outcomes("zscore", spec, split, chance, nab=False)
    assert "TOO_FEW_ROWS" in outcome.failure
    assert outcome.figures is chance["tiny"]
    (silent,) = detection_scoring._outcomes("zscore", spec, split, chance, nab=True)
    assert silent.series is not None
    assert silent.series.windows == ((5, 14),)
    assert nab_score([silent.series], 1.0, PROFILES["standard"]) == 0.0


def test_a_short_run_compares_fixed_defaults_on_tables_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detection_candidates, "QUICK", True)
    options = {"ordered": False, "false_alarm_rate": 0.01, "seed": 0}
    assert set(specs("table", **options)) == {AUTO, *CHEAP["table"]}  # type: ignore[arg-type]
    assert set(specs("sensors", **options)) == {AUTO}  # type: ignore[arg-type]


def test_results_are_written_without_nan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "REPOSITORY", tmp_path)
    path = common.write("some", {"a": 0.123456789, "b": math.nan}, {"c": (1, {"d": math.inf})})
    written = json.loads(path.read_text())
    assert path == tmp_path / "build" / "bench" / "some.json"
    assert written["suite"] == "some"
    assert written["figures"] == {"a": 0.123457, "b": None}
    assert written["details"]["c"] == [1, {"d": None}]
