"""Which signals are the sick ones: the order of ``signal_ranking``, on labelled faults and injected ones.

Recorded: a model is fitted on a machine's training rows, and every row of its labelled segments is
explained. A signal's score in a segment is its largest ``ranking_score`` there; of the first
``floor(P |truth|)`` signals, the share of the truth found; the mean over segments. By row, the same
of each row alone. |z| of the training rows, and a random ranking, are always printed beside it.

Corrupted: twelve sensors driven by three factors, of which one to three get an offset of six of their
noise's deviations, the signs at random; rows have no order. Again the share found among the first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.evaluation.explanations.located import ranking_scores
from clarion.evaluation.ranking_metrics import Hits
from clarion.frames import Frame
from clarion.inputs import robust_scale, scaled
from clarion.pipeline.answer import ExplanationPolicy
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.registry import Registries
from common import data_root, plain

BEHIND = {"smd": 0, "asd": 1}
"""Folders, and what makes the last row that a label names the first one behind it (their READMEs)."""
RANKINGS = ("signal_ranking", "zscore", "random")
DRAWS = 10_000
"""Of the segments, for the interval of the gain over |z|."""
SYSTEMS, TRIALS = 48, 40
"""Random systems of corrupted sensors, and rows of each: a figure's standard error is below .01."""
SENSORS, FACTORS, NOISE, OFFSET, NORMAL_ROWS = 12, 3, 0.5, 6.0, 2000
QUICK_FILES, QUICK_SYSTEMS = 2, 6


