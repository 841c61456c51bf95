"""Loaded things kept by key, the least recently used dropped first; each is made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Cache(Generic[T]):
    """At most ``max_count`` values of at most ``max_bytes`` together; the newest one always stays.

    Thread-safe: threads that ask for the same key at once wait for the one that makes it.
    """

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._entries: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._making: dict[Hashable, Future[T]] = {}
        self._lock = threading.Lock()

    def peek(self, key: Hashable) -> T | None:
        """Return the value if it is there."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return entry[0]

    def get(self, key: Hashable, make: Callable[[], tuple[T, int]]) -> T:
        """Return the value, made by ``make`` (value and bytes) if it is not there."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                return entry[0]
            pending = self._making.get(key)
            if pending is None:
                mine = self._making[key] = Future()
        if pending is not None:
            return pending.result()
        return self._made(key, make, mine)

    def _made(self, key: Hashable, make: Callable[[], tuple[T, int]], promise: Future[T]) -> T:
        try:
            value, size = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            promise.set_exception(error)
            raise
        with self._lock:
            self._entries[key] = (value, size)
            self._entries.move_to_end(key)
            self._shrink()
            del self._making[key]
        promise.set_result(value)
        return value

    def _shrink(self) -> None:
        while len(self._entries) > 1 and (
            len(self._entries) > self._max_count
            or sum(size for _, size in self._entries.values()) > self._max_bytes
        ):
            self._entries.popitem(last=False)
