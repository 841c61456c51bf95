"""Laws of sources: batches in order, places to resume from, and typed errors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from clarion.errors import ClarionError, InvalidFrameError
from clarion.sources import Batch, Source
from clarion.testing import plugins
from clarion.testing.errors import Check, law, refusal, require


@dataclass(frozen=True, eq=False)
class SourceCase:
    """A source that has something to read.

    Attributes
    ----------
    plugin
        Built; what it reads stays the same while it is checked, and makes two batches or more.
    unreadable
        The same source set to read something that is no frame; None where there is no such thing.
    """

    plugin: Source
    unreadable: Source | None = None
    name: str = ""

    @property
    def title(self) -> str:
        """Its name, for messages."""
        return self.name or type(self.plugin).__name__

    def read(self, after: str = "", source: Source | None = None) -> list[Batch]:
        """Return all batches behind ``after``."""

        async def collect() -> list[Batch]:
            return [batch async for batch in (source or self.plugin).frames(after=after)]

        return asyncio.run(collect())


@law
def check_batches_are_well_formed(case: SourceCase) -> None:
    """Every batch has the same signals, some rows, a position of its own, and a label a row."""
    batches = case.read()
    require(len(batches) > 1, f"it gives {len(batches)} batch(es); let it read enough for two")
    first = batches[0].frame
    for i, batch in enumerate(batches):
        kinds = [(s.name, s.kind, s.unit) for s in batch.frame.signals]
        wanted = [(s.name, s.kind, s.unit) for s in first.signals]
        require(kinds == wanted, f"batch {i} has the signals {kinds}, batch 0 has {wanted}")
        require(len(batch.frame) > 0, f"batch {i} has no rows")
        require(
            batch.labels is None or len(batch.labels) == len(batch.frame),
            f"batch {i} has {len(batch.labels or ())} labels for {len(batch.frame)} rows",
        )
    places = [batch.position for batch in batches]
    require(
        all(places) and len(set(places)) == len(places),
        f"positions must be distinct and not empty, they are {places}",
    )


@law
def check_reading_again_gives_the_same(case: SourceCase) -> None:
    """Reading twice gives the same bytes."""
    _require_same("read a second time", case.read(), case.read())


@law
def check_positions_resume(case: SourceCase) -> None:
    """Behind each batch's position come exactly the rows that came after it."""
    batches = case.read()
    for i, batch in enumerate(batches):
        rest = case.read(batch.position)
        _require_same(f"read behind the position of batch {i}", batches[i + 1 :], rest)


@law
def check_acknowledging_loses_nothing(case: SourceCase) -> None:
    """What was not acknowledged comes again."""
    batches = case.read()

    async def acknowledge() -> None:
        await case.plugin.acknowledge(batches[0].position)

    asyncio.run(acknowledge())
    rest = case.read(batches[0].position)
    _require_same("read behind what was acknowledged", batches[1:], rest)


@law
def check_strange_positions_are_refused(case: SourceCase) -> None:
    """A position that it never gave is refused, not read as some other place."""
    refusal("the position 'nowhere'", partial(case.read, "nowhere"), ClarionError)


@law
def check_unreadable_input_is_refused(case: SourceCase) -> None:
    """What cannot be a frame is refused with place and cause."""
    if case.unreadable is not None:
        read = partial(case.read, "", case.unreadable)
        refusal("unreadable input", read, InvalidFrameError)


def _require_same(what: str, wanted: Sequence[Batch], got: Sequence[Batch]) -> None:
    """Require the same rows; they may be cut into batches elsewhere."""
    for name, read in _COLUMNS.items():
        one = [cell for batch in wanted for cell in read(batch)]
        other = [cell for batch in got for cell in read(batch)]
        require(len(one) == len(other), f"{what}, it gives {len(other)} rows, not {len(one)}")
        for row, (a, b) in enumerate(zip(one, other, strict=True)):
            require(a == b, f"{what}, {name} of row {row} change from {a!r} to {b!r}")


def _cells(batch: Batch) -> list[bytes]:
    return [row.tobytes() for row in batch.frame.values]


def _words(batch: Batch) -> list[tuple[str, ...]]:
    coded = batch.frame.of_kind(numeric=False)
    return [
        tuple("" if c < 0 else s.vocabulary[c] for s, c in zip(coded, row, strict=True))
        for row in batch.frame.codes
    ]


def _times(batch: Batch) -> list[int | None]:
    time = batch.frame.time
    return [None] * len(batch.frame) if time is None else [int(t) for t in time]


def _assets(batch: Batch) -> list[str]:
    return [batch.frame.asset_of(row).name for row in range(len(batch.frame))]


def _labels(batch: Batch) -> Sequence[str | None]:
    return [None] * len(batch.frame) if batch.labels is None else batch.labels


_COLUMNS: dict[str, Callable[[Batch], Sequence[object]]] = {
    "values": _cells,
    "words": _words,
    "times": _times,
    "assets": _assets,
    "labels": _labels,
}


def source_checks() -> tuple[Check[SourceCase], ...]:
    """Return the laws of sources."""
    return (
        plugins.check_parameters_are_described,
        check_batches_are_well_formed,
        check_reading_again_gives_the_same,
        check_positions_resume,
        check_acknowledging_loses_nothing,
        check_strange_positions_are_refused,
        check_unreadable_input_is_refused,
    )
