from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from clarion.cli import console
from clarion.cli.waiting import awaited
from clarion_client import DeadlineExceededError, Progress


class Operation:
    """An operation that ends as a test says."""

    def __init__(self, end: Callable[[], Any]) -> None:
        self.end, self.cancelled = end, False

    def wait(self, timeout_s: float, progress: Callable[[Progress], None]) -> Any:
        progress(Progress(0.5, "fitting"))
        return self.end()

    def cancel(self) -> None:
        self.cancelled = True


def interrupted() -> None:
    raise KeyboardInterrupt


def late() -> None:
    raise DeadlineExceededError("it runs on")


def test_the_result_is_returned_and_progress_shown() -> None:
    operation = Operation(lambda: "version")
    with console.progress() as bar:
        assert awaited(operation, bar, 1.0) == "version"  # type: ignore[arg-type]
        assert (bar.tasks[0].completed, bar.tasks[0].description) == (0.5, "fitting")
    assert not operation.cancelled


def test_an_interruption_ends_the_work_on_the_server_too() -> None:
    operation = Operation(interrupted)
    with console.progress() as bar, pytest.raises(KeyboardInterrupt):
        awaited(operation, bar, 1.0)  # type: ignore[arg-type]
    assert operation.cancelled


def test_what_takes_too_long_to_wait_for_runs_on() -> None:
    operation = Operation(late)
    with console.progress() as bar, pytest.raises(DeadlineExceededError):
        awaited(operation, bar, 1.0)  # type: ignore[arg-type]
    assert not operation.cancelled
