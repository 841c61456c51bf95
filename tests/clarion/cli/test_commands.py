"""The commands against a real server, from a file to an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score


def document(ran: Any) -> Any:
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_a_fit_says_how_it_is_calibrated(cli: Any, history: Path) -> None:
    fit = ("fit", "shown", history, "--time", "when", "--drop", "fault", "--detector", "knn")
    ran = cli(*fit, "--set", "detector.neighbours=3", "--rate", "0.02")
    assert ran.code == 0
    assert "models/shown/versions/1" in ran.out
    assert "knn(" in ran.out
    assert "neighbours=3" in ran.out
    assert "3: flow, heat, noise" in ran.out
    version = document(cli("models", "show", "shown", "--json", "-"))
    assert version["spec"]["detector"]["parameters"]["neighbours"] == 3
    assert version["calibration"]["false_alarm_rate"] == 0.02
    assert version["fitted_row_count"] + version["calibration"]["row_count"] == 500


def test_a_fit_from_a_spec_is_the_fit_from_options(cli: Any, history: Path, tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(
        json.dumps({"detector": {"plugin": "ecod"}, "features": ["standardize"], "seed": 3})
    )
    read = ("--time", "when", "--drop", "fault", "--json", "-")
    one = document(cli("fit", "by-spec", history, *read, "--spec", spec))
    given = ("--detector", "ecod", "--features", "standardize", "--seed", "3")
    other = document(cli("fit", "by-options", history, *read, *given))
    assert one["spec"] == other["spec"]
    assert one["calibration"]["threshold"] == other["calibration"]["threshold"]


def test_auto_says_what_it_took(cli: Any, history: Path) -> None:
    ran = cli("fit", "auto", history, "--time", "when", "--drop", "fault", "--detector", "auto")
    assert ran.code == 0, ran.err
    version = document(cli("models", "show", "auto", "--json", "-"))
    assert f"the recipe {version['choice']['chosen_recipe']}: " in ran.out
    for candidate in version["choice"]["candidates"]:
        assert candidate["recipe"] in ran.out
    assert "recipes" in cli("plugins", "list", "recipes").out


def test_scores_name_the_strangest_row_and_why(cli: Any, pump: str, today: Path) -> None:
    ran = cli("score", pump, today, "--time", "when", "--explain", "--limit", "1")
    assert ran.code == 0
    assert "left out, for the model does not know them: fault" in ran.err
    (line,) = [text for text in ran.out.splitlines() if text.strip().startswith("40 ")]
    assert "2024-01-02 16:00" in line
    assert "heat" in line
    assert "Row 40 at 2024-01-02T16:00:00Z is anomalous" in ran.out


def test_anomalies_can_fail_a_run(cli: Any, pump: str, today: Path) -> None:
    score = ("score", pump, today, "--time", "when", "--fail-on-anomaly")
    assert cli(*score).code == 3
    assert cli(*score, "--rows", "40:41", "--rate", "0.2").code == 3
    assert cli("score", pump, today, "--time", "when").code == 0


def test_scores_as_json_are_judged_as_scikit_learn_does(cli: Any, pump: str, today: Path) -> None:
    answer = document(cli("score", pump, today, "--label", "fault", "--explain", "--json", "-"))
    scores, truth = np.array(answer["scores"]), np.arange(60) == 40
    assert answer["judgement"]["roc_auc"] == pytest.approx(roc_auc_score(truth, scores))
    assert answer["judgement"]["pr_auc"] == pytest.approx(average_precision_score(truth, scores))
    assert answer["source_rows"] == list(range(60))
    anomalous = [row for row, flag in enumerate(answer["anomalous"]) if flag]
    assert answer["anomalies"] == len(anomalous)
    assert [e["row"] for e in answer["explanations"]] == anomalous
    assert 40 in anomalous


def test_many_rows_are_the_same_in_one_frame_or_many(
    cli: Any, pump: str, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = ("score", pump, history, "--explain", "--rate", "0.05", "--json", "-")
    whole = document(cli(*score))
    monkeypatch.setattr("clarion.cli.scoring.ROWS_A_FRAME", 7)
    cut = document(cli(*score))
    assert cut == whole
    assert any(f"Row {e['row']} " in e["summary"] for e in whole["explanations"])


def test_one_row_is_explained_and_what_would_be(cli: Any, pump: str, today: Path) -> None:
    explain = ("explain", pump, today, "--row", "40")
    why = document(cli(*explain, "--lime", "--json", "-"))
    assert why["row"] == 40
    assert why["anomalous"]
    assert "heat" in [culprit["signal"] for culprit in why["culprits"]]
    total = why["base_value"] + sum(r["contribution"] for r in why["signal_ranking"])
    assert total == pytest.approx(why["score"], rel=1e-9)
    (check,) = why["cross_checks"]
    assert check["method"] == "lime"
    ends = zip(check["lows"], check["values"], check["highs"], strict=True)
    assert all(low <= value <= high for low, value, high in ends)
    assert len(check["lows"]) == len(check["signals"])
    edits = ("--edit", "heat=0.0", "--edit", "flow=0.0", "--edit", "noise=0")
    assert not document(cli(*explain, *edits, "--json", "-"))["anomalous"]
    shown = cli(*explain, "--lime")
    beside = ("lime (R²", "95 %")
    for words in ("verdict", "anomalous", "culprit", "cleared", *beside, "It would look normal"):
        assert words in shown.out


def test_a_group_of_signals_is_explained_as_one(cli: Any, pump: str, today: Path) -> None:
    explain = ("explain", pump, today, "--row", "40", "--group", "pipe=heat,flow", "--lime")
    why = document(cli(*explain, "--json", "-"))
    assert why["signal_ranking"] == []
    assert why["player_ranking"][0]["player"]["name"] == "pipe"
    assert why["player_ranking"][0]["player"]["signals"] == ["heat", "flow"]
    assert set(why["cross_checks"][0]["signals"]) == {"pipe", "noise"}
    shown = cli(*explain)
    assert shown.out.count("pipe") >= 3  # ranked, cross-checked, summed up
    blocks = document(cli(*explain[:5], "--block-rows", "1", "--json", "-"))
    assert {r["player"]["first_lag"] for r in blocks["player_ranking"]} == {0}
    assert cli(*explain[:5], "--group", "pipe").code == 2
    assert cli(*explain[:5], "--group", "pipe=cold").code == 1


def test_windows_show_their_cells(cli: Any, history: Path, today: Path) -> None:
    read = ("--time", "when", "--drop", "fault")
    steps = ("--detector", "mahalanobis", "--features", "window_statistics", "--ordered")
    chosen = ("--set", "window_statistics.window=4")
    assert cli("fit", "windows", history, *read, *steps, *chosen).code == 0
    why = document(cli("explain", "windows", today, *read, "--row", "41", "--cells", "--json", "-"))
    assert {cell["lag"] for cell in why["cells"]} == {0, 1, 2, 3}
    assert why["since_time"].startswith("2024-01-02T16:00:00")
    assert why["run_count"] == 2


def test_several_files_are_several_assets(cli: Any, pump: str, history: Path, today: Path) -> None:
    ran = cli("score", pump, history, today, "--time", "when", "--limit", "1")
    assert ran.code == 0
    assert "560 of 560 rows" in ran.out
    assert "today.csv" in ran.out


def test_archives_and_tables_without_a_header_are_read(cli: Any, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(300, 2))
    labels = np.arange(300) % 50 == 0
    archive, bare, names = tmp_path / "a.npz", tmp_path / "a.txt", tmp_path / "names.csv"
    np.savez(archive, first=rows, second=rows[:40], second_label=labels[:40].astype(np.int8))
    fitted = document(
        cli("fit", "npz", archive, "--array", "first", "--detector", "ecod", "--json", "-")
    )
    read = ("--array", "second", "--label", "second_label", "--json", "-")
    scored = document(cli("score", "npz", archive, *read))
    assert (scored["rows"], scored["judgement"]["positives"]) == (40, 1)
    words = ["bad" if label else "good" for label in labels]
    bare.write_text("".join(f"{a},{b},{w}\n" for (a, b), w in zip(rows, words, strict=True)))
    names.write_text("x,continuous\ny,continuous\n")
    labelled = ("--columns-from", names, "--label", "c3", "--normal", "good", "--json", "-")
    same = document(cli("fit", "bare", bare, *labelled, "--detector", "ecod"))
    assert [s["name"] for s in same["signals"]] == ["x", "y"]
    assert same["fitted_row_count"] + same["calibration"]["row_count"] == 294
    assert len(fitted["signals"]) == 2


def test_models_are_listed_and_deleted(cli: Any, history: Path) -> None:
    fit = ("fit", "gone", history, "--time", "when", "--drop", "fault", "--detector", "ecod")
    assert cli(*fit).code == cli(*fit).code == 0
    assert "models/gone" in cli("models", "list").out
    names = [v["name"] for v in document(cli("models", "versions", "gone", "--json", "-"))]
    assert names == ["models/gone/versions/2", "models/gone/versions/1"]
    assert cli("models", "delete", "models/gone/versions/1", "--yes").code == 0
    left = document(cli("models", "versions", "gone", "--json", "-"))
    assert [v["name"] for v in left] == names[:1]
    assert cli("models", "delete", "gone", "--yes").code == 0
    assert "models/gone " not in cli("models", "list").out


def test_plugins_are_listed_shown_and_checked(cli: Any) -> None:
    listed = document(cli("plugins", "list", "--json", "-"))
    assert {"plugins/detectors/mahalanobis", "plugins/sources/files"} <= {p["name"] for p in listed}
    detectors = document(cli("plugins", "list", "detectors", "--json", "-"))
    assert {p["family"] for p in detectors} == {"detectors"}
    shown = cli("plugins", "show", "knn")
    assert "neighbours" in shown.out
    assert ">= 1, <= 1,000" in shown.out
    checked = cli("plugins", "check", "standardize", "--set", "centered=true")
    assert checked.code == 0
    assert "features/standardize keeps every law" in checked.out
    assert "check_any_cut_gives_the_same_features" in checked.out


def test_a_plugin_that_breaks_a_law_fails_its_check(
    offline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clarion_features.standardize import FittedStandardize

    monkeypatch.setattr(FittedStandardize, "reads", property(lambda self: {}))
    ran = offline("plugins", "check", "features/standardize")
    assert ran.code == 1
    assert "broken check_reads_are_real" in ran.out
    assert "features/standardize breaks" in ran.err


def test_a_rate_out_of_reach_is_extrapolated_where_it_is_asked_for(
    cli: Any, tmp_path: Path
) -> None:
    rows = np.random.default_rng(1).normal(size=(4200, 2))
    path = tmp_path / "calm.csv"
    np.savetxt(path, rows, delimiter=",", header="a,b", comments="")
    fitted = cli("fit", "calm", path, "--detector", "mahalanobis", "--promise", "certain")
    assert fitted.code == 0, fitted.err
    assert "promised with 95 % certainty" in fitted.out
    assert "extrapolated down to" in fitted.out
    rare = ("--rate", "0.0003", "--json", "-")
    assert cli("score", "calm", path, *rare).code == 1
    usual = document(cli("score", "calm", path, "--json", "-"))
    scored = document(cli("score", "calm", path, *rare, "--allow-extrapolated"))
    assert scored["threshold"] > usual["threshold"]
    assert len(scored["extrapolated"]) == 4200
    explained = ("explain", "calm", path, "--row", "0", *rare)
    assert cli(*explained).code == 1
    told = document(cli(*explained, "--allow-extrapolated"))
    assert told["threshold"] == scored["threshold"]
