"""What a stream remembers between frames: each asset's last rows, and how it fared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.features import rows_by_asset
from clarion.frames import Frame, concatenated
from clarion.pipeline.confidence import Confidence
from clarion.pipeline.silence import Silence
from clarion.state import State

NEVER = np.iinfo(np.int64).min
"""Stands for a time that is not known."""
MAX_ASSETS = 10_000
"""Assets remembered by one stream unless said otherwise."""


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """An asset's unbroken run of anomalous rows: how many, and when it began (if times are known)."""

    count: int = 0
    since: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AssetMemory:
    """One asset: its last raw rows, its detector's memory (sequence kind), its current run.

    ``past`` is what ranking its signals by their own past asks for (`explaining.ranking.Pasts`).
    """

    tail: Frame | None = None
    detector: State | None = None
    run: Run = field(default_factory=Run)
    past: FloatArray | None = None


_NEW = AssetMemory()
"""Of an asset that nothing is known of."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """All assets of a stream, the one seen last at the end. Plain data, never changed in place.

    An asset beyond ``most`` makes it forget the one unseen for longest, which then starts anew: its
    windows fill again, its run of anomalous rows ends. ``forgotten`` counts how often that happened.
    Bounded: ``most`` times (the pipeline's history rows + the detector's own memory + five
    numbers a signal), what judges the stream's rows, which all assets share, and
    when each asset was last seen.
    """

    assets: Mapping[str, AssetMemory] = field(default_factory=dict)
    confidence: Confidence | None = None
    most: int = MAX_ASSETS
    forgotten: int = 0
    silence: Silence | None = None

    def before(self, frame: Frame) -> tuple[Frame, int]:
        """Return ``frame`` behind the remembered rows of its assets, and how many those are."""
        present = [frame.asset_of(int(rows[0])).name for rows in rows_by_asset(frame)]
        remembered = [self.assets[name].tail for name in present if name in self.assets]
        tails = [tail for tail in remembered if tail is not None and len(tail)]
        return concatenated([*tails, frame]), sum(len(tail) for tail in tails)

    def detectors(self) -> dict[str, State]:
        """Return the detector's memory of each asset that has one."""
        kept = {name: memory.detector for name, memory in self.assets.items()}
        return {name: state for name, state in kept.items() if state is not None}

    def pasts(self) -> dict[str, FloatArray]:
        """Return what came before of each asset's signals, where it is known."""
        kept = {name: memory.past for name, memory in self.assets.items()}
        return {name: past for name, past in kept.items() if past is not None}

    def after(
        self,
        whole: Frame,
        history: int,
        detectors: Mapping[str, State],
        runs: Mapping[str, Run],
        pasts: Mapping[str, FloatArray],
    ) -> Memory:
        """Return the memory once ``whole`` (remembered rows and new ones) was scored."""
        assets = dict(self.assets)
        for rows in rows_by_asset(whole):
            name = whole.asset_of(int(rows[0])).name
            old = assets.pop(name, _NEW)
            tail = _tail(whole, rows[max(0, len(rows) - history) :]) if history else None
            detector = detectors.get(name, old.detector)
            past = pasts.get(name, old.past)
            assets[name] = AssetMemory(tail, detector, runs.get(name, old.run), past)
        oldest = list(assets)[: max(0, len(assets) - self.most)]
        for name in oldest:
            del assets[name]
        return replace(self, assets=assets, forgotten=self.forgotten + len(oldest))


def _tail(frame: Frame, rows: Int64Array) -> Frame:
    """Return rows of one asset with that asset and their own words only, so that none pile up."""
    tail = frame.take(rows).of_one_asset()
    if not tail.of_kind(numeric=False):
        return tail
    codes, signals = tail.codes.copy(), list(tail.signals)
    for column, signal in enumerate(tail.of_kind(numeric=False)):
        present = codes[:, column] >= 0
        used, codes[present, column] = np.unique(codes[present, column], return_inverse=True)
        words = tuple(signal.vocabulary[code] for code in used)
        signals[signals.index(signal)] = replace(signal, vocabulary=words)
    return replace(tail, signals=tuple(signals), codes=codes)


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """The run that each scored row stands in.

    ``count`` has shape ``(n,)``; ``since`` too: the time at which the run began, `NEVER` if unknown.
    """

    count: Int64Array
    since: Int64Array

    def of(self, index: int) -> Run:
        """Return the run of one scored row."""
        since = int(self.since[index])
        return Run(int(self.count[index]), None if since == NEVER else since)


def follow_runs(
    memory: Memory, frame: Frame, source_rows: Int64Array, anomalous: BoolArray
) -> tuple[Runs, dict[str, Run]]:
    """Return the run that each scored row stands in, and each asset's run after the frame."""
    scored = frame.take(source_rows)
    groups = rows_by_asset(scored)
    if not groups:
        return Runs(np.zeros(0, np.int64), np.zeros(0, np.int64)), {}
    names = [scored.asset_of(int(rows[0])).name for rows in groups]
    befores = [memory.assets.get(name, _NEW).run for name in names]
    # Asset after asset: place by place, first row, and the run that each asset came with.
    order, sizes = np.concatenate(groups), np.array([len(rows) for rows in groups])
    ends = np.cumsum(sizes) - 1
    first = np.repeat(ends + 1 - sizes, sizes)
    place, flagged = np.arange(len(order)), anomalous[order]
    last_quiet = np.maximum.accumulate(np.where(flagged, -1, place))
    carried = last_quiet < first
    began = np.where(carried, first, last_quiet + 1)
    had = np.repeat(np.array([run.count for run in befores], np.int64), sizes)
    count = place - began + 1 + np.where(carried, had, 0)
    since = np.full(len(order), NEVER)
    if scored.time is not None:
        since = scored.time[order][np.minimum(began, np.repeat(ends, sizes))]
    came = [NEVER if run.since is None else run.since for run in befores]
    since = np.where(carried & (had > 0), np.repeat(np.array(came, np.int64), sizes), since)
    runs = Runs(np.empty(len(order), np.int64), np.empty(len(order), np.int64))
    runs.count[order] = np.where(flagged, count, 0)
    runs.since[order] = np.where(flagged, since, NEVER)
    last = order[ends].tolist()
    return runs, {name: runs.of(row) for name, row in zip(names, last, strict=True)}
