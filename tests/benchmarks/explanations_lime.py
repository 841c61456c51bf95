"""Clarion's LIME against the lime library's own explainer of tables, at equal samples and kernel.

Both explain the same rows of the same fitted detectors, one row at a time in one thread, from 1,025
scored points (the row and 1,024 around it) under the same kernel, of width 0.75 sqrt(d). The library
is set up as it does best, not by its defaults: it samples around the row, does not discretise, and
fits all features without selecting any, which is also its fastest way. Clarion's time includes the
bootstrapped intervals, which the library does not have.

Each line's R² is measured on the same fresh points, which neither was fitted to, drawn at random
around the row and weighted by the kernel: the R² on its own points would flatter the line that
follows its points' accidents most. The library's line is worse by its ridge penalty and by points
that are neither even nor mirrored.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from clarion.arrays import FloatArray
from clarion.explainers import Attribution, Scorable
from clarion.frames import Frame
from clarion.inputs import robust_scale
from clarion_explainers.lime import Lime
from explanations_rows import odd_rows, scorable, timed

T = TypeVar("T")

DETECTORS = ("mahalanobis", "pca", "isolation_forest", "ecod", "knn")
"""Quadratic, forest, additive, neighbours; the time of scoring, which both pay alike, counts."""
SIGNALS = 38
SAMPLES = 1024
FRESH_POINTS = 8192
HASH_SEEDS = ("0", "1", "4242")


@dataclass(frozen=True, slots=True)
class Compared:
    """One row of one detector: seconds of both, and R² of both lines on fresh points."""

    detector: str
    seconds: float
    library_seconds: float
    quality: float
    library_quality: float


def figures(quick: bool) -> dict[str, float]:
    """Return ``lime_identical``, ``lime_speedup`` and ``lime_r2_gain``.

    The last two are medians over the detectors of medians over rows.
    """
    by_detector = medians(compared(6 if quick else 30)).values()
    return {
        "lime_identical": float(same_bytes()),
        "lime_speedup": statistics.median(middle["speedup"] for middle in by_detector),
        "lime_r2_gain": statistics.median(middle["r2_gain"] for middle in by_detector),
    }


def medians(rows: Iterable[Compared]) -> dict[str, dict[str, float]]:
    """Return what a detector's rows have in the middle, by detector."""
    found: dict[str, list[Compared]] = defaultdict(list)
    for row in rows:
        found[row.detector].append(row)
    return {
        detector: {
            "milliseconds": statistics.median(1e3 * row.seconds for row in part),
            "library_milliseconds": statistics.median(1e3 * row.library_seconds for row in part),
            "speedup": statistics.median(row.library_seconds / row.seconds for row in part),
            "r2": statistics.median(row.quality for row in part),
            "library_r2": statistics.median(row.library_quality for row in part),
            "r2_gain": statistics.median(row.quality - row.library_quality for row in part),
        }
        for detector, part in found.items()
    }


def compared(rows: int) -> Iterator[Compared]:
    """Yield ``rows`` rows of each detector, every other one anomalous."""
    values = odd_rows(rows, SIGNALS, seed=5)
    with threadpool_limits(1):
        for detector in DETECTORS:
            case = scorable(detector, SIGNALS)
            library = library_line(case)
            own_answer(case, values[0], seed=0)  # compiles, and makes what is made once
            for i, row in enumerate(values):
                answer, seconds = _fastest(partial(own_answer, case, row, i))
                theirs, library_seconds = _fastest(partial(library, row))
                fresh = Fresh.around(case, row, seed=i)
                yield Compared(
                    detector,
                    seconds,
                    library_seconds,
                    fresh.quality(own_line(case, row, answer)),
                    fresh.quality(theirs),
                )


def _fastest(work: Callable[[], T]) -> tuple[T, float]:
    """Return the result, and the shortest of three times: what else runs only adds."""
    results = [timed(work) for _ in range(3)]
    return results[0][0], min(seconds for _, seconds in results)


