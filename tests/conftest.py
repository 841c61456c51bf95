"""What several packages of tests share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE_PLUGIN = Path(__file__).parent / "example_plugin"


@pytest.fixture(scope="session")
def example_plugin_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the example plugin installed from its own wheel, to be put on the path."""
    wheels, installed = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir"]
    subprocess.run([*build, wheels, EXAMPLE_PLUGIN], check=True, capture_output=True, cwd=wheels)
    (wheel,) = wheels.glob("*.whl")
    install = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    subprocess.run(
        [*install, "--no-deps", "--no-index", "--target", installed, wheel],
        check=True,
        capture_output=True,
    )
    return installed
