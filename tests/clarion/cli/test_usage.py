"""What goes wrong is said in one line with its cure, and with the right exit code."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

HEAVY = ("numpy", "scipy", "numba", "grpc", "pandas", "sklearn", "clarion_client", "pydantic")


def test_help_is_quick_for_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from clarion.cli.main import run; assert run(['--help']) == 0;"
        f"found = [name for name in {HEAVY} if name in sys.modules];"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("serve", "fit", "score", "explain", "evaluate", "models", "plugins", "demo"):
        assert re.search(rf"\b{command}\b", done.stdout)
    assert "Exit codes: 0 done, 1 refused" in done.stdout


def test_the_version_is_that_of_the_distribution(offline: Any) -> None:
    from importlib.metadata import version

    assert offline("--version").out.strip() == f"clarion {version('clarion')}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit"], "Missing argument"),
        (["fit", "pump", "FILE", "--nonsense"], "No such option"),
        (["fit", "pump", "nowhere.csv", "--detector", "knn"], "does not exist"),
        (["fit", "pump", "FILE"], "say which --detector"),
        (["fit", "pump", "FILE", "--detector", "knn", "--set", "neighbours=3"], "STEP.NAME=VALUE"),
        (["fit", "pump", "FILE", "--detector", "knn", "--set", "lof.k=3"], "'lof' is no step"),
        (["fit", "pump", "FILE", "--detector", "knn", "--spec", "FILE"], "--spec is the whole"),
        (["fit", "pump", "FILE", "--spec", "FILE"], "is no JSON"),
        (["score", "pump", "FILE", "--rows", "1-2"], "START:END"),
        (["explain", "pump", "FILE"], "Missing option"),
        (["explain", "pump", "FILE", "--row", "99"], "there is no row 99"),
        (["explain", "pump", "FILE", "--row", "1", "--edit", "flow"], "NAME=VALUE"),
        (["plugins", "check", "nope"], "there is no plugin 'nope'"),
        (["serve", "--port", "99999"], "the setting 'port'"),
        (["serve", "--set", "bogus=1"], "the setting 'bogus'"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_wrong(
    cli: Any, pump: str, today: Path, arguments: list[str], message: str
) -> None:
    ran = cli(*(str(today) if word == "FILE" else word for word in arguments))
    assert ran.code == 2
    assert message in " ".join(re.sub(r"[│╭╮╰╯─]", " ", ran.err).split())
    assert "Traceback" not in ran.err


def test_an_answer_that_cannot_be_written_is_told_in_one_line(
    cli: Any, pump: str, today: Path, tmp_path: Path
) -> None:
    target = tmp_path / "file" / "answer.json"
    target.parent.write_text("no folder")
    ran = cli("score", "pump", str(today), "--json", str(target))
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == f"IO_ERROR: {target}: Not a directory"
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["score", "nope", "FILE"], "MODEL_NOT_FOUND: there is no model 'nope'"),
        (["models", "show", "nope"], "MODEL_NOT_FOUND: "),
        (["models", "delete", "nope", "--yes"], "MODEL_NOT_FOUND: "),
        (["fit", "x", "FILE", "--detector", "nope"], "PLUGIN_NOT_FOUND: there is no 'nope'"),
        (["fit", "x", "FILE", "--detector", "knn", "--time", "w"], "INVALID_PARAMETER: .* column 'w'"),
        (["fit", "x", "FILE", "--detector", "knn", "--rows", "0:9", "--drop", "when"], "TOO_FEW_ROWS: "),
        (
            ["fit", "x", "FILE", "--detector", "knn", "--set", "knn.neighbours=0", "--drop", "when"],
            r"INVALID_PARAMETER: neighbours must be a number in \[1, 1000\]",
        ),
        (["score", "pump", "FILE", "--rate", "1e-9"], "UNREACHABLE_RATE: "),
        (["score", "pump", "FILE", "--server", "localhost:1"], "UNAVAILABLE: .*`clarion serve`"),
        (["explain", "pump", "FILE", "--row", "1", "--edit", "x=1"], "SIGNAL_MISMATCH: "),
    ],
)  # fmt: skip
def test_a_refusal_is_1_and_one_line(
    cli: Any, pump: str, today: Path, arguments: list[str], line: str
) -> None:
    ran = cli(*(str(today) if word == "FILE" else word for word in arguments))
    assert ran.code == 1
    (last,) = [text for text in ran.err.splitlines() if re.match(r"[A-Z_]+: ", text)]
    assert re.search(line, last)
    assert "Traceback" not in ran.err


def test_a_file_that_is_no_table_is_refused_by_name(cli: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken.npz"
    broken.write_bytes(b"PK\x03\x04 nothing")
    ran = cli("fit", "x", broken, "--detector", "knn")
    assert ran.code == 1
    assert re.search(r"^INVALID_FRAME: .*broken\.npz", ran.err, re.MULTILINE)


def test_columns_that_the_model_does_not_know_at_all_are_refused(
    cli: Any, pump: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    ran = cli("score", pump, other)
    assert ran.code == 1
    assert "INVALID_FRAME: none of the columns is a signal of the model: a, b" in ran.err


def test_a_missing_signal_is_named(cli: Any, pump: str, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("flow,noise\n1,2\n")
    ran = cli("score", pump, other)
    assert ran.code == 1
    assert re.search("^SIGNAL_MISMATCH: .*missing 'heat'", ran.err, re.MULTILINE)


def test_an_interruption_is_130_without_a_traceback() -> None:
    with socket.socket() as silent:  # takes the connection, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        command = [sys.executable, "-m", "clarion.cli.main", "models", "list", "--server", target]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        connection, _ = silent.accept()
        with connection:
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
