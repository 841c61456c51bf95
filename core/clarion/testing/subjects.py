"""What explainers are tried on: the kit's own detectors, and every registered one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.detectors import Detector, DetectorKind
from clarion.explainers import Attribution, Explainer, Label, Scorable, Support
from clarion.frames import Frame, SignalKind
from clarion.registry import Registries
from clarion.testing import data
from clarion.testing.cases import DetectorCase
from clarion.testing.errors import require
from clarion.testing.references import REFERENCES, Opaque

CALM, SPIKE, CULPRIT, HUGE = range(4)
"""The rows of a subject's frame."""
TOLERANCE = 1e-9
"""Largest error of exact and additive answers, on the scale of `additivity_error`."""
_SAMPLES = 512
_BACKGROUND = 16
_UNROLLED = 2
"""Signals of a sequence detector's frames: unrolled, each becomes as many as its window has rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A detector to be explained.

    Attributes
    ----------
    scorable
        Its score, 16 normal rows as background, and itself.
    frame
        Four rows: a calm one, one with every signal far from normal, one with the first signal of
        ``culprits`` far from normal, one with huge values.
    culprits
        Places of the signals that may be named: it, and those that read the same input.
    dummy
        Place of a signal that it ignores; None where none is known.
    """

    name: str
    scorable: Scorable
    frame: Frame
    culprits: tuple[int, ...]
    dummy: int | None = None

    def again(self, score: Callable[[Frame], FloatArray] | None = None) -> Subject:
        """Return the same subject with nothing remembered, scored by ``score`` if given."""
        return replace(self, scorable=replace(self.scorable, score=score or self.scorable.score))


class _Counted:
    """A score that counts its rows."""

    def __init__(self, score: Callable[[Frame], FloatArray]) -> None:
        self._score = score
        self.rows = 0

    def __call__(self, frame: Frame) -> FloatArray:
        self.rows += len(frame)
        return self._score(frame)


@dataclass(frozen=True, eq=False)
class ExplainerCase:
    """An explainer, and the detectors that it is tried on.

    Attributes
    ----------
    plugin, registries, name
        As in `FitCase`.
    subjects
        The detectors that are explained; by default those of `subjects_of` the registries.
    """

    plugin: Explainer
    registries: Registries = field(default_factory=Registries)
    name: str = ""
    subjects: tuple[Subject, ...] = ()
    _explained: dict[str, tuple[Attribution, int]] = field(default_factory=dict, init=False)

    @property
    def title(self) -> str:
        """Its name, for messages."""
        return self.name or type(self.plugin).__name__

    def __post_init__(self) -> None:
        if not self.subjects:
            object.__setattr__(self, "subjects", subjects_of(self.registries))

    @cached_property
    def supported(self) -> tuple[tuple[Subject, Support], ...]:
        """The subjects that the explainer says it can explain."""
        pairs = [(subject, self.plugin.supports(subject.scorable)) for subject in self.subjects]
        able = tuple((subject, support) for subject, support in pairs if support is not None)
        require(able, "it supports neither one of the kit's detectors nor a registered one")
        return able

    def explain(self, subject: Subject, frame: Frame, seeds: NDArray[np.uint64]) -> Attribution:
        """Return the explanation of ``frame``."""
        evaluations = evaluations_of(self.plugin.supports(subject.scorable))
        return self.plugin.explain(subject.scorable, frame, evaluations=evaluations, seeds=seeds)

    def attribution(self, subject: Subject) -> Attribution:
        """Return the explanation of the subject's own frame; worked out once."""
        return self._answer(subject)[0]

    def rows_scored(self, subject: Subject) -> int:
        """Return how many rows were scored for that, the background's among them."""
        return self._answer(subject)[1]

    def _answer(self, subject: Subject) -> tuple[Attribution, int]:
        if subject.name not in self._explained:
            counted = _Counted(subject.scorable.score)
            answer = self.explain(subject.again(counted), subject.frame, seeds_of(subject.frame))
            self._explained[subject.name] = answer, counted.rows
        return self._explained[subject.name]

    def attributions(self) -> Iterator[tuple[Subject, Attribution]]:
        """Yield each supported subject with the explanation of its frame."""
        for subject, _ in self.supported:
            yield subject, self.attribution(subject)


def evaluations_of(support: Support | None) -> int:
    """Return how many evaluations are allowed: what is needed, and 512 for those that sample."""
    if support is None:
        return 0
    return max(support.evaluations, _SAMPLES if support.label is Label.SAMPLED else 0)


def seeds_of(frame: Frame) -> NDArray[np.uint64]:
    """Return a seed a row, shape ``(n,)``."""
    return np.arange(1, len(frame) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def subjects_of(registries: Registries) -> tuple[Subject, ...]:
    """Return the kit's own detectors, then the registered ones that can be fitted."""
    frame = data.normal({SignalKind.NUMERIC}, 48, seed=2)
    own = []
    for kind in REFERENCES:
        detector = kind.fit(frame)
        background = frame.take(slice(0, _BACKGROUND))
        scorable = Scorable(detector.score, background, _capability(detector))
        subject = _subject(f"the kit's {kind.__name__}", scorable, frame)
        own.append(replace(subject, dummy=len(frame.signals) - 1))
    return (*own, *_registered(registries))


def _capability(detector: object) -> object:
    return None if isinstance(detector, Opaque) else detector


def _registered(registries: Registries) -> list[Subject]:
    subjects = []
    for entry in registries.detectors:
        try:
            case = _case(registries.detectors.build(entry.name, {}), registries)
            rows, fitted = case.scorable_rows(case.fresh), case.fitted
        except Exception:  # noqa: BLE001 - another plugin's fault, which its own checks report
            continue
        scorable = Scorable(fitted.score, rows.take(slice(0, _BACKGROUND)), fitted)
        subject = _subject(entry.name, scorable, rows)
        subjects.append(_with_reads(subject, case) if case.sequential else subject)
    return subjects


def _case(detector: Detector, registries: Registries) -> DetectorCase:
    if detector.traits.kind is DetectorKind.SEQUENCE:
        return DetectorCase(detector, registries, numeric_signals=_UNROLLED)
    return DetectorCase(detector, registries)


def _with_reads(subject: Subject, case: DetectorCase) -> Subject:
    """Return a sequence detector's subject: any feature of the culprit's inputs may be named."""
    reads, names = case.fitted.reads, subject.frame.names
    inputs = set(reads[names[subject.culprits[0]]])
    same = [j for j, name in enumerate(names) if inputs & set(reads[name])]
    return replace(subject, culprits=(subject.culprits[0], *same))


def _subject(name: str, scorable: Scorable, rows: Frame) -> Subject:
    """Return a subject whose frame is made from ``rows``, which are normal."""
    center, spread = np.median(rows.values, axis=0), rows.values.std(axis=0)
    calm = int(np.argmin((((rows.values - center) / spread) ** 2).sum(axis=1)))
    frame = rows.take(np.full(4, calm))
    values, culprit = frame.values.astype(np.float64), min(1, len(spread) - 1)
    values[SPIKE] += 12 * spread
    values[CULPRIT, culprit] += 12 * spread[culprit]
    values[HUGE] = np.where(np.arange(len(spread)) % 2, -1e300, 1e300)
    place = rows.names.index(rows.of_kind(numeric=True)[culprit].name)
    return Subject(name, scorable, data.changed(frame, values), (place,))
