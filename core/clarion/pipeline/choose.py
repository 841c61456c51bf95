"""``auto``: the recipe for these rows, unless another is surely better on injected anomalies.

The default is the recipe of the lowest priority that suits the rows. Every other that suits is
fitted beside it on the same rows and judged by average precision on anomalies injected into rows
held back; one takes its place only if the bootstrap interval of its gain excludes 0 (Goswami et al.
(2023), ICLR, section 3, judge so without labels).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import FittedSequenceDetector
from clarion.errors import ClarionError, PreconditionError
from clarion.evaluation.injection import Injected, eligible, inject, suite
from clarion.evaluation.metrics import average_precision
from clarion.features import rows_by_asset
from clarion.frames import Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.spec import PipelineSpec
from clarion.recipes import Facts, Line, Recipe
from clarion.registry import Registries

if TYPE_CHECKING:
    from clarion.pipeline.run import FittedPipeline

AUTO = "auto"
"""Name that stands for a detector in a spec, and for its extractors."""
_JUDGED_ROWS = 6_000
"""Rows that candidates are compared on, at most: the newest, or a random draw."""
_CASES = 12
_RESAMPLES = 2_000
_INTERVAL = (2.5, 97.5)
_QUIET = ExplanationPolicy(rows=ExplainedRows.NONE)

Fit = Callable[[PipelineSpec, Frame], "FittedPipeline"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One candidate.

    Attributes
    ----------
    recipe
        Its name.
    precision
        Mean average precision over the injected cases, in [0, 1]; NaN where it was not judged.
    gain_low, gain_high
        95 % bootstrap interval of its gain over the default, over the cases; NaN likewise.
    note
        Why it was not judged; else empty.
    """

    recipe: str
    precision: float
    gain_low: float = math.nan
    gain_high: float = math.nan
    note: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What ``auto`` took, and what it took it over; the candidates in order of priority."""

    chosen: str
    default: str
    candidates: tuple[Judged, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the choice as JSON values; NaN becomes null."""
        rows = [asdict(judged) for judged in self.candidates]
        plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
        return {"chosen": self.chosen, "default": self.default, "candidates": plain}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Choice:
        """Return the choice that `to_json` wrote; KeyError and its kin where it did not."""
        judged = tuple(
            Judged(
                str(row["recipe"]),
                _number(row["precision"]),
                _number(row["gain_low"]),
                _number(row["gain_high"]),
                str(row["note"]),
            )
            for row in values["candidates"]
        )
        return cls(str(values["chosen"]), str(values["default"]), judged)


def choose(
    spec: PipelineSpec,
    frame: Frame,
    labels: BoolArray | None,
    *,
    registries: Registries,
    fit: Fit,
    progress: Callable[[float, str], None],
) -> tuple[PipelineSpec, Choice]:
    """Return ``spec`` with the chosen recipe's line in the place of ``auto``, and the choice.

    Parameters
    ----------
    fit
        Fits a spec on normal rows without labels.

    Raises
    ------
    PreconditionError
        No loaded recipe suits these rows.
    """
    facts = Facts.of(frame, labels, ordered=spec.ordered)
    lines = _suiting(facts, registries)
    if not lines:
        raise PreconditionError(
            f"no loaded recipe suits {facts.rows} rows of {facts.numeric} numeric and "
            f"{facts.coded} other signals; name a detector instead of '{AUTO}'",
            field="spec.detector",
        )
    default = lines[0][0]
    chosen = default
    judged: tuple[Judged, ...] = (Judged(default, math.nan, note="nothing to compare with"),)
    if len(lines) > 1:
        normal = np.arange(len(frame)) if labels is None else np.flatnonzero(~labels)
        trial = _Trial.of(spec, frame.take(normal))
        chosen, judged = _best(lines, trial, fit, progress)
    line = dict(lines)[chosen]
    taken = replace(spec, detector=line.detector, features=(*spec.features, *line.features))
    return taken, Choice(chosen, default, judged)


