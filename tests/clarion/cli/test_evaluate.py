"""`clarion evaluate`, from labelled files to a table, JSON and a page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn import metrics

from clarion.cli.evaluation_tables import duration, share

BASELINES = ("always_alarm", "random", "zscore")


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 300 hours of the pump with two troubles, named, and the number of each."""
    rng = np.random.default_rng(5)
    flow, noise = rng.normal(size=(2, 300))
    heat = flow + 0.1 * rng.normal(size=300)
    fault = np.repeat("", 300).astype(object)
    fault[50:60], fault[200:230] = "leak", "clog"
    heat[50:60] += 3.0
    heat[215:230] += 5.0
    lines = ["when,flow,heat,noise,fault,bad,number"]
    for hour in range(300):
        stamp = np.datetime64("2024-02-01T00:00:00") + np.timedelta64(hour, "h")
        number = {"leak": 4, "clog": 7}.get(fault[hour], "")
        cells = (flow[hour], heat[hour], noise[hour], fault[hour] or "none", int(fault[hour] != ""))
        lines.append(",".join(map(str, (f"{stamp}Z", *cells, number))))
    path = tmp_path_factory.mktemp("data") / "labelled.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def evaluated(cli: Any, pump: str, labelled: Path) -> Any:
    ran = cli("evaluate", pump, labelled, "--time", "when", "--label", "bad", "--json", "-")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_figures_are_those_of_scikit_learn_on_what_score_says(
    cli: Any, pump: str, labelled: Path, evaluated: Any
) -> None:
    scored = json.loads(cli("score", pump, labelled, "--time", "when", "--json", "-").out)
    scores, alarms = np.array(scored["scores"]), np.array(scored["anomalous"])
    truth = np.zeros(300, bool)
    truth[50:60] = truth[200:230] = True
    model = evaluated["figures"][0]
    assert evaluated["threshold"] == scored["threshold"]
    assert model["roc_auc"] == pytest.approx(metrics.roc_auc_score(truth, scores))
    assert model["pr_auc"] == pytest.approx(metrics.average_precision_score(truth, scores))
    assert model["recall"] == pytest.approx(metrics.recall_score(truth, alarms))
    assert model["precision"] == pytest.approx(metrics.precision_score(truth, alarms))
    assert model["f1"] == pytest.approx(metrics.f1_score(truth, alarms))
    assert model["recall"] < 0.9  # half of the clog cannot be seen, and is not adjusted for
    assert model["events"]["recall"] == 1.0
    assert model["events"]["delay_seconds"] == 3600 * model["events"]["delay_rows"]
    assert [row["name"] for row in evaluated["figures"][1:]] == list(BASELINES)


def test_the_table_names_the_baselines_and_the_upper_bound(
    cli: Any, pump: str, labelled: Path, evaluated: Any
) -> None:
    ran = cli("evaluate", pump, labelled, "--time", "when", "--label", "bad", "--attack", "fault")
    assert ran.code == 0, ran.err
    for name in ("mahalanobis", *(f"({name})" for name in BASELINES)):
        rows = [line.split() for line in ran.out.splitlines() if line.split()[:1] == [name]]
        assert len(rows) == 2, name  # row by row, and event by event
    shown = next(line.split() for line in ran.out.splitlines() if "mahalanobis" in line.split())
    model = evaluated["figures"][0]
    keys = ("recall", "false_alarm_rate", "precision", "f1", "roc_auc", "pr_auc", "vus_pr")
    assert shown[1:] == [f"{model[key]:.4f}" for key in (*keys, "best_f1_upper_bound")]
    for words in ("best F1 (upper bound)", "from held-out training rows alone", "alarms/asset-day"):
        assert words in ran.out
    assert re.search(r"leak +10 +1\.0000 +1\.0000", ran.out)
    assert re.search(r"clog +30 ", ran.out)
    assert "40 (13.33%) labelled anomalous" in ran.out
    assert ran.err.rstrip().endswith("the model does not know them: number")  # no labels, no names


def test_names_come_from_the_label_itself_or_from_numbers(
    cli: Any, pump: str, labelled: Path
) -> None:
    read = ("evaluate", pump, labelled, "--time", "when", "--json", "-")
    same = cli(*read, "--label", "fault", "--normal", "none", "--attack", "fault")
    numbers = cli(*read, "--label", "bad", "--attack", "number")
    found = [
        {n["name"]: n["row_count"] for n in json.loads(ran.out)["figures"][0]["name_recalls"]}
        for ran in (same, numbers)
    ]
    assert found == [{"clog": 30, "leak": 10}, {"4": 10, "7": 30}]


