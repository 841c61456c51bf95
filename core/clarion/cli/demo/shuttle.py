"""The first half of the demo: shuttle telemetry, without order, judged by its labels."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.cli.demo.data import Shuttle
from clarion.cli.files import message
from clarion.cli.judging import Judgement, judge
from clarion.cli.scoring import Scored, score_all
from clarion.frames import Frame
from clarion_client import Client, Explain, Explanation, ModelVersion, PipelineSpec

SPEC = PipelineSpec(detector="mahalanobis", features=("standardize",), false_alarm_rate=0.01)
"""Exact, and with a score that goes on growing far from the data, so that LIME finds a slope there.
README says how the other detectors did on the same rows."""

EXAMPLES = 8


@dataclass(frozen=True, slots=True, eq=False)
class ShuttleResult:
    """What came of it.

    Attributes
    ----------
    seconds
        Time from the first row sent to the last answer received, explanations included.
    examples
        Some anomalies, from the strangest to the one nearest to the threshold, LIME beside SHAP.
    """

    version: ModelVersion
    scored: Scored
    judgement: Judgement
    truth: BoolArray
    seconds: float
    examples: tuple[Explanation, ...]

    def numbers(self) -> dict[str, float]:
        """Return what `clarion demo --json` writes."""
        scored, judgement = self.scored, self.judgement
        anomalous = set(scored.rows[scored.anomalous].tolist())
        explained = len(anomalous & {explanation.row for explanation in scored.explanations})
        return {
            "rows": len(scored.rows),
            "rows_per_second": len(scored.rows) / self.seconds,
            "roc_auc": judgement.roc_auc,
            "pr_auc": judgement.pr_auc,
            "anomalies": len(anomalous),
            "explained": explained,
            "exact_share": scored.exact_rows / max(len(scored.explanations), 1),
            "max_additivity_error": scored.additivity_error,
            "promised_false_alarm_rate": scored.false_alarm_rate,
            "realised_false_alarm_rate": judgement.false_alarms,
        }


def run(client: Client, data: Shuttle, told: Callable[[str, float], None]) -> ShuttleResult:
    """Fit on the normal rows of the first quarter, stream the rest, explain every anomaly.

    ``told`` is called with what is being done, and the share of it that is.
    """
    told("fitting on the shuttle's first quarter", 0.0)
    version = client.fit("shuttle", message(data.first), SPEC, labels=data.first_labels)
    client.score(version.name, message(data.first.take(slice(0, 8))))  # loads and compiles
    started = time.perf_counter()
    scored = score_all(
        client,
        version.name,
        data.rest,
        "anomalous",
        told=lambda rows: told("streaming the rest", rows / len(data.rest)),
    )
    seconds = time.perf_counter() - started
    judgement = judge(scored.scores, scored.anomalous, data.truth[scored.rows])
    if judgement is None:
        raise ValueError("the labels of the shuttle data are all alike")
    told("laying LIME beside SHAP", 0.0)
    examples = _with_lime(client, version.name, data.rest, _spread(scored))
    truth = data.truth[scored.rows]
    return ShuttleResult(version, scored, judgement, truth, seconds, examples)


def _spread(scored: Scored) -> Int64Array:
    """Return rows of anomalies: the strangest, the one nearest to the threshold, some between."""
    found = np.flatnonzero(scored.anomalous)
    ranked = found[np.argsort(-scored.scores[found], kind="stable")]
    picked = np.linspace(0, len(ranked) - 1, min(EXAMPLES, len(ranked))).astype(np.int64)
    return scored.rows[ranked[np.unique(picked)]]


def _with_lime(
    client: Client, model: str, frame: Frame, rows: Int64Array
) -> tuple[Explanation, ...]:
    """Return each row explained on its own: the rows have no order, so none is part of a run."""
    out = []
    for row in rows.tolist():
        sent = message(frame.take(slice(row, row + 1)), first=row)
        (explanation,) = client.explain(
            model, sent, how=Explain(cross_checks=("lime",))
        ).explanations
        out.append(replace(explanation, row=row))
    return tuple(out)


def shares(explanation: Explanation) -> tuple[list[str], FloatArray, FloatArray]:
    """Return signals, contributions and LIME's values, all in the order of the ranking."""
    names = [reason.signal for reason in explanation.signal_ranking]
    check = explanation.cross_checks[0]
    local = dict(zip(check.signals, check.values, strict=True))
    contributions = np.array([reason.contribution for reason in explanation.signal_ranking])
    return names, contributions, np.array([local.get(name, 0.0) for name in names])