def own_answer(case: Scorable, row: FloatArray, seed: int) -> Attribution:
    seeds = np.array([seed], np.uint64)
    return Lime(samples=SAMPLES).explain(
        case, Frame.of(row[None]), evaluations=SAMPLES, seeds=seeds
    )


Line = tuple[FloatArray, float]
"""Slopes in the signals' units, and the value at 0."""


def own_line(case: Scorable, row: FloatArray, answer: Attribution) -> Line:
    """Return the line that contributions and base value tell of."""
    normal = case.background.numeric()
    mean = normal.mean(axis=0)
    slopes = answer.contributions[0] / (row - mean)
    return slopes, float(answer.base_value[0] - slopes @ mean)


def library_line(case: Scorable) -> Callable[[FloatArray], Line]:
    from lime.lime_tabular import LimeTabularExplainer

    explainer = LimeTabularExplainer(
        case.background.numeric(),
        mode="regression",
        discretize_continuous=False,
        sample_around_instance=True,
        feature_selection="none",
        random_state=0,
    )
    mean, scale = explainer.scaler.mean_, explainer.scaler.scale_

    def explain(row: FloatArray) -> Line:
        told = explainer.explain_instance(
            row,
            lambda points: case.score(Frame.of(points)),
            num_features=len(row),
            num_samples=SAMPLES + 1,
        )
        slopes = np.array([weight for _, weight in sorted(told.local_exp[1])]) / scale
        return slopes, float(told.intercept[1] - slopes @ mean)

    return explain


@dataclass(frozen=True, slots=True, eq=False)
class Fresh:
    """Points that no line was fitted to, their scores, and the kernel's weights."""

    points: FloatArray
    scores: FloatArray
    weights: FloatArray

    @classmethod
    def around(cls, case: Scorable, row: FloatArray, seed: int) -> Fresh:
        """Draw them at random, as the library would."""
        _, scale = robust_scale(case.background.numeric())
        steps = np.random.default_rng([9, seed]).normal(size=(FRESH_POINTS, len(row)))
        points = row + steps * scale
        width = 0.75 * np.sqrt(len(row))
        weights = np.exp(-(steps**2).sum(axis=1) / (2 * width**2))
        return cls(points, case.score(Frame.of(points)), weights / weights.sum())

    def quality(self, line: Line) -> float:
        """Return the line's weighted R²."""
        slopes, intercept = line
        missed = self.scores - (self.points @ slopes + intercept)
        spread = self.scores - self.weights @ self.scores
        return float(1 - self.weights @ missed**2 / (self.weights @ spread**2))


def digest() -> str:
    """Return a hash of what this process makes of a few rows: attributions, intervals and R²."""
    found = hashlib.sha256()
    rows = Frame.of(odd_rows(4, SIGNALS, seed=5))
    for detector in DETECTORS:
        answer = Lime().explain(
            scorable(detector, SIGNALS), rows, evaluations=SAMPLES, seeds=np.arange(4, dtype="u8")
        )
        for array in (
            answer.contributions,
            answer.base_value,
            answer.interval,
            answer.fit_quality,
        ):
            found.update(np.asarray(array).tobytes())
    return found.hexdigest()


def same_bytes() -> bool:
    """Return whether fresh processes with other hash seeds make the same bytes."""
    told = [
        subprocess.run(
            [sys.executable, __file__, "digest"],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        ).stdout.strip()
        for seed in HASH_SEEDS
    ]
    return all(len(one) == 64 and one == other for one, other in pairwise(told))


def main(arguments: list[str]) -> None:
    """Print the digest, or the figures and, by detector, what they are medians of."""
    if arguments == ["digest"]:
        print(digest())
        return
    for detector, middle in medians(compared(6)).items():
        print(detector, *(f"{name} {value:.3g}" for name, value in middle.items()))
    print(figures(quick=True))


if __name__ == "__main__":
    main(sys.argv[1:])
