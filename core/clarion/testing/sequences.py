"""Laws of sequence detectors: what a memory is, and what it must not depend on.

A check lets a row detector pass.
"""

from __future__ import annotations

import numpy as np

from clarion.features import Features
from clarion.frames import Frame
from clarion.state import State
from clarion.testing import data
from clarion.testing.answers import Answer, require_same
from clarion.testing.cases import DetectorCase
from clarion.testing.errors import law, require
from clarion.testing.lineage import require_lineage, require_reads
from clarion.testing.streams import stream


def _cuts(n: int) -> dict[str, list[int]]:
    """Return where to cut ``n`` rows."""
    return {
        "cut in two": [n // 3],
        "cut at odd places": [1, 2, n // 2, n // 2, n - 7],
        "sent row by row": [*range(n - 30, n)],
    }


@law
def check_any_cut_gives_the_same_scores(case: DetectorCase) -> None:
    """Rows sent in any pieces, assets apart or interleaved, get the same bytes."""
    if not case.sequential:
        return
    wanted = case.answer(case.fitted, case.fresh)
    for name, cuts in _cuts(len(case.fresh)).items():
        require_same(name, wanted, stream(case.fitted, case.fresh, cuts))
    for asset in range(len(case.fresh.assets)):
        rows = np.flatnonzero(case.fresh.asset_index() == asset)
        alone = stream(case.fitted, case.fresh.take(rows))
        require_same(f"'{case.fresh.assets[asset].name}' alone", wanted.take(rows), alone)


@law
def check_memory_can_be_stored(case: DetectorCase) -> None:
    """A memory written to bytes and read again in mid-stream goes on with the same bytes."""
    if case.sequential:
        cuts = _cuts(len(case.fresh))["cut at odd places"]
        wanted = stream(case.fitted, case.fresh, cuts)
        got = stream(case.fitted, case.fresh, cuts, store=True)
        require_same("with its memory stored between the pieces", wanted, got)


@law
def check_memory_is_not_changed(case: DetectorCase) -> None:
    """``unroll`` returns a new memory: the one it was given can be used again."""
    if not case.sequential:
        return
    before, after = case.one_asset(seed=5), case.one_asset(seed=6)
    _, memory = case.fitted.unroll(case.fitted.start(), before)
    once, _ = case.fitted.unroll(memory, after)
    again, _ = case.fitted.unroll(memory, after)
    require_same("unrolled again from the same memory", _unrolled(once), _unrolled(again))


@law
def check_memory_is_bounded(case: DetectorCase) -> None:
    """A memory does not grow with the rows it has seen."""
    if not case.sequential:
        return
    frame = case.normal(512, seed=6, assets=False)
    memory, sizes = case.fitted.start(), []
    for _ in range(2):
        _, memory = case.fitted.unroll(memory, frame)
        sizes.append(_size(memory))
    require(
        sizes[1] <= sizes[0] + 64,  # counters grow by some digits
        f"the memory grows from {sizes[0]} bytes after 512 rows to {sizes[1]} after 1024",
    )


def _size(memory: State) -> int:
    arrays = sum(array.nbytes for array in memory.arrays.values())
    blobs = sum(len(blob) for blob in memory.blobs.values())
    return arrays + blobs + len(repr(memory.parameters))


@law
def check_unrolled_rows_lead_back(case: DetectorCase) -> None:
    """Unrolled rows come in the order of their source rows, with traces to the frame's cells."""
    if not case.sequential:
        return
    frame = case.one_asset(seed=5)
    features = _unroll(case, frame)
    steps = np.diff(features.source_rows)
    require((steps > 0).all(), f"source_rows must increase, they are {features.source_rows}")
    require_lineage(frame, lambda changed: _unroll(case, changed))


@law
def check_unrolled_signals_read_what_they_say(case: DetectorCase) -> None:
    """``reads`` names inputs for every unrolled signal, and no other input changes it."""
    if not case.sequential:
        return
    frame = case.one_asset(seed=5)
    reads = case.fitted.reads
    require_reads(reads, case.fitted.signals, frame.names)
    before = _unrolled(_unroll(case, frame))
    for column, signal in enumerate(frame.of_kind(numeric=True)):
        values = frame.values.copy()
        values[:, column] += 3 * data.scale_of(frame)[column]
        after = _unrolled(_unroll(case, data.changed(frame, values)))
        for j, name in enumerate(before.names):
            same = np.array_equal(before.values[:, j], after.values[:, j], equal_nan=True)
            require(
                same or signal.name in reads[name],
                f"'{name}' changes with '{signal.name}', but is said to read {reads[name]}",
            )


def _unroll(case: DetectorCase, frame: Frame) -> Features:
    features: Features = case.fitted.unroll(case.fitted.start(), frame)[0]
    return features


def _unrolled(features: Features) -> Answer:
    names = tuple(signal.name for signal in features.frame.of_kind(numeric=True))
    values = features.frame.values.astype(np.float64)
    return Answer(features.source_rows, values, names)
