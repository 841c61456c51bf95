"""Contract of sources: where frames come from."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from clarion.errors import InvalidFrameError
from clarion.frames import Frame, concatenated


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One frame of a source, its labels if the source has any, and the position after it.

    ``position`` is opaque: handed back to `Source.frames` it resumes behind this batch.
    """

    frame: Frame
    position: str
    labels: tuple[str, ...] | None = None


class Source(Protocol):
    """A frozen dataclass of parameters."""

    def frames(self, *, after: str = "") -> AsyncIterator[Batch]:
        """Yield batches behind ``after`` (empty: from the start), in order, never infinitely many rows.

        Raises
        ------
        InvalidFrameError
            What is read cannot be a frame; place and cause are named.
        """
        ...

    async def acknowledge(self, position: str) -> None:
        """Say that everything up to ``position`` was dealt with and need not come again."""
        ...


def read_all(source: Source) -> tuple[Frame, tuple[str, ...] | None]:
    """Return all rows of a source that ends, and their labels if every batch has them.

    For programs without an event loop: it runs one of its own.

    Raises
    ------
    InvalidFrameError
        The source has no rows, or what it reads cannot be a frame.
    """
    batches = asyncio.run(_collected(source))
    if not batches:
        raise InvalidFrameError("the source has no rows", field="source")
    labels = [batch.labels for batch in batches if batch.labels is not None]
    whole = tuple(itertools.chain.from_iterable(labels)) if len(labels) == len(batches) else None
    return concatenated([batch.frame for batch in batches]), whole


async def _collected(source: Source) -> list[Batch]:
    return [batch async for batch in source.frames()]