def _suiting(facts: Facts, registries: Registries) -> list[tuple[str, Line]]:
    """Return the recipes that suit, by priority and name."""
    recipes: list[tuple[str, Recipe]] = [
        (entry.name, registries.recipes.build(entry.name, {})) for entry in registries.recipes
    ]
    recipes.sort(key=lambda pair: (pair[1].priority, pair[0]))
    lines = [(name, recipe.line(facts)) for name, recipe in recipes]
    return [(name, line) for name, line in lines if line is not None]


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """The rows that candidates are fitted on, those held back, and the cases injected into these."""

    spec: PipelineSpec
    learnt: Frame
    held: Frame
    cases: tuple[Injected, ...]

    @classmethod
    def of(cls, spec: PipelineSpec, frame: Frame) -> _Trial:
        rng = np.random.default_rng(spec.seed)
        learnt, held = _halves(frame, rng, ordered=spec.ordered)
        every = list(suite(len(eligible(held)), ordered=spec.ordered))
        picked = rng.permutation(len(every))[:_CASES]
        cases = []
        for index in picked:
            try:
                cases.append(inject(held, every[index], rng=rng, ordered=spec.ordered))
            except PreconditionError:
                continue  # no room for that one
        return cls(spec, learnt, held, tuple(cases))

    def precisions(self, line: Line, fit: Fit) -> FloatArray:
        """Return the average precision of each case, shape ``(n_cases,)``."""
        features = (*self.spec.features, *line.features)
        spec = replace(
            self.spec,
            detector=line.detector,
            features=features,
            false_alarm_rate=0.05,
            promise="",  # only scores are compared
        )
        fitted = fit(spec, self.learnt)
        alone = not fitted.history and not isinstance(fitted.detector, FittedSequenceDetector)
        judge = self._row_by_row if alone else self._whole
        return np.array(judge(fitted))

    def _whole(self, fitted: FittedPipeline) -> list[float]:
        out = []
        for case in self.cases:
            scores, rows = _scored(fitted, case.frame)
            out.append(average_precision(scores, case.labels[rows]))
        return out

    def _row_by_row(self, fitted: FittedPipeline) -> list[float]:
        """Judge what scores each row for itself: the rows left clean keep their scores."""
        clean, _ = _scored(fitted, self.held)
        out = []
        for case in self.cases:
            scores = clean.copy()
            scores[case.labels], _ = _scored(fitted, case.frame.take(np.flatnonzero(case.labels)))
            out.append(average_precision(scores, case.labels))
        return out


def _scored(fitted: FittedPipeline, frame: Frame) -> tuple[FloatArray, Int64Array]:
    """Return the scores, and the rows of ``frame`` that have them."""
    answer, _ = fitted.run(frame, _QUIET, false_alarm_rate=0.05)
    return answer.scores, answer.source_rows


def _halves(frame: Frame, rng: np.random.Generator, *, ordered: bool) -> tuple[Frame, Frame]:
    """Return rows to learn from and rows to inject into: earlier and later ones where ordered."""
    rows = np.sort(rng.permutation(len(frame))[:_JUDGED_ROWS])
    if not ordered:
        rng.shuffle(rows)
        return frame.take(np.sort(rows[: len(rows) // 2])), frame.take(rows[len(rows) // 2 :])
    early: list[Any] = []
    late: list[Any] = []
    each = max(2, _JUDGED_ROWS // max(1, len(frame.assets)))
    for of_asset in rows_by_asset(frame):
        newest = of_asset[-each:]
        early.append(newest[: len(newest) // 2])
        late.append(newest[len(newest) // 2 :])
    return frame.take(np.sort(np.concatenate(early))), frame.take(np.sort(np.concatenate(late)))


def _best(
    lines: list[tuple[str, Line]],
    trial: _Trial,
    fit: Fit,
    progress: Callable[[float, str], None],
) -> tuple[str, tuple[Judged, ...]]:
    default = lines[0][0]
    judged: list[Judged] = []
    ours: FloatArray | None = None
    for turn, (name, line) in enumerate(lines):
        progress(turn / len(lines), f"judging {name}")
        try:
            precisions = trial.precisions(line, fit)
        except ClarionError as error:
            judged.append(Judged(name, math.nan, note=error.message))
            continue
        if not len(precisions):
            judged.append(Judged(name, math.nan, note="no anomaly could be injected"))
            continue
        ours = precisions if name == default else ours
        low, high = _interval(precisions - ours) if ours is not None else (np.nan, np.nan)
        judged.append(Judged(name, float(precisions.mean()), float(low), float(high)))
    surely = [j for j in judged if j.recipe != default and j.gain_low > 0]
    best = max(surely, key=lambda j: j.precision, default=None)
    return (best.recipe if best else default), tuple(judged)


def _interval(gains: FloatArray) -> FloatArray:
    """Return the bootstrap interval of the mean gain, shape ``(2,)``."""
    drawn = np.random.default_rng(0).integers(0, len(gains), (_RESAMPLES, len(gains)))
    return np.asarray(np.percentile(gains[drawn].mean(axis=1), _INTERVAL))


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
