"""Attributions kept by what they depend on, so that asking twice costs once."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from clarion.explainers import Attribution
from clarion.frames import Frame

_OVERHEAD_BYTES = 1024
"""What an entry takes beside its arrays' own bytes, about: seven small objects and its key."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows explained, and how many of them an earlier call had paid for."""

    rows: int = 0
    cached: int = 0

    def __add__(self, other: Hits) -> Hits:
        """Return the sums."""
        return Hits(self.rows + other.rows, self.cached + other.cached)


class AttributionCache:
    """Attributions of single rows, of at most ``max_bytes`` together; the least recently used go first.

    Thread-safe. Threads that miss the same row at once both work it out, to the same bytes.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[Hashable, tuple[Attribution, int]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return self._bytes

    def get(self, key: Hashable) -> Attribution | None:
        """Return the attribution of one row, if it is there."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def put(self, key: Hashable, answer: Attribution) -> None:
        """Keep the attribution of one row; what alone exceeds the bound is not kept."""
        size = _OVERHEAD_BYTES + sum(array.nbytes for array in _arrays(answer).values())
        if size > self._max_bytes:
            return
        with self._lock:
            old = self._entries.pop(key, None)
            self._bytes -= 0 if old is None else old[1]
            self._entries[key] = (answer, size)
            self._bytes += size
            while self._bytes > self._max_bytes:
                self._bytes -= self._entries.popitem(last=False)[1][1]


def row_keys(frame: Frame) -> list[bytes]:
    """Return a hash of all that a row's score may depend on: its cells, asset and time; one a row."""
    values = np.ascontiguousarray(frame.numeric())
    times = [None] * len(frame) if frame.time is None else frame.time.tolist()
    whose = [repr((frame.asset_of(i), moment)).encode() for i, moment in enumerate(times)]
    return [
        hashlib.blake2b(named + row.tobytes(), digest_size=16).digest()
        for named, row in zip(whose, values, strict=True)
    ]


def taken(answer: Attribution, row: int) -> Attribution:
    """Return the attribution of one row alone, in arrays of its own."""
    parts = {name: array[row : row + 1].copy() for name, array in _arrays(answer).items()}
    return replace(answer, **parts)


def joined(parts: Sequence[Attribution]) -> Attribution:
    """Return the attributions of several calls as one; its label is the least of theirs."""
    first = parts[0]
    arrays: dict[str, Any] = {
        name: np.concatenate([_arrays(part)[name] for part in parts]) for name in _arrays(first)
    }
    label = max((part.label for part in parts), key=lambda label: label.rank)
    return replace(first, label=label, **arrays)


def _arrays(answer: Attribution) -> dict[str, Any]:
    held = {field.name: getattr(answer, field.name) for field in fields(answer)}
    return {name: array for name, array in held.items() if isinstance(array, np.ndarray)}
