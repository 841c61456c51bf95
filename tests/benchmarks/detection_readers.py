"""From files to splits: what trains, and what is judged; a reader for each layout."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.evaluation.figures import Labelled
from clarion.evaluation.identifiers import without_identifiers
from clarion.evaluation.nab import PROBATION_ROWS, PROBATION_SHARE
from clarion.frames import Frame
from clarion.tables import from_columns
from detection_protocol import Folder


@dataclass(frozen=True, slots=True)
class Limits:
    """Rows fitted and rows scored, at most."""

    fit: int
    scored: int


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One fit, and what it is judged on.

    Attributes
    ----------
    train_labels
        As `clarion.pipeline.fit.fit` takes them: None where nobody has vetted the rows.
    tests
        By name; the first is the one that counts, the others are controls.
    continues
        Whether the tests follow upon the training rows.
    """

    train: Frame
    train_labels: BoolArray | None
    tests: dict[str, Labelled]
    continues: bool = False

    def without_identifiers(self) -> Split:
        """Return it without addresses, ports and identifiers."""
        tests = {
            name: replace(test, frame=without_identifiers(test.frame)[0])
            for name, test in self.tests.items()
        }
        return replace(self, train=without_identifiers(self.train)[0], tests=tests)


@dataclass(frozen=True, slots=True)
class Layout:
    """How to find the cases of a folder, and how to read and split one of them."""

    cases: Callable[[Path, Folder], list[Path]]
    split: Callable[[Path, Folder, str, Limits, np.random.Generator], Split]


def _files(folder: Path, *endings: str) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path.name.removesuffix(".gz").endswith(endings))


def _npz(folder: Path, protocol: Folder) -> list[Path]:
    return _files(folder, ".npz")


def _arrays(path: Path) -> Any:
    return np.load(path, allow_pickle=False)  # noqa: TID251 - pickle is off


def stratified(labels: BoolArray, at_most: int, rng: np.random.Generator) -> Int64Array:
    """Return ``at_most`` rows in order, normal and anomalous ones in their proportion; one at least."""
    if len(labels) <= at_most:
        return np.arange(len(labels))
    kept = []
    for value in (False, True):
        rows = np.flatnonzero(labels == value)
        share = max(1, round(at_most * len(rows) / len(labels))) if len(rows) else 0
        kept.append(rng.choice(rows, share, replace=False))
    return np.sort(np.concatenate(kept))


def _capped(rows: Int64Array, at_most: int, rng: np.random.Generator) -> Int64Array:
    return rows if len(rows) <= at_most else np.sort(rng.choice(rows, at_most, replace=False))


