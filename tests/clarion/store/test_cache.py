from __future__ import annotations

import threading
import time

import pytest

from clarion.store.cache import Cache


def test_the_least_recently_used_is_dropped_first() -> None:
    cache: Cache[str] = Cache(max_count=2, max_bytes=100)
    for key in "ab":
        cache.get(key, lambda key=key: (key, 1))  # type: ignore[misc]  # a default argument binds
    cache.peek("a")
    cache.get("c", lambda: ("c", 1))
    assert [cache.peek(key) for key in "abc"] == ["a", None, "c"]


def test_bytes_are_bounded_but_the_newest_stays() -> None:
    cache: Cache[str] = Cache(max_count=9, max_bytes=10)
    cache.get("a", lambda: ("a", 6))
    cache.get("b", lambda: ("b", 6))
    assert [cache.peek(key) for key in "ab"] == [None, "b"]
    cache.get("c", lambda: ("c", 99))
    assert [cache.peek(key) for key in "bc"] == [None, "c"]


def test_threads_that_ask_at_once_share_one_making() -> None:
    cache: Cache[object] = Cache(max_count=2, max_bytes=10)
    made: list[object] = []
    gate = threading.Barrier(8)

    def make() -> tuple[object, int]:
        made.append(object())
        time.sleep(0.02)
        return made[-1], 1

    got: list[object] = []

    def ask() -> None:
        gate.wait()
        got.append(cache.get("key", make))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(value is made[0] for value in got)
    assert len(got) == 8


def test_a_making_that_fails_is_not_kept() -> None:
    cache: Cache[int] = Cache(max_count=2, max_bytes=10)

    def fail() -> tuple[int, int]:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        cache.get("key", fail)
    assert cache.get("key", lambda: (7, 1)) == 7