def test_rows_without_times_have_no_events_unless_told(cli: Any, pump: str, labelled: Path) -> None:
    read = ("evaluate", pump, labelled, "--drop", "when", "--label", "bad")
    assert "event recall" not in cli(*read).out
    told = cli(*read, "--ordered")
    assert "event recall" in told.out
    assert "alarms/asset-day" not in told.out


def test_the_page_needs_nothing_but_itself_and_shows_what_was_found(
    cli: Any, pump: str, labelled: Path, tmp_path: Path, evaluated: Any
) -> None:
    page = tmp_path / "report.html"
    read = ("evaluate", pump, labelled, "--time", "when", "--label", "bad", "--attack", "fault")
    assert cli(*read, "--report", page, "--drop", "number").code == 0
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert not re.findall(r"(?:src|href|url\()\s*=?\s*[\"']?https?:", text)
    for name in BASELINES:
        assert text.count(f"({name})") == 3  # by row, by event, by name
    for words in ("ROC", "Precision and recall", "best F1 (upper bound)", "No point adjustment"):
        assert words in text
    pictures = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", text)]
    named = {"".join(picture[0].itertext()): picture for picture in pictures}
    classes = [element.attrib.get("class") for element in named["highest score"].iter()]
    assert classes.count("threshold") == 1
    assert classes.count("span") == 2 + 1  # two troubles, and the legend
    alarms = sum(1 for count in evaluated["trace"]["alarm_counts"] if count)
    assert classes.count("anomaly") == alarms + 1
    assert f"{evaluated['figures'][0]['roc_auc']:.4f}" in text


def test_a_page_without_order_says_what_is_missing(
    cli: Any, pump: str, labelled: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    read = ("evaluate", pump, labelled, "--drop", "when", "--label", "bad", "--report", page)
    assert cli(*read).code == 0
    text = page.read_text(encoding="utf-8")
    assert "neither times nor a known order" in text
    assert "over time" not in text
    assert text.count("<svg") == 4


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ([], 2, "say which --label column"),
        (["--label", "bad", "--rows", "0:40"], 1, "INVALID_PARAMETER: .*all 40 labels say normal"),
        (["--label", "bad", "--attack", "kind"], 1, "INVALID_FRAME: there is no column 'kind'"),
        (["--label", "bad", "--rate", "1e-9"], 1, "UNREACHABLE_RATE: "),
    ],
)
def test_what_cannot_be_judged_is_said(
    cli: Any, pump: str, labelled: Path, options: list[str], code: int, message: str
) -> None:
    ran = cli("evaluate", pump, labelled, "--time", "when", *options)
    assert ran.code == code
    assert re.search(message, " ".join(re.sub(r"[│╭╮╰╯─]", " ", ran.err).split()))


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(3)
    lines = ["src_ip,dst_port,bytes,rate,attack"]
    for row in range(400):
        attack = int(row >= 300 and row % 5 == 0)
        size, rate = rng.normal(size=2) + 4 * attack
        lines.append(f"10.0.0.{row % 9},{80 + row % 3},{size},{rate},{attack}")
    path = tmp_path_factory.mktemp("data") / "network.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_identifiers_are_left_out_of_a_fit_unless_kept(cli: Any, network: Path) -> None:
    read = (network, "--label", "attack", "--detector", "mahalanobis", "--rows", "0:300")
    ran = cli("fit", "net", *read)
    assert ran.code == 0, ran.err
    assert "2: bytes, rate" in ran.out
    assert "(--keep-identifiers keeps them): src_ip, dst_port" in ran.err
    judge = (network, "--label", "attack", "--rows", "300:")
    clean = cli("evaluate", "net", *judge)
    assert "beware" not in clean.out
    assert "does not know them: src_ip, dst_port" in clean.err
    kept = cli("fit", "net-kept", *read, "--keep-identifiers")
    assert kept.code == 0, kept.err
    assert "addresses" not in kept.err
    beware = re.search(r"beware .*\((.*)\): these", cli("evaluate", "net-kept", *judge).out)
    assert beware is not None
    assert set(beware[1].split(", ")) == {"src_ip", "dst_port"}


def test_nothing_but_identifiers_is_no_data(cli: Any, network: Path) -> None:
    drop = ("--drop", "bytes", "--drop", "rate", "--label", "attack", "--detector", "knn")
    ran = cli("fit", "nobody", network, *drop)
    assert ran.code == 1
    assert "INVALID_FRAME: every signal is an address" in ran.err
    assert "--keep-identifiers keeps them" in ran.err


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "-"),
        (0.0, "0 s"),
        (0.25, "0.25 s"),
        (90.0, "1.5 min"),
        (7200.0, "2 h"),
        (2e5, "2.31 d"),
    ],
)
def test_durations_have_the_unit_that_people_would_say(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_a_share_that_is_not_defined_is_not_zero() -> None:
    assert (share(None), share(0.0)) == ("-", "0.0000")
