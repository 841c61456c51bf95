"""One real server for all tests of this folder, and commands run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from clarion.cli.demo.process import server as demo_server
from clarion.cli.main import run


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Cli = Callable[..., Ran]


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    with demo_server() as client:
        yield client.connection.target


@pytest.fixture
def offline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("COLUMNS", "200")

    def cli(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return Ran(code, told.out, told.err)

    return cli


@pytest.fixture
def cli(address: str, offline: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("CLARION_SERVER", address)
    return offline


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a CSV of 500 normal hours of a pump: flow and heat go together, noise is noise."""
    return written(tmp_path_factory.mktemp("data") / "history.csv", 500, seed=1, spikes={})


@pytest.fixture(scope="session")
def today(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return 60 more hours; at hour 40 the heat is far off, and the label says so."""
    return written(tmp_path_factory.mktemp("data") / "today.csv", 60, seed=2, spikes={40: 9.0})


def written(path: Path, rows: int, *, seed: int, spikes: dict[int, float]) -> Path:
    rng = np.random.default_rng(seed)
    flow = rng.normal(size=rows)
    heat = flow + 0.1 * rng.normal(size=rows)
    noise = rng.normal(size=rows)
    lines = ["when,flow,heat,noise,fault"]
    for hour in range(rows):
        stamp = np.datetime64("2024-01-01T00:00:00") + np.timedelta64(hour, "h")
        hot = heat[hour] + spikes.get(hour, 0.0)
        lines.append(f"{stamp}Z,{flow[hour]},{hot},{noise[hour]},{int(hour in spikes)}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def pump(address: str, history: Path) -> str:
    """Return the name of a model fitted on the history."""
    fit = ["fit", "pump", history, "--time", "when", "--drop", "fault", "--detector"]
    arguments = [*fit, "mahalanobis", "--features", "standardize", "--server", address]
    assert run([str(argument) for argument in arguments]) == 0
    return "pump"