@dataclass(frozen=True, slots=True, eq=False)
class Machine:
    """One recorded machine: training and test rows, and each labelled segment with its signals."""

    train: FloatArray
    test: FloatArray
    segments: tuple[tuple[slice, BoolArray], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What one ranking found: in each segment, and in each of their rows."""

    by_segment: tuple[Hits, ...]
    by_row: tuple[Hits, ...]

    def __add__(self, other: Found) -> Found:
        return Found(self.by_segment + other.by_segment, self.by_row + other.by_row)


def figures(quick: bool) -> dict[str, float]:
    """Return the keys of SMD, ASD and corrupted sensors; those of a folder that is not there are left out."""
    found, told = measured(quick)
    print(table(told), flush=True)
    return found


def measured(quick: bool) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the figures, and as details every ranking's worth, or why a folder is left out."""
    registries, found, details = load_plugins(), dict[str, float](), dict[str, Any]()
    for folder, behind in BEHIND.items():
        paths = sorted((data_root() / folder).glob("*.npz"))[: QUICK_FILES if quick else None]
        if not paths:
            details[folder] = f"no .npz in {data_root() / folder}"
            continue
        rankings = recorded(paths, behind, registries)
        found |= _keys(folder, rankings)
        details[folder] = {name: _told(ranking) for name, ranking in rankings.items()}
    rates = corrupted(QUICK_SYSTEMS if quick else SYSTEMS, registries)
    found |= {f"corrupted_{bad}": rate["signal_ranking"] for bad, rate in rates.items()}
    return found, details | {"corrupted": rates}


def recorded(paths: Sequence[Path], behind: int, registries: Registries) -> dict[str, Found]:
    """Return what each ranking finds on all machines together."""
    rankings = dict.fromkeys(RANKINGS, Found((), ()))
    for number, path in enumerate(paths):
        machine = read(path, behind)
        chance = np.random.default_rng(number).random(machine.test.shape)
        scores = {
            "signal_ranking": ranked(machine, registries),
            "zscore": zscores(machine),
            "random": chance,
        }
        for name, values in scores.items():
            rankings[name] += judged(values, machine)
    return rankings


def read(path: Path, behind: int) -> Machine:
    """Return a machine's rows and labels, ``first-last:signal,signal`` a line, signals from 1."""
    arrays = np.load(path, allow_pickle=False)  # noqa: TID251 - pickle is off
    train, test = (np.asarray(arrays[part], np.float64) for part in ("train", "test"))
    labels = path.parent / "interpretation_label" / f"{path.stem}.txt"
    segments = []
    for line in labels.read_text(encoding="utf-8").split():
        rows, _, names = line.partition(":")
        first, last = (int(end) for end in rows.split("-"))
        blamed = [int(name) - 1 for name in names.split(",")]
        segments.append((slice(first, last + behind), np.isin(np.arange(test.shape[1]), blamed)))
    return Machine(train, test, tuple(segments))


def ranked(machine: Machine, registries: Registries) -> FloatArray:
    """Return the ranking scores of the labelled rows, as the model's records give them; else 0."""
    spec = PipelineSpec(Step("mahalanobis"), ordered=True)
    model = fit(spec, Frame.of(machine.train), registries=registries)
    rows = np.unique(np.concatenate([np.arange(len(machine.test))[s] for s, _ in machine.segments]))
    return explained(model, machine.test, rows.tolist())


def explained(model: FittedPipeline, values: FloatArray, rows: Sequence[int]) -> FloatArray:
    """Return the ranking scores of ``rows``, in the order of the signals; 0 of all others."""
    answer, _ = model.run(Frame.of(values), ExplanationPolicy(rows=tuple(rows)))
    scores = np.zeros(values.shape)
    for row, of_row in ranking_scores(model, answer).items():
        scores[row] = of_row
    return scores


def zscores(machine: Machine) -> FloatArray:
    """Return |z| of the test rows, against the training rows' mean and max(sd, 1 % of range)."""
    return np.abs(scaled(machine.test, *robust_scale(machine.train)))


def judged(scores: FloatArray, machine: Machine) -> Found:
    """Judge a ranking of the signals in every row."""
    return Found(
        tuple(Hits.of(scores[rows].max(axis=0), sick) for rows, sick in machine.segments),
        tuple(Hits.of(row, sick) for rows, sick in machine.segments for row in scores[rows]),
    )


def gain_low(found: Found, other: Found) -> float:
    """Return the lower end of the 95 % paired bootstrap interval of the mean HitRate@100's gain."""
    gains = np.array(
        [a.hit_100 - b.hit_100 for a, b in zip(found.by_segment, other.by_segment, strict=True)]
    )
    drawn = np.random.default_rng(0).integers(0, len(gains), (DRAWS, len(gains)))
    return float(np.quantile(gains[drawn].mean(axis=1), 0.025))


def corrupted(systems: int, registries: Registries) -> dict[int, dict[str, float]]:
    """Return, by the number of bad sensors, the share of them that each ranking has first."""
    found: dict[int, dict[str, list[float]]] = {
        bad: {name: [] for name in RANKINGS} for bad in (1, 2, 3)
    }
    for seed in range(systems):
        rng = np.random.default_rng(seed)
        covariance, noise = _system(rng)
        normal = rng.multivariate_normal(np.zeros(SENSORS), covariance, NORMAL_ROWS)
        model = fit(PipelineSpec(Step("mahalanobis")), Frame.of(normal), registries=registries)
        for bad, shares in found.items():
            rows = rng.multivariate_normal(np.zeros(SENSORS), covariance, TRIALS)
            sick = _corrupt(rows, bad, OFFSET * noise, rng)
            scores = {
                "signal_ranking": explained(model, rows, range(TRIALS)),
                "zscore": np.abs(scaled(rows, *robust_scale(normal))),
                "random": rng.random(rows.shape),
            }
            for name, values in scores.items():
                shares[name] += [Hits.of(v, s).hit_100 for v, s in zip(values, sick, strict=True)]
    return {
        bad: {name: float(np.mean(values)) for name, values in shares.items()}
        for bad, shares in found.items()
    }


def _system(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Return the covariance of a random system of unit variances, and its sensors' own noise."""
    weights = rng.normal(size=(SENSORS, FACTORS))
    covariance = weights @ weights.T + NOISE**2 * np.eye(SENSORS)
    deviation = np.sqrt(covariance.diagonal())
    return covariance / np.outer(deviation, deviation), NOISE / deviation


def _corrupt(rows: FloatArray, bad: int, offset: FloatArray, rng: np.random.Generator) -> BoolArray:
    """Add ``offset``, of random sign, to ``bad`` random sensors of each row; return which."""
    sick = np.zeros(rows.shape, np.bool_)
    for row, flags in zip(rows, sick, strict=True):
        chosen = rng.choice(SENSORS, bad, replace=False)
        flags[chosen] = True
        row[chosen] += rng.choice([-1, 1], bad) * offset[chosen]
    return sick


def _keys(folder: str, rankings: dict[str, Found]) -> dict[str, float]:
    keys = dict[str, float]()
    for name, ranking in rankings.items():
        of = {"signal_ranking": "hit", "zscore": "hit_z", "random": "hit_random"}[name]
        mean = Hits.mean(ranking.by_segment)
        keys |= {f"{folder}_{of}_100": mean.hit_100, f"{folder}_{of}_150": mean.hit_150}
    low = gain_low(rankings["signal_ranking"], rankings["zscore"])
    return keys | {f"{folder}_hit_gain_low": low}


def _told(found: Found) -> dict[str, Any]:
    return {
        "segments": len(found.by_segment),
        "by_segment": asdict(Hits.mean(found.by_segment)),
        "rows": len(found.by_row),
        "by_row": asdict(Hits.mean(found.by_row)),
    }


def table(details: dict[str, Any]) -> str:
    """Return every ranking's worth as lines of text."""
    return "\n".join(_lines(details))


def _lines(details: dict[str, Any]) -> Iterator[str]:
    for folder in BEHIND:
        if isinstance(details[folder], str):
            yield f"{folder}: {details[folder]}"
            continue
        for name, told in details[folder].items():
            for by in ("by_segment", "by_row"):
                worth = "  ".join(f"{key} {value:.3f}" for key, value in told[by].items())
                yield f"{folder:9s} {name:15s} {by:10s} {worth}"
    for bad, rates in details["corrupted"].items():
        worth = "  ".join(f"{name} {rate:.3f}" for name, rate in rates.items())
        yield f"{bad} corrupted of {SENSORS}: {worth}"


if __name__ == "__main__":
    for key, value in plain(figures("quick" in sys.argv)).items():
        print(f"{key:24s} {value}")
