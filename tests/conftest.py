"""What several packages of tests share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from clarion.errors import MissingExtraError

OPTIONAL = ("deep", "pyod")
"""Extras that `make test` does without, and `make test-deep` installs."""
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


def _skipped_without(error: MissingExtraError) -> None:
    """Skip what a test asked of every detector, where this one needs an extra that is not there."""
    if error.metadata.get("extra") in OPTIONAL:
        pytest.skip(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, None, None]:
    """Skip tests whose fixtures need an optional extra."""
    try:
        yield
    except MissingExtraError as error:
        _skipped_without(error)
        raise


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Skip tests that need an optional extra."""
    try:
        yield
    except MissingExtraError as error:
        _skipped_without(error)
        raise
