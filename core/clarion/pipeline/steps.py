"""Fitting the extractors one after the other, with ``encode`` and ``impute`` where needed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from clarion.arrays import BoolArray
from clarion.detectors import Detector
from clarion.errors import InvalidFrameError, TooFewRowsError
from clarion.features import FeatureExtractor, FitContext
from clarion.frames import Frame, SignalKind
from clarion.parameters import under, values_of
from clarion.pipeline.chain import Chain, Transformed, stepped
from clarion.pipeline.guard import plugin_errors
from clarion.pipeline.progress import part
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries

ENCODE, IMPUTE = Step("encode"), Step("impute")
"""Put in front of what cannot take words, or missing cells."""


def looks_back(spec: PipelineSpec, registries: Registries) -> bool:
    """Return whether a step looks back in time, so that rows must be in order."""
    steps = [
        registries.features.build(s.plugin, s.parameters, path=f"spec.features[{i}].parameters")
        for i, s in enumerate(spec.features)
    ]
    return any(step.traits.ordered for step in steps)


def fit_chain(
    spec: PipelineSpec,
    frame: Frame,
    learning: BoolArray,
    detector: Detector,
    context: FitContext,
) -> tuple[PipelineSpec, Chain, Transformed]:
    """Fit the extractors on the ``learning`` rows; return the spec as fitted, and all rows' features."""
    done = Transformed.start(frame)
    steps: list[Step] = []
    fitted: list[tuple[str, Any]] = []
    waiting = list(spec.features)
    while True:
        step = _next_step(waiting, steps, done.frame, detector, context.registries)
        if step is None:
            break
        context.check_cancelled()
        planned = len(steps) + 1 + len(waiting)
        path = f"spec.features[{len(steps)}].parameters"
        extractor: FeatureExtractor = context.registries.features.build(
            step.plugin, step.parameters, path=path
        )
        with plugin_errors("features", step.plugin, "fitting"), under(path):
            learned = extractor.fit(
                done.frame.take(np.flatnonzero(learning[done.source_rows])),
                part(context, len(steps) / planned, (len(steps) + 1) / planned),
            )
        done = stepped(done, step.plugin, learned)
        if not len(done.frame):
            raise TooFewRowsError(
                f"no row has the {learned.history} earlier rows of its asset that "
                f"'{step.plugin}' needs; send longer series or shorten its window",
                field="frame",
                needed=learned.history + 1,
            )
        steps.append(Step(step.plugin, values_of(extractor)))
        fitted.append((step.plugin, learned))
    return replace(spec, features=tuple(steps)), Chain(tuple(fitted)), done


def _next_step(
    waiting: list[Step],
    steps: list[Step],
    frame: Frame,
    detector: Detector,
    registries: Registries,
) -> Step | None:
    """Return the next step: what the asked-for one (or the detector) cannot take comes first."""
    traits: Any = detector.traits
    if waiting:
        traits = registries.features.get(waiting[0].plugin).traits
    refused = {signal.kind for signal in frame.signals} - traits.signal_kinds
    if refused:
        if refused != {SignalKind.CATEGORICAL} or ENCODE in _bare(steps):
            kinds = ", ".join(sorted(kind.value for kind in refused))
            raise InvalidFrameError(f"no step of the pipeline takes {kinds} signals", field="frame")
        return ENCODE
    if not traits.missing_values and bool(np.isnan(frame.values).any()):
        if IMPUTE in _bare(steps):
            raise InvalidFrameError("cells are missing even behind 'impute'", field="frame")
        return IMPUTE
    return waiting.pop(0) if waiting else None


def _bare(steps: list[Step]) -> list[Step]:
    return [Step(step.plugin) for step in steps]
