from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import json
import os
import zipfile
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from clarion.errors import ClarionError, InvalidFrameError, InvalidParameterError
from clarion.frames import Frame, SignalKind
from clarion.plugins import load_plugins
from clarion.sources import Batch, read_all
from clarion.testing.sources import SourceCase, source_checks
from clarion_sources.files import Files

PUMPS = """\
time;pump;flow;valve;state
2024-05-01 10:00:00;a;1.5;open;0
2024-05-01 10:00:01;b;;"half; open";0
2024-05-01T10:00:02Z;a;-2e3;NA;1
"""


def written(folder: Path, name: str, text: str | bytes) -> str:
    path = folder / name
    content = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return str(path)


def read(path: str, **parameters: Any) -> tuple[Frame, tuple[str, ...] | None]:
    return read_all(Files(path=path, **parameters))


def words(frame: Frame, name: str) -> list[str | None]:
    coded = frame.of_kind(numeric=False)
    column = [signal.name for signal in coded].index(name)
    return [None if code < 0 else coded[column].vocabulary[code] for code in frame.codes[:, column]]


@pytest.mark.parametrize("name", ["pumps.csv", "pumps.csv.gz", "renamed.txt"])
@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_a_table_becomes_a_frame(tmp_path: Path, name: str, delimiter: str) -> None:
    path = written(tmp_path, name, PUMPS.replace(";", delimiter))
    frame, labels = read(path, time="time", asset="pump", label="state", row_id="time")
    assert [(s.name, s.kind) for s in frame.signals] == [
        ("flow", SignalKind.NUMERIC),
        ("valve", SignalKind.CATEGORICAL),
    ]
    np.testing.assert_array_equal(frame.values[:, 0], [1.5, np.nan, -2000.0])
    assert words(frame, "valve") == ["open", f"half{delimiter} open", None]
    assert [frame.asset_of(i).name for i in range(3)] == ["a", "b", "a"]
    assert frame.time is not None
    assert (frame.time - frame.time[0]).tolist() == [0, 10**9, 2 * 10**9]
    assert np.datetime64(int(frame.time[0]), "ns") == np.datetime64("2024-05-01T10:00:00")
    assert frame.row_ids is not None
    assert frame.row_ids[2] == "2024-05-01T10:00:02Z"
    assert labels == ("0", "0", "1")


def test_decimal_commas_do_not_mislead_the_choice_of_delimiter(tmp_path: Path) -> None:
    frame, _ = read(written(tmp_path, "a.csv", "a;b\n1,5,0;2,5,0\n"))
    assert frame.names == ("a", "b")


def test_columns_name_a_file_without_a_header(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "1,x,9\n2,y,9\n")
    frame, labels = read(path, columns=("size", "kind", "level"), label="kind", drop=("level",))
    assert frame.names == ("size",)
    assert frame.values.tolist() == [[1], [2]]
    assert labels == ("x", "y")


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_marks_blank_lines_and_unnamed_columns(tmp_path: Path, name: str) -> None:
    frame, _ = read(written(tmp_path, name, "\ufeff,flow\r\n0,1\r\n\r\n1,2\r\n"))
    assert frame.names == ("column0", "flow")
    assert len(frame) == 2


def test_types_are_decided_on_the_first_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "level\n" + "1\n" * 5 + "high\n")
    with pytest.raises(InvalidFrameError, match=r"a\.csv, line 7: column 'level' holds 'high'"):
        read(path, inspected_rows=5)
    frame, _ = read(path, inspected_rows=6)
    assert words(frame, "level") == ["1"] * 5 + ["high"]


def test_numbers_with_underscores_are_words(tmp_path: Path) -> None:
    assert words(read(written(tmp_path, "a.csv", "code\n1_000\n"))[0], "code") == ["1_000"]


def test_a_line_beyond_all_measure_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clarion_sources.text._LONGEST_LINE", 64)
    path = written(tmp_path, "a.jsonl", '{"a": 1}\n{"a": "' + "x" * 64 + '"}\n')
    with pytest.raises(InvalidFrameError, match="line 2: longer than 64 characters"):
        read(path)


