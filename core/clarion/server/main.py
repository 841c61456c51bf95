"""Running a server: from settings to an exit code."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from clarion.errors import ClarionError
from clarion.server.application import Application
from clarion.server.logs import configure_logs
from clarion.server.settings import Settings

_log = structlog.get_logger(__name__)


async def serve(
    settings: Settings,
    ready: Callable[[str], None] | None = None,
    stop: asyncio.Event | None = None,
) -> bool:
    """Serve until ``stop`` is set, or SIGTERM or SIGINT comes; then drain.

    Parameters
    ----------
    ready
        Called with the address, such as ``127.0.0.1:50051``, once requests are taken: with port 0
        in the settings it holds the port that was free.

    Returns
    -------
    Whether everything in flight was finished in ``drain_seconds``.

    Raises
    ------
    ClarionError, OSError, RuntimeError
        The data folder or the port cannot be had.
    """
    stop = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    application = Application(settings)
    await application.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    address = f"{settings.host}:{application.port}"
    _log.info("serving", address=address, data_dir=str(settings.data_dir), pid=os.getpid())
    if ready is not None:
        ready(address)
    try:
        await stop.wait()
    finally:
        _log.info("draining", seconds=settings.drain_seconds)
        finished = await application.stop()
        _log.info("stopped", finished=finished)
    return finished


def run(settings: Settings, ready: Callable[[str], None] | None = None) -> int:
    """Serve until a signal comes, and return the exit code: 0, or 1 if the server could not start."""
    configure_logs(settings.log_format, settings.log_level)
    try:
        finished = _runner(serve(settings, ready))
    except (ClarionError, OSError, RuntimeError) as error:
        _log.error("the server cannot start", error=str(error))
        return 1
    if not finished:
        # Threads cannot be stopped; what they would still do is recorded as failed already.
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)
    return 0


def _runner(main: Coroutine[Any, Any, bool]) -> bool:
    """Run a coroutine on uvloop where there is one."""
    factory = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
