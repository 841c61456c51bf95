"""Whether calibration keeps what it promises: on every suite's normal rows, shuffled, and on a known law.

Shuffled rows are exchangeable, so what is off there is calibration's own fault and not the data's drift.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import stats

from clarion.arrays import FloatArray
from clarion.errors import ClarionError
from clarion.frames import Frame, concatenated
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.fit import fit
from clarion.pipeline.rank_rule import Promise
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.registry import Registries
from common import data_root
from detection_protocol import FOLDERS
from detection_readers import LAYOUTS, Limits, Split

RATE = 0.01
CALIBRATIONS = 300
CALIBRATION_ROWS = 1000
_FREEDOM = 4
"""Degrees of freedom of the law (Student's t) whose scores have a known share above any threshold."""
FITTED, SCORED = 2_000, 20_000
"""Rows of a case that are fitted, and scored to be calibrated and judged, at most."""
FEWEST_SCORED = 400
"""Below, a half cannot reach a rate of 1 %, or hardly holds one alarm."""
CASES, QUICK_CASES = 12, 3
"""Cases of a suite, at most."""
SHUFFLES = 20
"""Splits of a case's scores into those that calibrate and those that are judged."""
_SPEC = PipelineSpec(Step("mahalanobis"), (Step("standardize"),), false_alarm_rate=0.1)
_SILENT = ExplanationPolicy(ExplainedRows.NONE)


def figures(quick: bool) -> dict[str, float]:
    """Return the extremes over suites of the realised rate / 1 %, and how often certainty was broken."""
    found = {"rank_rule_violations": rank_rule_violations(np.random.default_rng(0))}
    ratios = exchangeable_ratios(data_root(), QUICK_CASES if quick else CASES)
    for suite, ratio in ratios.items():
        print(f"  {suite}: realised / promised {ratio:.3f}", flush=True)
    if ratios:
        found["exchangeable_ratio_min"] = min(ratios.values())
        found["exchangeable_ratio_max"] = max(ratios.values())
    return found


def rank_rule_violations(rng: np.random.Generator, promise: Promise = Promise.CERTAIN) -> float:
    """Return the share of calibrations on t-distributed scores whose realised rate is above 1 %."""
    broken = 0
    for _ in range(CALIBRATIONS):
        scores = rng.standard_t(_FREEDOM, CALIBRATION_ROWS)
        calibration = Calibration.of(scores, RATE, promise)
        broken += bool(stats.t.sf(calibration.threshold(RATE), _FREEDOM) > RATE)
    return broken / CALIBRATIONS


def exchangeable_ratios(root: Path, cases: int) -> dict[str, float]:
    """Return the realised rate / the promised one of each suite under ``root`` that has rows enough.

    Each case counts alike, whatever its size.
    """
    registries, ratios = load_plugins(), {}
    for suite in FOLDERS:
        rng = np.random.default_rng(0)
        drawn = [
            held_scores(frame, rng, registries) for frame in _normal_frames(root, suite, cases)
        ]
        found = [ratio_of(scores, rng) for scores in drawn if can_realise(scores)]
        if found:
            ratios[suite] = float(np.mean(found))
    return ratios


def can_realise(scores: FloatArray) -> bool:
    """Return whether there are scores enough, and any threshold whose realised rate is near the promised.

    There is none where more than 1 % are the very same largest score, as of a signal that never moves:
    the rate is then 0, or above the promised one.
    """
    return len(scores) >= FEWEST_SCORED and float((scores == scores.max()).mean()) <= RATE


def ratio_of(scores: FloatArray, rng: np.random.Generator) -> float:
    """Return the realised rate / the promised one: half of the scores calibrate, half are judged."""
    # A whole number of ranks: else the plain rank keeps less than the rate even on average.
    calibrating = round(len(scores) / 2 * RATE) * round(1 / RATE) - 1
    realised = []
    for _ in range(SHUFFLES):
        shuffled = rng.permutation(scores)
        made = Calibration.of(shuffled[:calibrating], RATE, Promise.AVERAGE)
        realised.append((shuffled[calibrating:] >= made.threshold(RATE)).mean())
    return float(np.mean(realised)) / RATE


def held_scores(frame: Frame, rng: np.random.Generator, registries: Registries) -> FloatArray:
    """Return the scores of rows of ``frame`` that the detector was not fitted on; none if it cannot be."""
    rows = rng.permutation(len(frame))[: FITTED + SCORED]
    fitted = min(FITTED, len(rows) // 3)
    try:
        model = fit(_SPEC, frame.take(np.sort(rows[:fitted])), registries=registries)
        return model.run(frame.take(np.sort(rows[fitted:])), _SILENT)[0].scores
    except ClarionError as error:
        print(f"  left out: {error}", flush=True)
        return np.empty(0)


def _normal_frames(root: Path, suite: str, cases: int) -> Iterator[Frame]:
    """Yield the normal rows of up to ``cases`` cases of a suite, spread over all it has."""
    protocol, layout = FOLDERS[suite], LAYOUTS[FOLDERS[suite].layout]
    if not (root / suite).is_dir():
        return
    paths = layout.cases(root / suite, protocol)
    limits = Limits(FITTED + SCORED, FITTED + SCORED)
    for path in paths[:: max(1, -(-len(paths) // cases))]:
        rng = np.random.default_rng(0)
        frame = _normal(layout.split(path, protocol, protocol.regimes[0], limits, rng))
        if len(frame) >= FEWEST_SCORED * 3 // 2:
            yield frame


def _normal(split: Split) -> Frame:
    """Return all rows of a split that are known to be normal."""
    parts = [test.frame.take(np.flatnonzero(~test.labels)) for test in split.tests.values()]
    if split.train_labels is not None:
        parts.append(split.train.take(np.flatnonzero(~split.train_labels)))
    return concatenated(parts)
