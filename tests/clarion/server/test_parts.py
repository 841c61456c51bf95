"""The small parts of a server, each by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pydantic
import pytest

from clarion.errors import DrainingError, InvalidParameterError, ModelNotFoundError
from clarion.server.interceptors.gate import Gate
from clarion.server.loaded import parsed_name
from clarion.server.paging import MAX_SIZE, number_of, page_size, place_of, token_of
from clarion.server.settings import Settings


async def test_a_gate_waits_for_those_inside_and_lets_nobody_in() -> None:
    gate = Gate()
    leave = asyncio.Event()

    async def call() -> None:
        with gate.passed():
            await leave.wait()

    inside = asyncio.create_task(call())
    await asyncio.sleep(0)
    draining = asyncio.create_task(gate.drain(5.0))
    await asyncio.sleep(0.01)
    assert not draining.done()
    with pytest.raises(DrainingError), gate.passed():
        pass
    leave.set()
    assert await draining
    await inside


async def test_a_drain_does_not_wait_for_ever() -> None:
    gate = Gate()
    with gate.passed():
        assert not await gate.drain(0.01)


async def test_an_idle_gate_drains_at_once() -> None:
    assert await Gate().drain(0.0)


@pytest.mark.parametrize(
    ("name", "parts"),
    [("models/a", ("a", None)), ("models/a-1.b/versions/12", ("a-1.b", 12))],
)
def test_resource_names(name: str, parts: tuple[str, int | None]) -> None:
    assert parsed_name(name) == parts


@pytest.mark.parametrize("name", ["models/a/versions/0", "models/a/versions/007"])
def test_a_number_that_no_version_has(name: str) -> None:
    with pytest.raises(ModelNotFoundError):
        parsed_name(name)


def test_page_sizes_are_brought_down() -> None:
    assert [page_size(n) for n in (0, 1, MAX_SIZE, 10**9)] == [100, 1, MAX_SIZE, MAX_SIZE]


@pytest.mark.parametrize("place", [("a",), ("17", "ab-cd"), ("ü", "")])
def test_tokens_lead_back_to_their_place(place: tuple[str, ...]) -> None:
    assert place_of(token_of(*place), len(place)) == place
    with pytest.raises(InvalidParameterError):
        place_of(token_of(*place), len(place) + 1)


def test_a_place_may_hold_a_number() -> None:
    assert (number_of("0"), number_of(str(2**63 - 1))) == (0, 2**63 - 1)
    for part in ("", "-1", "a", "²", "٣", str(2**63), "9" * 5000):
        with pytest.raises(InvalidParameterError, match="page_token"):
            number_of(part)


def test_settings_come_from_the_caller_then_variables_then_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clarion.toml"
    path.write_text('port = 1\nhost = "::1"\nmax_rows = 7\n')
    monkeypatch.setenv("CLARION_PORT", "2")
    monkeypatch.setenv("CLARION_MAX_ROWS", "8")
    settings = Settings.from_file(path, max_rows=9)
    assert (settings.host, settings.port, settings.max_rows) == ("::1", 2, 9)
    assert settings.database == f"sqlite:///{settings.data_dir / 'clarion.db'}"


@pytest.mark.parametrize("text", ["prot = 1", "port = 70000", 'log_format = "xml"'])
def test_settings_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clarion.toml"
    path.write_text(text)
    with pytest.raises(pydantic.ValidationError):
        Settings.from_file(path)
