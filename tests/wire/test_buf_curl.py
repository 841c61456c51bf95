"""A client that shares no code with Clarion: `buf curl`, speaking gRPC with JSON from reflection."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.rpc import error_details_pb2


@pytest.fixture(scope="module")
def buf() -> str:
    beside = Path(sys.executable).with_name("buf")
    found = str(beside) if beside.exists() else shutil.which("buf")
    assert found, "buf is a development dependency: pip install --group dev"
    return found


def curl(
    buf: str, server: Any, tmp_path: Path, method: str, request: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            buf,
            "curl",
            "--protocol=grpc",
            "--http2-prior-knowledge",
            f"--data={json.dumps(request)}",
            f"http://{server.address}/clarion.v1.{method}",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "BUF_CACHE_DIR": str(tmp_path), "HOME": str(tmp_path)},
    )


def test_a_stranger_scores_records_by_json(buf: str, server: Any, tmp_path: Path) -> None:
    rows = [
        {"pressure": 0.1, "flow": 0.2, "speed": -0.3},
        {"pressure": 0.1, "flow": 9.0, "speed": -0.3},
    ]
    request = {"model": "models/pump", "frame": {"records": {"rows": rows}}}
    done = curl(buf, server, tmp_path, "DetectionService/Score", request)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    (explanation,) = answer["explanations"]
    assert (explanation["row"], explanation["label"]) == (1, "LABEL_EXACT")
    assert explanation["signalRanking"][0]["signal"] == "flow"
    assert "flow" in explanation["summary"]


def test_a_stranger_is_told_what_is_wrong(buf: str, server: Any, tmp_path: Path) -> None:
    request = {"model": "models/nope", "frame": {"records": {"rows": [{"a": 1}]}}}
    done = curl(buf, server, tmp_path, "DetectionService/Score", request)
    assert done.returncode != 0
    error = json.loads(done.stderr)
    assert error["code"] == "not_found"
    details = {
        detail["type"]: base64.b64decode(detail["value"] + "==") for detail in error["details"]
    }
    info = error_details_pb2.ErrorInfo.FromString(details["google.rpc.ErrorInfo"])
    assert (info.reason, dict(info.metadata)) == ("MODEL_NOT_FOUND", {"model": "nope"})
