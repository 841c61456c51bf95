"""Waiting for an operation, with its progress in sight; Ctrl-C ends it on the server too."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from clarion_client import Operation, Progress

T = TypeVar("T")


def awaited(operation: Operation[T], bar: Bar, timeout_s: float) -> T:
    """Return the result of ``operation``; interrupted, cancel it and go on being interrupted.

    Raises
    ------
    ClarionError
        It failed, or is not done after ``timeout_s``; it then runs on.
    """
    task = bar.add_task("waiting", total=1.0)

    def told(progress: Progress) -> None:
        bar.update(task, completed=progress.share, description=progress.stage or "waiting")

    try:
        return operation.wait(timeout_s, told)
    except KeyboardInterrupt:
        operation.cancel()
        raise