def test_batches_of_one_row_do_not_change_the_types(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "level\n1\nhigh\n")
    assert words(read(path, batch_rows=1)[0], "level") == ["1", "high"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("a,b\n1,2\n1\n", "line 3: 1 cells, but there are 2 columns"),
        ("a,b\n1,2\n1,2,3\n", "line 3: 3 cells, but there are 2 columns"),
        ("a\n1\ninf\n", "line 3: column 'a' holds 'inf'"),
        ("a\n1e999\n", "line 2: column 'a' holds '1e999'"),
        ("a,a\n1,2\n", "two columns 'a'"),
        ("a\n", "no rows"),
        ("", "line 1: the file is empty"),
        ("\n\n", "line 1: the file is empty"),
        (b"a\n\xff\xfe\n", "codec can't decode"),
        (b"a,b\n" + b"x" * 200_000 + b",1\n", "line 2: field larger than field limit"),
    ],
)
def test_what_is_no_table_is_named_with_its_line(
    tmp_path: Path, text: str | bytes, cause: str
) -> None:
    path = written(tmp_path, "bad.csv", text)
    with pytest.raises(InvalidFrameError, match=cause) as caught:
        read(path)
    assert "bad.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (";a;1;open;0", "column 'time' holds None, which is no time"),
        ("yesterday;a;1;open;0", "column 'time' holds 'yesterday'"),
        ("9999999999999;a;1;open;0", "column 'time' holds '9999999999999'"),
        ("1;;1;open;0", "no asset in column 'pump'"),
    ],
)
def test_a_row_without_its_time_or_asset_is_named(tmp_path: Path, row: str, cause: str) -> None:
    path = written(tmp_path, "bad.csv", PUMPS + row + "\n")
    with pytest.raises(InvalidFrameError, match=f"line 5: {cause}"):
        read(path, time="time", asset="pump")


@pytest.mark.parametrize(
    ("cells", "unit", "nanoseconds"),
    [
        (["1.5", "-2"], "s", [1_500_000_000, -2_000_000_000]),
        (["1714557600000"], "ms", [1_714_557_600_000_000_000]),
        (["1714557600123456789"], "ns", [1_714_557_600_123_456_789]),
        (["2024-05-01T12:00:00+02:00"], "s", [1_714_557_600_000_000_000]),
    ],
)
def test_times_are_numbers_or_texts(
    tmp_path: Path, cells: list[str], unit: str, nanoseconds: list[int]
) -> None:
    path = written(tmp_path, "a.csv", "when,x\n" + "".join(f"{cell},1\n" for cell in cells))
    frame, _ = read(path, time="when", time_unit=unit)
    assert frame.time is not None
    assert frame.time.tolist() == nanoseconds


def test_a_truncated_gzip_is_named(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + np.arange(9000).astype("U").tobytes().replace(b"\0", b""))
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidFrameError, match=r"cut\.csv\.gz, line"):
        read(str(path))


@pytest.mark.parametrize("parameter", ["time", "asset", "label", "row_id", "drop"])
def test_a_column_that_is_not_there_is_named(tmp_path: Path, parameter: str) -> None:
    path = written(tmp_path, "a.csv", "flow,level\n1,2\n")
    value = ("flaw",) if parameter == "drop" else "flaw"
    with pytest.raises(InvalidParameterError, match="no column 'flaw'; it has: flow, level") as got:
        read(path, **{parameter: value})
    assert got.value.field == f"parameters.{parameter}"


def test_a_file_of_nothing_but_labels_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFrameError, match="no column left"):
        read(written(tmp_path, "a.csv", "state\n1\n"), label="state")


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.jsonl", "nowhere.npz", "."])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidParameterError, match="cannot be opened"):
        read(str(tmp_path / name))


