from __future__ import annotations

import os
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded data, read in place."""
    folder = Path(os.environ.get("CLARION_DATA") or _REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        reason = f"no recorded data in {folder}; set CLARION_DATA to their folder"
        if os.environ.get("CLARION_REQUIRE_DATA") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
