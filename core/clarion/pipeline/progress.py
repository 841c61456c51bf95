"""Progress of a fit: one number that never falls, made of the shares its plugins report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from clarion.features import FitContext

Progress = Callable[[float, str], None]


def never_back(progress: Progress) -> Progress:
    """Return ``progress`` as it is told to the caller: a share that falls behind stays."""
    reached = 0.0

    def said(share: float, doing: str) -> None:
        nonlocal reached
        reached = max(reached, share)
        progress(reached, doing)

    return said


def part(context: FitContext, start: float, stop: float) -> FitContext:
    """Return the context of a plugin whose own [0, 1] is [start, stop] of the whole fit."""

    def said(share: float, doing: str) -> None:
        context.progress(start + (stop - start) * min(max(share, 0.0), 1.0), doing)

    return replace(context, progress=said)