# JSON lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson.gz"])
def test_objects_become_rows(tmp_path: Path, name: str) -> None:
    text = (
        '{"flow": 1, "open": true, "mode": "1"}\n\n'
        '{"mode": "2", "flow": null, "note": 4}\n{"flow": NaN}\n'
    )
    frame, labels = read(written(tmp_path, name, text), label="note")
    assert frame.names == ("flow", "open", "mode")
    np.testing.assert_array_equal(frame.values, [[1, 1], [np.nan, np.nan], [np.nan, np.nan]])
    assert words(frame, "mode") == ["1", "2", None]
    assert labels == ("", "4", "")


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("[1, 2]", "a list, not an object"),
        ('{"flow": ', "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"flow": [1]}', "'flow' holds a list"),
        ('{"flow": 1, "new": 2}', "the key 'new' is in none of the first 2 objects"),
        ('{"flow": "7"}', "column 'flow' holds '7'"),
        ('{"flow": Infinity}', "column 'flow' holds inf"),
        ('{"flow": 1' + "0" * 400 + "}", "column 'flow' holds 1000"),
    ],
)
def test_what_is_no_row_is_named_with_its_line(tmp_path: Path, line: str, cause: str) -> None:
    path = written(tmp_path, "bad.jsonl", '{"flow": 1}\n{"flow": 2}\n' + line + "\n")
    with pytest.raises(InvalidFrameError, match=f"line 3: {cause}"):
        read(path, inspected_rows=2)


# NPZ ----------------------------------------------------------------------------------------------


def saved(folder: Path, **arrays: Any) -> str:
    path = folder / "data.npz"
    np.savez_compressed(path, **arrays)
    return str(path)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.bool_])
def test_a_matrix_becomes_a_frame(tmp_path: Path, order: Any, dtype: Any) -> None:
    values = (np.arange(30).reshape(10, 3) % 7).astype(dtype)
    path = saved(tmp_path, label=np.arange(10) % 2, X=np.asarray(values, order=order))
    frame, labels = read(path, label="label", batch_rows=4, drop=("x1",))
    assert frame.names == ("x0", "x2")
    np.testing.assert_array_equal(frame.values, values[:, [0, 2]])
    assert labels == ("0", "1") * 5


def test_arrays_beside_the_matrix_say_when_and_where(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        first=np.zeros((2, 2)),
        train=np.ones((2, 1)),
        at=np.array(["2024-05-01", "2024-05-02"], "datetime64[s]"),
        seconds=np.array([1, 2]),
        pump=np.array(["a", "b"]),
    )
    frame, labels = read(path, time="at", asset="pump", row_id="pump", columns=("flow",))
    assert frame.values.tolist() == [[1], [1]]  # "train" goes before the first matrix
    assert labels is None
    assert frame.names == ("flow",)
    assert frame.time is not None
    assert np.diff(frame.time).tolist() == [24 * 3600 * 10**9]
    assert frame.row_ids == ("a", "b")
    assert frame.asset_of(1).name == "b"
    assert read(path, time="seconds", array="first")[0].values.shape == (2, 2)


@pytest.mark.parametrize(
    ("parameters", "cause"),
    [
        ({"array": "nothing"}, "has no array 'nothing'; it has: X, y, things, many"),
        ({"array": "y"}, "no matrix of numbers is y"),
        ({"array": "things"}, "Object arrays|no column of numbers"),
        ({"label": "many"}, "shape .3,., not .2,."),
        ({"columns": ("a", "b")}, "has 3 columns, not 2"),
    ],
)
def test_what_an_archive_does_not_hold_is_named(
    tmp_path: Path, parameters: dict[str, Any], cause: str
) -> None:
    things = np.array([[{"a": 1}], [None]], object)
    path = saved(tmp_path, X=np.ones((2, 3)), y=np.ones(2), things=things, many=np.ones(3))
    with pytest.raises((InvalidFrameError, InvalidParameterError), match=cause):
        read(path, **parameters)


@pytest.mark.parametrize("at", [120, 400, 900])
def test_a_damaged_archive_is_refused(tmp_path: Path, at: int) -> None:
    path = Path(saved(tmp_path, X=np.random.default_rng(0).normal(size=(50, 3))))
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ClarionError):
        read(str(path))
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InvalidFrameError, match="no NPZ file"):
        read(str(path))


@pytest.mark.parametrize("shape", [b"(1, 3)", b"(9, 3)", b"(9**9, 3)", b"(-2, -3)", b"(2,)"])
def test_a_header_that_does_not_fit_its_file_is_refused(tmp_path: Path, shape: bytes) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.ones((2, 3)))
    old, new = b"(2, 3), }     ", b"%b, }" % shape
    with zipfile.ZipFile(tmp_path / "data.npz", "w") as archive:
        archive.writestr("X.npy", buffer.getvalue().replace(old, new.ljust(len(old))))
    with pytest.raises(InvalidFrameError, match="array 'X'"):
        read(str(tmp_path / "data.npz"))


