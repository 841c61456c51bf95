"""A plugin package that misbehaves in every way a server must live with; each name says how."""

from __future__ import annotations

import multiprocessing
import os
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from clarion.detectors import DetectorTraits
from clarion.explainers import Attribution, Label, Role, Scorable, Support, additivity_error
from clarion.features import FitContext
from clarion.frames import Frame, Signal
from clarion.parameters import parameter
from clarion.registry import Registry, hookimpl
from clarion.state import State, signal_values

SECRET = "the password is swordfish"  # what a plugin raises must not reach callers unnamed


@hookimpl
def clarion_register_detectors(registry: Registry) -> None:
    registry.add("raises_on_import", "clarion_trouble_missing:Nothing")
    for name in ("raises_on_fit", "exits_on_fit", "raises_on_score", "returns_nan", "sleeps"):
        registry.add(name, f"clarion_trouble:{name.title().replace('_', '')}")
    registry.add("exits_on_score", "clarion_trouble:ExitsOnScore")
    registry.add("fits_slowly", "clarion_trouble:FitsSlowly")
    registry.add("raises_on_load", "clarion_trouble:RaisesOnLoad")


@hookimpl
def clarion_register_explainers(registry: Registry) -> None:
    registry.add("kills_its_process", "clarion_trouble:KillsItsProcess")
    registry.add("raises_on_explain", "clarion_trouble:RaisesOnExplain")


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Scores the sum of squares, which one subclass does wrong each."""

    signals: tuple[Signal, ...]
    seconds: float = 0.0

    def score(self, frame: Frame) -> Any:
        return (frame.numeric() ** 2).sum(axis=1)

    def state(self) -> State:
        return State(1, {"signals": signal_values(self.signals), "seconds": self.seconds})

    @classmethod
    def from_state(cls, state: State) -> Self:
        return cls(state.signals(), state.parameter("seconds", float))


class Normal:
    """Fits at once."""

    traits: ClassVar[DetectorTraits] = DetectorTraits()
    fitted: ClassVar[type[Fitted]] = Fitted

    def fit(self, frame: Frame, labels: Any, context: FitContext) -> Fitted:
        return self.fitted(frame.signals)


@dataclass(frozen=True)
class RaisesOnFit(Normal):
    def fit(self, frame: Frame, labels: Any, context: FitContext) -> Fitted:
        raise RuntimeError(SECRET)


@dataclass(frozen=True)
class ExitsOnFit(Normal):
    def fit(self, frame: Frame, labels: Any, context: FitContext) -> Fitted:
        raise SystemExit(3)


class FittedRaisesOnScore(Fitted):
    def score(self, frame: Frame) -> Any:
        if frame.numeric().max() > 1000:
            raise RuntimeError(SECRET)
        return super().score(frame)


@dataclass(frozen=True)
class RaisesOnScore(Normal):
    fitted: ClassVar[type[Fitted]] = FittedRaisesOnScore


class FittedExitsOnScore(Fitted):
    def score(self, frame: Frame) -> Any:
        if frame.numeric().max() > 1000:
            raise SystemExit(3)
        return super().score(frame)


@dataclass(frozen=True)
class ExitsOnScore(Normal):
    fitted: ClassVar[type[Fitted]] = FittedExitsOnScore


class FittedReturnsNan(Fitted):
    def score(self, frame: Frame) -> Any:
        scores = super().score(frame)
        return np.where(frame.numeric().max(axis=1) > 1000, np.nan, scores)


@dataclass(frozen=True)
class ReturnsNan(Normal):
    fitted: ClassVar[type[Fitted]] = FittedReturnsNan


class FittedSleeps(Fitted):
    """Takes as many seconds as the largest value beyond 1000 says."""

    def score(self, frame: Frame) -> Any:
        time.sleep(max(0.0, frame.numeric().max() - 1000))
        return super().score(frame)


@dataclass(frozen=True)
class Sleeps(Normal):
    fitted: ClassVar[type[Fitted]] = FittedSleeps


class FittedRaisesOnLoad(Fitted):
    @classmethod
    def from_state(cls, state: State) -> Self:
        raise RuntimeError(SECRET)


@dataclass(frozen=True)
class RaisesOnLoad(Normal):
    fitted: ClassVar[type[Fitted]] = FittedRaisesOnLoad


@dataclass(frozen=True)
class FitsSlowly(Normal):
    """Fits in so many steps of 20 ms; can be cancelled between them."""

    steps: int = parameter(50, "Steps.", minimum=1, maximum=100_000)

    def fit(self, frame: Frame, labels: Any, context: FitContext) -> Fitted:
        for step in range(self.steps):
            context.check_cancelled()
            context.progress(step / self.steps, f"step {step}")
            time.sleep(0.02)
        return Fitted(frame.signals)


@dataclass(frozen=True)
class SlowExplainer:
    """Explains by equal shares, slowly enough to be given a process of its own."""

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        return Support(Label.ADDITIVE, 3000)  # more than the default budget

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: Any
    ) -> Attribution:
        time.sleep(0.02)
        scores = scorable.score(frame)
        base = np.zeros(len(frame))
        shares = np.repeat(scores[:, None] / len(frame.signals), len(frame.signals), axis=1)
        gap = additivity_error(shares, base, scores)
        return Attribution(shares, base, Label.ADDITIVE, "equal", "zero", gap)


@dataclass(frozen=True)
class KillsItsProcess(SlowExplainer):
    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: Any
    ) -> Attribution:
        if multiprocessing.parent_process() is not None:
            os._exit(13)
        return super().explain(scorable, frame, evaluations=evaluations, seeds=seeds)


@dataclass(frozen=True)
class RaisesOnExplain(SlowExplainer):
    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: Any
    ) -> Attribution:
        if multiprocessing.parent_process() is not None:
            raise RuntimeError(SECRET)
        return super().explain(scorable, frame, evaluations=evaluations, seeds=seeds)
