"""What an evaluation found: a table of figures, with trivial baselines in it, and how it was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.evaluation.figures import Figures, Labelled, defined
from clarion.evaluation.metrics import Ranking
from clarion.evaluation.reliability import Reliability
from clarion.pipeline.spec import PipelineSpec


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: a detector's name, or a baseline's."""

    name: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds that a batch of ``batch_rows`` rows took: median and 99th percentile over batches."""

    batch_rows: int
    batches: int
    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: FloatArray, batch_rows: int) -> Self:
        """Return the percentiles of ``seconds`` (m,), m > 0."""
        p50, p99 = (float(np.quantile(seconds, share)) for share in (0.5, 0.99))
        return cls(batch_rows, len(seconds), p50, p99)


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """How a pipeline did on labelled rows.

    Attributes
    ----------
    spec
        What was fitted.
    threshold, false_alarm_rate
        The smallest score that raises an alarm, from training data only, and the rate that set it.
    fitted_rows, calibration_rows
        Training rows that the detector learned from, and those that set the threshold.
    unscored_rows
        Rows that lacked the history to be scored: counted as silent.
    table
        The pipeline first, then ``always_alarm``, ``random`` and ``zscore``.
    truth, scores, alarms
        The rows judged, in the order scored, and what was said of them, shape ``(n,)``.
    reliability
        Whether the false-alarm rate was kept on the normal ones.
    dropped
        Columns left out because they identify (addresses, ports, ids).
    """

    spec: PipelineSpec
    threshold: float
    false_alarm_rate: float
    fitted_rows: int
    calibration_rows: int
    unscored_rows: int
    table: tuple[Row, ...]
    latency: Latency
    truth: Labelled
    scores: FloatArray
    alarms: BoolArray
    reliability: Reliability
    dropped: tuple[str, ...] = ()

    @property
    def figures(self) -> Figures:
        """The pipeline's own row."""
        return self.table[0].figures

    @property
    def ranking(self) -> Ranking:
        """The score at every threshold, for curves."""
        return Ranking.of(self.scores, self.truth.labels)

    def to_json(self) -> dict[str, Any]:
        """Return all but the rows themselves as JSON values."""
        return {
            "spec": self.spec.to_json(),
            "threshold": defined(self.threshold),
            "threshold_from": "training data",
            "false_alarm_rate": self.false_alarm_rate,
            "fitted_rows": self.fitted_rows,
            "calibration_rows": self.calibration_rows,
            "unscored_rows": self.unscored_rows,
            "dropped_columns": list(self.dropped),
            "latency_seconds": {
                "batch_rows": self.latency.batch_rows,
                "batches": self.latency.batches,
                "p50": self.latency.p50,
                "p99": self.latency.p99,
            },
            "reliability": self.reliability.to_json(),
            # A list: the pipeline's own row may have a baseline's name.
            "table": [{"name": row.name, **row.figures.to_json()} for row in self.table],
        }
