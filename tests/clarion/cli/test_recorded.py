"""The commands on recorded data, as its publishers ship it: SMD, SKAB and NSL-KDD."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def recorded() -> Path:
    folder = Path(os.environ.get("CLARION_DATA") or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        reason = f"no recorded data in {folder}; set CLARION_DATA to their folder"
        if os.environ.get("CLARION_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def document(ran: Any) -> Any:
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_a_server_of_smd_is_fitted_scored_and_explained(cli: Any, recorded: Path) -> None:
    machine = recorded / "smd" / "machine-1-2.npz"
    steps = ("--detector", "mahalanobis", "--features", "standardize")
    fitted = document(cli("fit", "smd", machine, "--array", "train", *steps, "--json", "-"))
    assert len(fitted["signals"]) == 38
    test = ("--array", "test", "--label", "test_label")
    scored = document(
        cli("score", "smd", machine, *test, "--rows", "8000:10000", "--explain", "--json", "-")
    )
    assert scored["rows"] == 2000
    assert scored["anomalies"] == len(scored["explanations"]) > 0
    strangest = max(scored["explanations"], key=lambda e: e["score"])
    alone = ("--row", 8000 + strangest["row"], "--history", "0", "--json", "-")
    again = document(cli("explain", "smd", machine, "--array", "test", *alone))
    assert again["score"] == strangest["score"]
    assert [r["signal"] for r in again["signal_ranking"]] == [
        r["signal"] for r in strangest["signal_ranking"]
    ]


def test_a_run_of_skab_is_fitted_in_time_order_and_scored(cli: Any, recorded: Path) -> None:
    run = recorded / "skab" / "other" / "10.csv.gz"
    read = ("--time", "datetime", "--drop", "changepoint", "--label", "anomaly")
    steps = ("--detector", "mahalanobis", "--features", "window_statistics", "--ordered")
    fitted = document(cli("fit", "skab", run, *read, *steps, "--rows", "0:400", "--json", "-"))
    assert fitted["history_row_count"] == 9
    scored = document(cli("score", "skab", run, *read, "--explain", "--json", "-"))
    assert scored["source_rows"][0] == 9
    assert scored["judgement"]["roc_auc"] > 0.9
    assert all(e["since_time"] and e["event_time"] for e in scored["explanations"])
    report = document(cli("evaluate", "skab", run, *read, "--json", "-"))
    assert report["unscored_row_count"] == 9  # they rank last, and score leaves them out
    assert report["figures"][0]["roc_auc"] == pytest.approx(
        scored["judgement"]["roc_auc"], abs=0.02
    )
    assert report["figures"][0]["events"]["true_event_count"] == 1
    always = report["figures"][1]["events"]
    assert always["alarms_per_asset_day"] == 24 * 3600  # a row a second
    why = cli("explain", "skab", run, *read, "--row", "700")
    assert why.code == 0, why.err
    assert "2020-" in why.out


@pytest.mark.slow
def test_nsl_kdd_is_fitted_on_normal_traffic_and_scored(cli: Any, recorded: Path) -> None:
    folder = recorded / "nsl_kdd"
    names = ("--columns-from", folder / "field_names.csv")
    read = (*names, "--label", "c42", "--normal", "normal", "--drop", "c43")
    train = folder / "KDDTrain+.txt.gz"
    fitted = document(
        cli("fit", "kdd", train, *read, "--detector", "isolation_forest", "--json", "-")
    )
    assert fitted["fitted_row_count"] + fitted["calibration"]["row_count"] == 67_343
    assert len(fitted["signals"]) == 41
    scored = document(cli("score", "kdd", folder / "KDDTest+.txt.gz", *read, "--json", "-"))
    assert scored["judgement"]["positives"] == 12_833
    assert scored["judgement"]["roc_auc"] > 0.92
    why = cli("explain", "kdd", folder / "KDDTest+.txt.gz", *read, "--row", "0", "--lime")
    assert why.code == 0, why.err
    assert "lime (R²" in why.out
    command = ("evaluate", "kdd", folder / "KDDTest+.txt.gz", *read, "--attack", "c42")
    report = document(cli(*command, "--json", "-"))
    assert report["figures"][0]["roc_auc"] == scored["judgement"]["roc_auc"]
    found = report["figures"][0]["name_recalls"]
    assert len(found) == 37
    assert sum(attack["row_count"] for attack in found) == 12_833
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    printed = [line.split() for line in cli(*command).out.splitlines()]
    shown = re.findall(
        r"^(?:isolation_forest|\((?:always_alarm|random|zscore)\)) .*$", readme, re.MULTILINE
    )
    assert len(shown) == 4
    for line in shown:
        assert line.split() in printed
