"""Counterfactuals on SMD: how many signals have to change, and whether that really clears the alarm.

Only the `culprits` of `Explain` replies are read. A reply's set is valid if the raw values it tells, put
into the raw rows, bring the row's score below the threshold; culprits without values are not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clarion.frames import Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.recipes import Facts, Line
from clarion.server.convert.answers import fill
from clarion_api.v1 import detection_pb2
from clarion_detectors.recipes import Sensors
from common import data_root
from detection_protocol import FIT_ROWS, FOLDERS, QUICK_SERIES_ROWS, SCORED_ROWS
from detection_readers import LAYOUTS, Limits, Split

ROWS, QUICK_ROWS = 40, 12
"""Alarms explained of each machine and pipeline, evenly spaced among those on labelled rows."""
QUICK_MACHINES = 2
_SEED = 7


@dataclass(frozen=True, slots=True)
class Found:
    """What one machine's replies say: sizes of the culprit sets, and which of these are valid."""

    machine: str
    pipeline: str
    sizes: tuple[int, ...]
    valid: tuple[bool, ...]


def figures(quick: bool) -> dict[str, float]:
    """Return the median size and the share of valid sets, over all; without SMD, nothing.

    An alarm that nothing clears counts as one of all signals for the median.
    """
    found = every(quick)
    if not found:
        return {}
    sizes = [size for one in found for size in one.sizes]
    valid = [is_valid for one in found for is_valid in one.valid]
    return {
        "smd_counterfactual_median": float(np.median(sizes)),
        "counterfactual_validity": float(np.mean(valid)),
    }


def every(quick: bool) -> list[Found]:
    """Return what was found on each machine, by `mahalanobis` and by the recipe for sensors."""
    folder, protocol = data_root() / "smd", FOLDERS["smd"]
    layout = LAYOUTS[protocol.layout]
    cases = layout.cases(folder, protocol) if folder.is_dir() else []
    limits = Limits(QUICK_SERIES_ROWS if quick else FIT_ROWS, SCORED_ROWS)
    found = []
    for case in cases[: QUICK_MACHINES if quick else None]:
        rng = np.random.default_rng(_SEED)
        split = layout.split(case, protocol, protocol.regimes[0], limits, rng)
        for name, line in _lines(split).items():
            found.append(_found(split, name, line, QUICK_ROWS if quick else ROWS))
    return found


def _lines(split: Split) -> dict[str, Line]:
    facts = Facts.of(split.train, split.train_labels, ordered=True)
    recipe = Sensors().line(facts)
    lines = {"mahalanobis": Line(Step("mahalanobis"))}
    return lines if recipe is None else {**lines, "sensors": recipe}


def _found(split: Split, name: str, line: Line, rows: int) -> Found:
    [(machine, test)] = split.tests.items()
    spec = PipelineSpec(line.detector, line.features, ordered=True, seed=_SEED)
    pipeline = fit(spec, split.train, split.train_labels, registries=load_plugins())
    scored, _ = pipeline.run(test.frame, ExplanationPolicy(ExplainedRows.NONE))
    alarms = scored.source_rows[scored.anomalous]
    alarms = alarms[test.labels[alarms]]
    chosen = alarms[np.unique(np.linspace(0, len(alarms) - 1, min(rows, len(alarms))).astype(int))]
    replies = [_reply(pipeline, _window(pipeline, test.frame, int(row))) for row in chosen]
    pairs = zip(replies, chosen, strict=True)
    return Found(
        machine,
        name,
        tuple(len(reply.culprits) or len(test.frame.signals) for reply in replies),
        tuple(
            _is_valid(pipeline, _window(pipeline, test.frame, int(row)), reply)
            for reply, row in pairs
            if reply.culprits
        ),
    )


def _window(pipeline: FittedPipeline, frame: Frame, row: int) -> Frame:
    return frame.take(slice(row - pipeline.history, row + 1))


def _reply(pipeline: FittedPipeline, window: Frame) -> detection_pb2.Explanation:
    """Return the record of the window's last row, as `Explain` would send it."""
    policy = ExplanationPolicy(rows=(len(window) - 1,), view=View.FULL)
    response = detection_pb2.ExplainResponse()
    fill(response, pipeline.run(window, policy)[0], pipeline, "models/smd/versions/1")
    [explanation] = response.explanations
    return explanation


def _is_valid(pipeline: FittedPipeline, window: Frame, reply: detection_pb2.Explanation) -> bool:
    values = window.values.astype(np.float64)
    for culprit in reply.culprits:
        if not culprit.normal_path:
            return False
        values[-culprit.span_rows :, window.names.index(culprit.signal)] = culprit.normal_path
    nothing = ExplanationPolicy(ExplainedRows.NONE)
    answer, _ = pipeline.run(window.with_numeric(values), nothing)
    return bool(answer.scores[-1] < answer.threshold)


if __name__ == "__main__":
    for one in every(quick=False):
        print(
            f"{one.machine:14s} {one.pipeline:12s} median {np.median(one.sizes):4.1f}, largest "
            f"{max(one.sizes):2d}, valid {np.mean(one.valid):.3f} of {len(one.valid)}"
        )
    print(figures(quick=True))
