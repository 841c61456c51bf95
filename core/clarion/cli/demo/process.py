"""The server as a process of its own: started on a free port of this machine, and drained."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from clarion_client import Client, Health, UnavailableError

_START_S, _STOP_S = 60.0, 15.0


class ServerFailedError(UnavailableError):
    """The demo's server did not come up; its last words are in the message."""

    reason = "SERVER_FAILED"


@contextmanager
def server(timeout_s: float = 60.0) -> Iterator[Client]:
    """Run ``clarion serve`` in a folder of its own, and yield a client of it.

    Raises
    ------
    ServerFailedError
        It ended, or did not answer in time.
    """
    with TemporaryDirectory(prefix="clarion-demo-") as folder, _log(folder) as log:
        port = _free_port()
        command = [sys.executable, "-P", "-m", "clarion.cli.main", "serve", "--host", "127.0.0.1"]
        command += [
            "--port",
            str(port),
            "--set",
            "explain_workers=0",
            "--data-dir",
            str(Path(folder) / "data"),
        ]
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            with Client.connect(f"127.0.0.1:{port}", timeout_s=timeout_s) as client:
                _await(client, process, Path(log.name))
                yield client
        finally:
            _stop(process)


def _log(folder: str) -> IO[bytes]:
    return (Path(folder) / "server.log").open("wb")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(client: Client, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            if client.health() is Health.SERVING:
                return
        except UnavailableError:
            pass
        time.sleep(0.1)
    words = log.read_text(errors="replace").strip().splitlines()[-5:]
    raise ServerFailedError(f"the server did not come up: {' | '.join(words) or 'no word of it'}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to drain, and end it where it does not."""
    process.terminate()
    try:
        process.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
