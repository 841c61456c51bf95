"""What the README shows is what happens."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clarion import testing
from clarion.frames import Frame
from clarion.pipeline.fit import fit
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins

REPOSITORY = Path(__file__).parents[3]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
LOCAL = "localhost:50051"


def blocks(language: str, holding: str) -> str:
    """Return the only code block of a language that holds some words."""
    found = re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (block,) = [text for text in found if holding in text]
    return str(block)


@pytest.fixture(scope="module")
def pump7(address: str) -> str:
    """Run the README's Python block, and return what it printed."""
    code = blocks("python", "Client.connect")
    assert LOCAL in code
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code.replace(LOCAL, address), {})  # noqa: S102 - the README's own code
    return printed.getvalue()


def test_the_python_block_finds_the_pressure(pump7: str) -> None:
    assert "[False  True]" in pump7
    assert "pressure = 7.5 bar" in pump7
    assert "lime: R²" in pump7
    assert "MODEL_NOT_FOUND there is no model 'pump-8'" in pump7


def test_the_buf_block_is_answered(pump7: str, address: str) -> None:
    buf = shutil.which("buf", path=str(Path(sys.executable).parent)) or shutil.which("buf")
    if buf is None:
        pytest.skip("buf curl was not tried: there is no buf here (it comes with the group dev)")
    command = blocks("sh", "buf curl").replace(LOCAL, address).replace("buf curl", f"{buf} curl")
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    (explanation,) = json.loads(done.stdout)["explanations"]
    assert explanation["signalRanking"][0]["signal"] == "pressure"
    assert explanation["label"] == "LABEL_EXACT"


def test_the_plugin_has_30_lines_and_keeps_every_law(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = blocks("python", "class Margins")
    assert len([line for line in code.splitlines() if line.strip()]) <= 30
    (tmp_path / "clarion_margins.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    registries = load_plugins()
    importlib.import_module("clarion_margins").clarion_register_detectors(registries.detectors)
    results = list(testing.run("detectors", "margins", registries))
    assert [f"{r.check}: {r.failure}" for r in results if not r.passed] == []
    assert len(results) > 20
    sys.modules.pop("clarion_margins")


def explained_by() -> list[tuple[str, str, str]]:
    """Return (explainer, label, detector) of each name in the README's table."""
    rows = re.findall(r"^\| `(\w+)` \| (exact|additive|sampled) \| (.*) \|$", README, re.MULTILINE)
    return [(e, label, d) for e, label, names in rows for d in re.findall(r"`(\w+)`", names)]


def test_the_table_names_every_built_in_explainer() -> None:
    named = set(
        re.findall(r"^\| `(\w+)` \| (?:exact|additive|sampled|cross-check)", README, re.MULTILINE)
    )
    assert {entry.name for entry in load_plugins().explainers} <= named


@pytest.mark.parametrize(("explainer", "label", "detector"), explained_by())
def test_a_detector_is_explained_as_the_table_says(
    explainer: str, label: str, detector: str
) -> None:
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(400, 3)), np.arange(400) % 15 == 0
    rows[labels] += 6.0
    times = np.arange(400, dtype=np.int64) * 3_600_000_000_000
    frame = Frame.of(rows, ["a", "b", "c"], time=times)
    spec = PipelineSpec(Step(detector), false_alarm_rate=0.05)
    answer: Any = fit(spec, frame, labels, registries=load_plugins()).run(frame)
    attribution = (answer[0] if isinstance(answer, tuple) else answer).attribution
    assert (attribution.method, attribution.label) == (explainer, label)


def test_links_and_pictures_are_there() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (REPOSITORY / target).exists(), target
