"""Running the same thing in several threads, so that races show."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TypeVar

T = TypeVar("T")

_ROUNDS = 4


def in_threads(actions: Sequence[Callable[[], T]]) -> list[T]:
    """Return what the actions return, a thread each, started together several times over.

    The first error raised in a thread is raised here.
    """
    barrier = Barrier(len(actions))

    def work(action: Callable[[], T]) -> T:
        for _ in range(_ROUNDS):
            barrier.wait(timeout=60)
            result = action()
        return result

    with _frequent_switches(), ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(work, actions))


@contextmanager
def _frequent_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
