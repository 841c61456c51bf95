"""Counts the calls in flight, and lets none in once the server drains."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from clarion.errors import DrainingError


class Gate:
    """Open while the server serves."""

    def __init__(self) -> None:
        self.draining = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._inside = 0

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Count one call from here on to its end.

        Raises
        ------
        DrainingError
            The server is shutting down.
        """
        if self.draining.is_set():
            raise draining()
        self._inside += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._idle.set()

    async def drain(self, seconds: float) -> bool:
        """Let no more calls in, and wait for those inside; False if some are left at the end."""
        self.draining.set()
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True


def draining() -> DrainingError:
    """Return the error for a call that meets a server shutting down."""
    return DrainingError("the server is shutting down; try again, it may be back in a moment")
