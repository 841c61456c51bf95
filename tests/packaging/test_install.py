"""The wheels, installed beside no sources, work."""

import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

LOAD_EVERYTHING = """
import importlib, importlib.metadata, pathlib, sys
names = ["clarion", "clarion_api", "clarion_client"]
names += [entry.load().__name__ for entry in importlib.metadata.entry_points(group="clarion")]
for name in names:
    home = pathlib.Path(importlib.import_module(name).__file__).resolve()
    assert home.is_relative_to(pathlib.Path(sys.prefix).resolve()), f"{name} comes from {home}"
print(*names)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, wheel: Path, client_wheel: Path) -> Path:
    """Return the Python of a fresh environment with the wheels and, by a path, the tests' own libraries."""
    home = tmp_path_factory.mktemp("venv")
    python = new_environment(home)
    pip(python, "install", "--no-deps", "--no-index", wheel, client_wheel)
    (site_packages,) = home.glob("lib/python*/site-packages")
    # A directory added by a .pth has its own .pth files ignored, so the editable sources stay out of reach.
    (site_packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


def test_every_package_and_entry_point_loads_from_the_wheels(python: Path) -> None:
    loaded = run(python, "-I", "-c", LOAD_EVERYTHING).split()
    assert set(loaded) >= {
        "clarion",
        "clarion_detectors",
        "clarion_explainers",
        "clarion_features",
        "clarion_sources",
    }


def test_the_command_runs_from_the_wheels(python: Path) -> None:
    assert "serve" in run(python.parent / "clarion", "--help")


@pytest.mark.slow
def test_the_wheels_install_with_their_dependencies(
    tmp_path: Path, root: Path, wheel: Path, client_wheel: Path
) -> None:
    python = new_environment(tmp_path)
    pip(python, "install", "--quiet", "--constraint", root / "constraints.txt", wheel, client_wheel)
    pip(python, "check")
    assert "serve" in run(python.parent / "clarion", "--help")


def new_environment(home: Path) -> Path:
    run(Path(sys.executable), "-m", "venv", "--without-pip", home)
    return home / "bin" / "python"


def pip(python: Path, *arguments: str | Path) -> None:
    run(Path(sys.executable), "-m", "pip", "--python", python, *arguments)


def run(program: Path, *arguments: str | Path) -> str:
    """Return what the program printed, run where no sources lie."""
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, cwd=program.parent, check=False
    )
    assert done.returncode == 0, f"{program.name} {words(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def words(arguments: Sequence[str | Path]) -> str:
    return " ".join(map(str, arguments))
