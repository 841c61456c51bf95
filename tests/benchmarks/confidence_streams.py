"""What streams are promised: false discoveries, drift alarms, and what poisoning can do.

Known laws show what a rule keeps; recorded series in time order show what of it is left on real plants.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from clarion.arrays import BoolArray, FloatArray
from clarion.errors import ClarionError
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.calibrate import Calibration
from clarion.pipeline.confidence import StreamRules
from clarion.pipeline.drift import NOT, Drift
from clarion.pipeline.fdr import FdrMemory, FdrRule
from clarion.pipeline.fit import fit
from clarion.pipeline.martingale import Martingale
from clarion.pipeline.memory import Memory
from clarion.pipeline.rolling import Rolling
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from common import data_root
from detection_protocol import FOLDERS, Folder
from detection_readers import LAYOUTS, Limits, Split

Q = 0.1
RATE = 0.01
FDR_RATES = {"fdr_0_1": 0.001, "fdr_1": 0.01, "fdr_5": 0.05}
"""Share of anomalous rows, by figure."""
CALIBRATION_ROWS = 2_000
FDR_STREAMS, FDR_ROWS = 50, 20_000
QUIET_STREAMS, QUIET_ROWS = 300, 5_000
DRIFTS, DRIFT_AFTER, DRIFT_SCALE = 200, 500, 1.5
FRAME = 500
"""Rows of one frame of a recorded stream."""
LIMITS, CASES, QUICK_CASES = Limits(20_000, 50_000), 100, 3
"""Rows fitted and scored of a case, and cases of a suite, at most."""
WALK_ROWS = 6_000
FAIR = (0.5, 1.5)
"""Realised / promised rates within which a frozen calibration still holds."""
_FREEDOM = 4
_SILENT = ExplanationPolicy(ExplainedRows.NONE)


def figures(quick: bool) -> dict[str, float]:
    """Return every figure of streams; those of recorded data where there are any."""
    found = dict[str, float]()
    for name, rate in FDR_RATES.items():
        found[name], power = false_discoveries(rate, np.random.default_rng(0))
        print(f"  {name}: false-discovery rate {found[name]:.3f}, power {power:.3f}", flush=True)
    found["martingale_false_alarms"] = false_alarms(np.random.default_rng(1))
    found["drift_delay_rows"] = drift_delay(np.random.default_rng(2))
    judged = list(recorded(data_root(), QUICK_CASES if quick else CASES))
    for suite in dict.fromkeys(case.suite for case in judged):
        found |= suite_figures(suite, [case for case in judged if case.suite == suite])
    if judged:
        found["drift_flag_missed"] = float(sum(case.missed for case in judged))
        kept = sum(case.kept for case in judged) / max(sum(case.found for case in judged), 1)
        found["poisoning_recall_kept"] = kept
    return found


def _scores(rng: np.random.Generator, rows: int) -> FloatArray:
    return np.asarray(np.abs(rng.standard_t(_FREEDOM, rows)))


def false_discoveries(rate: float, rng: np.random.Generator) -> tuple[float, float]:
    """Return the mean share of false discoveries, and the mean power, with estimated tails.

    Anomalies come in bursts of 10, with exact p-values drawn from Beta(0.03, 1).
    """
    false, power = list[float](), list[float]()
    for _ in range(FDR_STREAMS):
        calibration = Calibration.of(_scores(rng, CALIBRATION_ROWS), RATE)
        strange = np.zeros(FDR_ROWS, np.bool_)
        bursts = max(1, int(FDR_ROWS * rate / 10))
        for start in rng.choice(FDR_ROWS - 10, bursts, replace=False):
            strange[start : start + 10] = True
        exact = rng.beta(0.03, 1, FDR_ROWS).clip(1e-300)
        scores = np.where(strange, stats.t.isf(exact / 2, _FREEDOM), _scores(rng, FDR_ROWS))
        smallest = float(calibration.p_values(np.array([np.finfo(float).max]))[0])
        rule = FdrRule.of(Q, smallest)
        _, found, _ = FdrMemory().test(calibration.p_values(scores), rule)
        false.append(float((found & ~strange).sum() / max(found.sum(), 1)))
        power.append(float(found[strange].mean()))
    return float(np.mean(false)), float(np.mean(power))


def false_alarms(rng: np.random.Generator) -> float:
    """Return the share of quiet streams in which any test ever tells drift."""
    told = 0
    for _ in range(QUIET_STREAMS):
        calibration = Calibration.of(_scores(rng, CALIBRATION_ROWS), RATE)
        told += _first_flag(calibration, _scores(rng, QUIET_ROWS)) is not None
    return told / QUIET_STREAMS


def drift_delay(rng: np.random.Generator) -> float:
    """Return the median rows from a change of scale to the flag; streams never flagged count whole."""
    delays = list[int]()
    for _ in range(DRIFTS):
        calibration = Calibration.of(_scores(rng, CALIBRATION_ROWS), RATE)
        changed = DRIFT_SCALE * _scores(rng, QUIET_ROWS)
        row = _first_flag(calibration, np.concatenate([_scores(rng, DRIFT_AFTER), changed]))
        delays.append(QUIET_ROWS if row is None else max(0, row - DRIFT_AFTER))
    return float(np.median(delays))


def _first_flag(calibration: Calibration, scores: FloatArray) -> int | None:
    """Return the first row at which a stream is said to drift."""
    rolling = Rolling(calibration.rows)
    drift = Drift(Martingale.start(calibration.rows))
    left = calibration.p_values(scores)
    while len(left):
        row, taken = rolling.rows, rolling.until_renewed
        drift, rolling = drift.follow(left[:taken], row, RATE), rolling.fed(left[:taken])
        if drift.since == NOT:
            drift = drift.compared(rolling.rows - 1, RATE, apart=rolling.disagrees)
        if drift.since != NOT:
            return drift.since
        left = left[taken:]
    return None


@dataclass(frozen=True, slots=True)
class Case:
    """One recorded stream, judged by the frozen and by the rolling calibration.

    Attributes
    ----------
    rate
        The promised false-alarm rate.
    quiet, strange
        Normal and anomalous rows.
    alarms, hits
        Of each of both calibrations, alarms among normal rows, and among anomalous ones.
    flagged
        Whether drift was ever told.
    found, kept
        Anomalous rows found by the frozen calibration, and by the rolling one after a slow walk.
    """

    suite: str
    name: str
    rate: float
    quiet: int
    strange: int
    alarms: tuple[int, int]
    hits: tuple[int, int]
    flagged: bool
    found: int
    kept: int

    @property
    def missed(self) -> bool:
        """Whether the frozen calibration no longer holds, and nobody was told."""
        ratio = self.alarms[0] / (self.rate * self.quiet)
        return not FAIR[0] <= ratio <= FAIR[1] and not self.flagged


def suite_figures(suite: str, cases: list[Case]) -> dict[str, float]:
    """Return realised / promised rate and recall of both calibrations, all rows of a suite together."""
    found = dict[str, float]()
    promised = sum(case.rate * case.quiet for case in cases)
    strange = max(sum(case.strange for case in cases), 1)
    for place, name in enumerate(("frozen", "rolling")):
        head = f"ordered_{suite}_{name}"
        found[f"{head}_ratio"] = sum(case.alarms[place] for case in cases) / promised
        found[f"{head}_recall"] = sum(case.hits[place] for case in cases) / strange
    missed = [case.name for case in cases if case.missed]
    kept = sum(case.kept for case in cases) / max(sum(case.found for case in cases), 1)
    print(
        f"  {suite}: {len(cases)} streams, {sum(case.flagged for case in cases)} flagged, "
        f"missed {missed}, recall kept after poisoning {kept:.3f}",
        flush=True,
    )
    return found


def recorded(root: Path, cases: int) -> Iterator[Case]:
    """Yield a case for each recorded stream under ``root`` whose rows are in time order."""
    registries = load_plugins()
    for suite, folder in FOLDERS.items():
        layout = LAYOUTS[folder.layout]
        for path in layout.cases(root / suite, folder)[:cases] if (root / suite).is_dir() else []:
            rng = np.random.default_rng(0)
            split = layout.split(path, folder, folder.regimes[0], LIMITS, rng)
            tests = {name: test for name, test in split.tests.items() if test.ordered}
            if not tests:
                break
            try:
                model = fit(
                    _spec(folder, split), split.train, split.train_labels, registries=registries
                )
            except ClarionError as error:
                print(f"  {suite}/{path.name} left out: {error}", flush=True)
                continue
            for name in tests:
                yield _judged(suite, name, model, split, folder.false_alarm_rate)


def _spec(folder: Folder, split: Split) -> PipelineSpec:
    detector = "ar" if len(split.train.signals) == 1 else "mahalanobis"
    return PipelineSpec(Step(detector), (), folder.false_alarm_rate, ordered=True)


def _judged(suite: str, name: str, model: FittedPipeline, split: Split, rate: float) -> Case:
    """Stream one test in frames, and judge what was told of it."""
    test = split.tests[name]
    memory, flagged = Memory(), False
    frozen, rolling, rows = [np.empty(0)], [np.empty(0)], [np.empty(0, np.int64)]
    for start in range(0, len(test.frame), FRAME):
        frame = test.frame.take(slice(start, start + FRAME))
        answer, memory = model.run(frame, _SILENT, memory=memory, rules=StreamRules())
        if answer.stream is None:
            raise AssertionError("a stream with rules tells of itself")
        flagged |= answer.stream.drift.since is not None
        frozen.append(answer.stream.frozen)
        rolling.append(answer.stream.rolling)
        rows.append(start + answer.source_rows)
    labels = test.labels[np.concatenate(rows)]
    p = np.concatenate(frozen)
    verdicts = (p <= rate, np.concatenate(rolling) <= rate)
    found, kept = _poisoned(model, p[labels], rate)
    return Case(
        suite,
        name,
        rate,
        quiet=int((~labels).sum()),
        strange=int(labels.sum()),
        alarms=_counted(verdicts, ~labels),
        hits=_counted(verdicts, labels),
        flagged=flagged,
        found=found,
        kept=kept,
    )


def _counted(verdicts: tuple[BoolArray, BoolArray], among: BoolArray) -> tuple[int, int]:
    first, second = (int(verdict[among].sum()) for verdict in verdicts)
    return first, second


def _poisoned(model: FittedPipeline, anomalies: FloatArray, rate: float) -> tuple[int, int]:
    """Return how many anomalies are found, and how many after rows walked up slowly and stayed there.

    They walk from the median to just below the strangest calibration row, which is as high as the rolling
    calibration takes any in, and fill its whole window.
    """
    n = model.calibration.rows
    highest = 2.0 / (n + 1)
    walk = np.concatenate([np.linspace(0.5, highest, WALK_ROWS), np.full(WALK_ROWS, highest)])
    rolling = Rolling(n)
    while len(walk):
        taken = rolling.until_renewed
        rolling, walk = rolling.fed(walk[:taken]), walk[taken:]
    after = rolling.p_values(anomalies)
    return int((anomalies <= rate).sum()), int(((anomalies <= rate) & (after <= rate)).sum())
