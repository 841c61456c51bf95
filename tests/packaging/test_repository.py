"""What git holds works on any machine."""

import re
import subprocess
from importlib.metadata import distributions
from pathlib import Path

import pytest

MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:wor[k]|roo[t]|op[t]/pypi|tm[p]/bash)\b[/.\w-]")


def test_no_tracked_file_names_a_path_of_one_machine(root: Path) -> None:
    found = [
        f"{path.relative_to(root)}: {match.group()}"
        for path in tracked(root)
        for match in [MACHINE_PATHS.search(path.read_text(encoding="utf-8", errors="ignore"))]
        if match
    ]
    assert found == []


@pytest.mark.parametrize(
    "line", ["cd /wor" + "k/main", "HOME=/roo" + "t/x", "'/op" + "t/pypi/simple'"]
)
def test_a_path_of_one_machine_is_recognised(line: str) -> None:
    assert MACHINE_PATHS.search(line)


def test_the_constraints_pin_everything_that_is_installed_and_name_no_index(root: Path) -> None:
    lines = [
        line
        for line in (root / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[\w.-]+==[\w.+!-]+", line) for line in lines)
    pinned = {canonical(line.split("==")[0]) for line in lines}
    installed = {canonical(distribution.name) for distribution in distributions()}
    assert installed - pinned <= {"clarion", "clarion-client", "setuptools"}


def tracked(root: Path) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True, text=True
    )
    return [path for name in listing.stdout.split("\0") if name and (path := root / name).is_file()]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
