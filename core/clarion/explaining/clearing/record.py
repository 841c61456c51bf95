"""Culprits as they are shown: from cleared raw rows to values, spans and changes in sd."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from clarion.arrays import FloatArray
from clarion.explaining.background import Background
from clarion.explaining.clearing.culprits import Cleared
from clarion.explaining.clearing.plausible import Plausibility
from clarion.explaining.clearing.raw import RawRow, Windows
from clarion.explaining.values import Cell, Reader
from clarion.frames import Signal
from clarion.pipeline.answer import Culprit
from clarion.pipeline.calibrate import Calibration


@dataclass(frozen=True, eq=False)
class CulpritWriter:
    """Says of each culprit what it is and what it would be, in its unit.

    Attributes
    ----------
    signals
        The model's raw signals.
    with_paths
        Whether each changed raw value of a window is told.
    """

    signals: tuple[Signal, ...]
    background: Background
    calibration: Calibration
    plausibility: Plausibility
    with_paths: bool

    def fields(self, cleared: Cleared, seen: Sequence[Cell], asset_class: int) -> dict[str, Any]:
        """Return what a record says of a clearing; ``seen`` are its signals in the explained row."""
        clearing = cleared.clearing
        score, judged_as = np.array([clearing.score]), np.array([asset_class])
        pairs = zip(clearing.signals, seen, strict=True)
        found = bool(clearing.signals)
        return {
            "culprits": tuple(self._culprit(cleared, signal, cell) for signal, cell in pairs),
            "cleared_score": clearing.score,
            "cleared_p_value": float(self.calibration.p_values(score, judged_as)[0]),
            "minimum_proven": clearing.proven,
            "semi_factual_score": cleared.still_score,
            "plausibility": self.plausibility.p_value(clearing.row) if found else None,
        }

    def _culprit(self, cleared: Cleared, signal: int, seen: Cell) -> Culprit:
        described, raw, after = self.signals[signal], cleared.raw, cleared.windows
        if raw is None or after is None or cleared.still is None:
            return Culprit(described.name, seen.value, seen.word, None, "", described.unit)
        if not raw.is_number(signal):
            word = _word(raw, after, signal) if raw.length == 1 else ""
            return Culprit(
                described.name, seen.value, seen.word, None, word, described.unit,
                span_rows=raw.length,
            )  # fmt: skip
        column = raw.columns[signal]
        here, there = raw.as_seen.values[0, :, column], after.values[0, :, column]
        since = _first_change(here, there)
        was, usual = _mean(here[since:]), _mean(there[since:])
        still = _mean(cleared.still.values[0, since:, column])
        path = there[since:].tolist() if self.with_paths else ()
        return Culprit(
            signal=described.name,
            value=seen.value,
            word=seen.word,
            normal_value=usual if raw.length == 1 else None,
            normal_word="",
            unit=described.unit,
            change_deviations=self._deviations(signal, was, usual),
            still_anomalous_value=still,
            span_rows=len(here) - since,
            span_value=was,
            span_normal_value=usual,
            normal_path=tuple(path),
        )

    def _deviations(self, signal: int, was: float | None, usual: float | None) -> float | None:
        """Return the change in sd of the background; None where it never moved, or a value is missing."""
        spread = self._spread(signal)
        if was is None or usual is None or not spread > 0:
            return None
        change = (usual - was) / spread
        return change if np.isfinite(change) else None

    @cached_property
    def _usual(self) -> Reader:
        return Reader.of(self.background.last)

    def _spread(self, signal: int) -> float:
        """Return the sd of a numeric signal's present values over the background's last raw rows."""
        usual = self._usual
        values = usual.frame.values[:, usual.columns[signal]].astype(np.float64)
        present = values[~np.isnan(values)]
        return float(present.std()) if len(present) else 0.0


def _first_change(here: FloatArray, there: FloatArray) -> int:
    """Return the first row whose value changes; the last one where none does."""
    same = (here == there) | (np.isnan(here) & np.isnan(there))
    changed = np.flatnonzero(~same)
    return int(changed[0]) if len(changed) else len(here) - 1


def _mean(values: FloatArray) -> float | None:
    """Return the mean of what is not missing, halved first so that no sum overflows."""
    present = values[~np.isnan(values)]
    if not len(present):
        return None
    return float(present[0]) if len(present) == 1 else float((present / len(present)).sum())


def _word(raw: RawRow, after: Windows, signal: int) -> str:
    code = int(after.codes[0, -1, raw.columns[signal]])
    return "" if code < 0 else raw.window.signals[signal].vocabulary[code]