# What every source keeps --------------------------------------------------------------------------


@pytest.fixture(params=["csv", "jsonl.gz", "npz"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(50, 3))
    if request.param == "npz":
        return Files(path=saved(tmp_path, X=values, y=np.arange(50)), label="y", batch_rows=8)
    if request.param == "csv":
        text = "a,b,y\n" + "".join(
            f"{a},{'xyz'[i % 3]},{i}\n" for i, (a, _, _) in enumerate(values)
        )
    else:
        text = "".join(
            json.dumps({"a": a, "b": b, "y": i}) + "\n" for i, (a, b, _) in enumerate(values)
        )
    path = written(tmp_path, f"rows.{request.param}", text)
    return Files(path=path, label="y", batch_rows=8)


@pytest.mark.parametrize("check", source_checks(), ids=lambda check: check.__name__)
def test_it_keeps_the_contract_of_sources(source: Files, check: Any) -> None:
    unreadable = Files(
        path=written(Path(source.path).parent, "bad.csv", "a\n1\nx\n"), inspected_rows=1
    )
    check(SourceCase(source, unreadable))


def test_positions_behind_the_end_are_refused(source: Files) -> None:
    def behind(position: str) -> list[Batch]:
        return list(source.batches(position))

    assert behind("row:50") == []
    for position in ("row:51", "row:-1", "row:", "50"):
        with pytest.raises(ClarionError):
            behind(position)


def descriptors_of(path: str) -> int:
    """How many descriptors of this process are open on a file."""
    count = 0
    for entry in Path("/dev/fd").iterdir():
        with contextlib.suppress(OSError):
            count += os.path.samestat(os.fstat(int(entry.name)), Path(path).stat())
    return count


def test_a_reader_that_stops_early_closes_the_file(source: Files) -> None:
    async def counts() -> tuple[int, int]:
        frames = replace(source, inspected_rows=1).frames()
        await anext(frames)
        reading = descriptors_of(source.path)
        await cast("AsyncGenerator[Batch]", frames).aclose()
        return reading, descriptors_of(source.path)

    reading, after = asyncio.run(counts())
    assert reading > 0
    assert after == 0


def test_it_is_found_by_name() -> None:
    assert load_plugins().sources.get("files") is Files


# Recorded data ------------------------------------------------------------------------------------


def test_it_reads_a_server_machine(recorded: Path) -> None:
    path = str(recorded / "smd" / "machine-1-2.npz")
    frame, labels = read(path)
    assert frame.values.shape == (23694, 38)
    assert frame.values.dtype == np.float32
    assert labels is None
    frame, labels = read(path, array="test", label="test_label")
    assert labels is not None
    assert (len(frame), len(labels), labels.count("1")) == (23694, 23694, 542)


def test_it_reads_a_water_circulation_test_bed(recorded: Path) -> None:
    path = str(recorded / "skab" / "valve1" / "0.csv.gz")
    frame, labels = read(path, time="datetime", label="anomaly", drop=("changepoint",))
    assert len(frame.of_kind(numeric=True)) == len(frame.signals) == 8
    assert frame.time is not None
    assert (np.diff(frame.time) > 0).all()
    assert set(labels or ()) == {"0.0", "1.0"}


def test_it_reads_network_flows_without_a_header(recorded: Path) -> None:
    folder = recorded / "nsl_kdd"
    names = [line.split(",")[0] for line in (folder / "field_names.csv").read_text().splitlines()]
    frame, labels = read(
        str(folder / "KDDTest+.txt.gz"),
        columns=(*names, "attack", "difficulty"),
        label="attack",
        drop=("difficulty",),
    )
    assert (len(frame), len(frame.of_kind(numeric=True))) == (22544, 38)
    coded = [signal.name for signal in frame.of_kind(numeric=False)]
    assert coded == ["protocol_type", "service", "flag"]
    assert labels is not None
    assert labels.count("normal") == 9711