def _table(
    path: Path, protocol: Folder, regime: str, limits: Limits, rng: np.random.Generator
) -> Split:
    arrays = _arrays(path)
    labels: BoolArray = np.asarray(arrays[protocol.label]) == 1
    frame = Frame.of(np.asarray(arrays["X"], np.float64))
    known: BoolArray | None
    if regime == "unsupervised":
        fitted = _capped(np.arange(len(frame)), limits.fit, rng)
        judged, known = np.arange(len(frame)), None
    elif regime == "one_class":
        normal = rng.permutation(np.flatnonzero(~labels))
        half = normal[: len(normal) // 2]
        fitted, judged = _capped(np.sort(half), limits.fit, rng), np.setdiff1d(_all(labels), half)
        known = np.zeros(len(fitted), np.bool_)
    else:
        drawn = [rng.permutation(np.flatnonzero(labels == value)) for value in (False, True)]
        training = np.concatenate([rows[: round(0.7 * len(rows))] for rows in drawn])
        fitted, judged = (
            _capped(np.sort(training), limits.fit, rng),
            np.setdiff1d(_all(labels), training),
        )
        known = _one_percent(labels[fitted], rng)
    judged = judged[stratified(labels[judged], limits.scored, rng)]
    test = Labelled(frame.take(judged), labels[judged])
    return Split(frame.take(fitted), known, {path.stem: test})


def _all(labels: BoolArray) -> Int64Array:
    return np.arange(len(labels))


def _one_percent(labels: BoolArray, rng: np.random.Generator) -> BoolArray:
    """Return which rows are known: 1 % of the anomalous ones, one at least."""
    anomalous = np.flatnonzero(labels)
    known = np.zeros(len(labels), np.bool_)
    known[rng.choice(anomalous, max(1, round(0.01 * len(anomalous))), replace=False)] = True
    return known


def _series(
    path: Path, protocol: Folder, regime: str, limits: Limits, rng: np.random.Generator
) -> Split:
    arrays = _arrays(path)
    train = np.asarray(arrays["train"])[-limits.fit :]
    test = np.asarray(arrays["test"])[: limits.scored]
    labels: BoolArray = np.asarray(arrays[protocol.label])[: limits.scored] == 1
    return Split(
        Frame.of(train),
        np.zeros(len(train), np.bool_),
        {path.stem: Labelled(Frame.of(test), labels, ordered=True)},
        continues=True,
    )


def _csv(path: Path, protocol: Folder, **options: Any) -> tuple[Frame, BoolArray]:
    """Return the features of a table in time order, and its labels."""
    table = pd.read_csv(path, **options)
    table.columns = [name.strip() for name in table.columns]
    labels: BoolArray = table[protocol.label].to_numpy() == 1
    left = [name for name in table.columns if name not in {protocol.label, *protocol.dropped}]
    return from_columns({name: table[name].to_numpy() for name in left}), labels


def _experiments(folder: Path, protocol: Folder) -> list[Path]:
    return [
        path
        for path in _files(folder, ".csv")
        for columns in [pd.read_csv(path, sep=";", usecols=lambda name: name == protocol.label)]
        if len(columns) > protocol.train_rows and columns.to_numpy().sum() > 0
    ]


def _experiment(
    path: Path, protocol: Folder, regime: str, limits: Limits, rng: np.random.Generator
) -> Split:
    frame, labels = _csv(path, protocol, sep=";")
    cut = protocol.train_rows
    test = Labelled(frame.take(slice(cut, None)), labels[cut:], ordered=True)
    name = f"{path.parent.name}/{path.name.partition('.')[0]}"
    return Split(frame.take(slice(0, cut)), np.zeros(cut, np.bool_), {name: test}, continues=True)


def _whole_folder(folder: Path, protocol: Folder) -> list[Path]:
    return [folder]


def _kdd(
    folder: Path, protocol: Folder, regime: str, limits: Limits, rng: np.random.Generator
) -> Split:
    fields = pd.read_csv(folder / "field_names.csv", header=None)[0].tolist()
    names = [*fields, "attack", "difficulty"]
    tables = [
        (path, pd.read_csv(path, header=None, names=names)) for path in _files(folder, ".txt")
    ]
    tables.sort(key=lambda pair: len(pair[1]), reverse=True)

    def rows(table: Any, kept: Int64Array) -> tuple[Frame, tuple[str, ...]]:
        table = table.iloc[kept]
        columns = {name: table[name].to_numpy() for name in fields if name not in protocol.dropped}
        return from_columns(columns), tuple(table["attack"])

    train = tables[0][1]
    normal = np.flatnonzero((train["attack"] == "normal").to_numpy())
    fitted = _capped(normal, limits.fit, rng)
    seen = set(train["attack"])
    tests = {}
    for path, table in tables[1:]:
        labels: BoolArray = (table["attack"] != "normal").to_numpy()
        frame, attacks = rows(table, kept := stratified(labels, limits.scored, rng))
        known = tuple(name if name in seen else f"unseen: {name}" for name in attacks)
        tests[path.name.partition(".")[0]] = Labelled(frame, labels[kept], known)
    return Split(rows(train, fitted)[0], np.zeros(len(fitted), np.bool_), tests)


def _scada(
    folder: Path, protocol: Folder, regime: str, limits: Limits, rng: np.random.Generator
) -> Split:
    read = {path.name.partition(".")[0]: _csv(path, protocol) for path in _files(folder, ".csv")}
    quiet = max((f for f, labels in read.values() if not labels.any()), key=len)
    train = quiet.take(slice(max(len(quiet) - limits.fit, 0), None))
    tests = {
        name: Labelled(frame.take(slice(0, limits.scored)), labels[: limits.scored], ordered=True)
        for name, (frame, labels) in read.items()
        if labels.any()
    }
    return Split(train, np.zeros(len(train), np.bool_), tests)


def _nab(
    path: Path, protocol: Folder, regime: str, limits: Limits, rng: np.random.Generator
) -> Split:
    table = pd.read_csv(path, parse_dates=["timestamp"])
    group, name = path.parent, path.name.removesuffix(".gz")
    windows = json.loads((group.parent / "labels" / "combined_windows.json").read_text())
    labels = np.zeros(len(table), np.bool_)
    for first, last in windows.get(f"{group.name}/{name}", []):
        labels |= table["timestamp"].between(first, last).to_numpy()
    time = table["timestamp"].astype("datetime64[ns]").astype("int64").to_numpy()
    frame = Frame.of(table["value"].to_numpy(np.float64)[:, None], ["value"], time=time)
    cut = min(int(PROBATION_SHARE * len(frame)), PROBATION_ROWS)
    test = Labelled(frame.take(slice(cut, None)), labels[cut:], ordered=True)
    return Split(frame.take(slice(0, cut)), None, {f"{group.name}/{name}": test}, continues=True)


def _metrics(folder: Path, protocol: Folder) -> list[Path]:
    return [path for path in _files(folder, ".csv") if path.parent != folder]


def _ecg(
    path: Path, protocol: Folder, regime: str, limits: Limits, rng: np.random.Generator
) -> Split:
    table: FloatArray = pd.read_csv(path, header=None).to_numpy(np.float64)
    cut, end = limits.fit, limits.fit + limits.scored
    frame = Frame.of(table[:, :1], ["ecg"])
    test = Labelled(frame.take(slice(cut, end)), table[cut:end, 1] == 1, ordered=True)
    return Split(
        frame.take(slice(0, cut)), None, {path.name.partition(".")[0]: test}, continues=True
    )


def _outs(folder: Path, protocol: Folder) -> list[Path]:
    return _files(folder, ".out")


LAYOUTS = {
    "table_npz": Layout(_npz, _table),
    "series_npz": Layout(_npz, _series),
    "experiments_csv": Layout(_experiments, _experiment),
    "kdd_txt": Layout(_whole_folder, _kdd),
    "scada_csv": Layout(_whole_folder, _scada),
    "nab_csv": Layout(_metrics, _nab),
    "ecg_out": Layout(_outs, _ecg),
}
