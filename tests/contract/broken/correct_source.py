"""A source that keeps every law: rows made up from their number, twenty a batch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np

from clarion.errors import InvalidFrameError, InvalidParameterError
from clarion.frames import Frame
from clarion.parameters import parameter
from clarion.sources import Batch

_ROWS = list(range(50))
_READS: list[int] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Row i holds i and i squared."""

    power: int = parameter(2, "Power of the second signal.", minimum=1, maximum=9)
    broken: bool = parameter(False, "Whether what is read is no frame.")

    async def frames(self, *, after: str = "") -> AsyncIterator[Batch]:
        if after and not after.isdigit():
            raise InvalidParameterError(f"'{after}' is no position of this source")
        if self.broken:
            raise InvalidFrameError("row 0 is no number")
        start = int(after or 0)
        for first in range(start, len(_ROWS), 20):
            rows = np.array(_ROWS[first : first + 20], np.float64)
            _READS.append(first)
            labels = tuple("odd" if row % 2 else "even" for row in rows)
            frame = Frame.of(np.stack([rows, rows**self.power], axis=1), ["n", "power"])
            yield Batch(frame, str(first + len(rows)), labels)

    async def acknowledge(self, position: str) -> None:
        _READS.clear()
