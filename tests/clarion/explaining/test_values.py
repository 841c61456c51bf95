"""Rows as hashes read them: the same row, the same seed and the same id."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.explaining.values import Cell, Reader, canonical, identity, seeds
from clarion.frames import Asset, Frame
from clarion.pipeline.answer import ExplainedRows, ExplanationPolicy
from clarion.pipeline.memory import Memory
from clarion.pipeline.run import FittedPipeline
from clarion.tables import from_columns

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]

ODD_NAN = np.array([0x7FF8DEADBEEF0001], np.uint64).view(np.float64)[0]


@given(st.lists(st.floats(allow_infinity=False), min_size=1, max_size=8))
def test_equal_rows_have_equal_bytes(row: list[float]) -> None:
    """One zero and one NaN, whatever their bits; every other double as it is."""
    values = np.array([row])
    other = np.where(values == 0, -values, np.where(np.isnan(values), ODD_NAN, values))
    assert canonical(values).tobytes() == canonical(other).tobytes()
    np.testing.assert_array_equal(canonical(values), values)
    assert not np.signbit(canonical(np.array([[-0.0]])))[0, 0]


def test_other_rows_have_other_seeds() -> None:
    frame = Frame.of([[1.0, 2.0], [2.0, 1.0], [1.0, np.nextafter(2.0, 3.0)], [1.0, 2.0]])
    drawn = seeds("digest", frame)
    assert drawn.dtype == np.uint64
    assert drawn[0] == drawn[3]
    assert len(set(drawn.tolist())) == 3
    assert drawn[0] != seeds("another", frame)[0]


def test_a_seed_is_drawn_by_the_row_alone() -> None:
    frame = Frame.of(np.random.default_rng(0).normal(size=(20, 3)))
    one_by_one = [int(seeds("d", frame.take(slice(i, i + 1)))[0]) for i in range(20)]
    assert seeds("d", frame).tolist() == one_by_one


ROW = Frame.of(
    [[1.0, 0.0]],
    time=np.array([5]),
    assets=(Asset("m"),),
    asset=np.zeros(1, np.int32),
    row_ids=("r1",),
)


def test_an_identity_is_that_of_the_row_whatever_stands_beside_it() -> None:
    own = identity("digest", "stream", ROW, 0)
    negative_zero = replace(ROW, values=np.array([[1.0, -0.0]]))
    single = replace(ROW, values=ROW.values.astype(np.float32))
    other_index = replace(ROW, assets=(Asset("x"), Asset("m")), asset=np.ones(1, np.int32))
    received = replace(ROW, ingest_time=np.array([9]))
    for same in (negative_zero, single, other_index, received):
        assert identity("digest", "stream", same, 0) == own


@pytest.mark.parametrize(
    ("digest", "stream", "frame"),
    [
        ("other", "stream", ROW),
        ("digest", "other", ROW),
        ("digest", "", ROW),
        ("digest", "stream", replace(ROW, time=np.array([6]))),
        ("digest", "stream", replace(ROW, time=None)),
        ("digest", "stream", replace(ROW, row_ids=("r2",))),
        ("digest", "stream", replace(ROW, row_ids=None)),
        ("digest", "stream", replace(ROW, assets=(Asset("n"),))),
        ("digest", "stream", replace(ROW, values=np.array([[1.0, 0.5]]))),
        ("digests", "tream", ROW),
        ("digest", "stream", replace(ROW, time=None, assets=(Asset("m\x1f5"),))),
    ],
)
def test_an_identity_differs_with_every_part_of_it(digest: str, stream: str, frame: Frame) -> None:
    assert identity(digest, stream, frame, 0) != identity("digest", "stream", ROW, 0)


def test_words_count_by_what_they_say_not_by_their_code() -> None:
    columns = {"x": np.array([1.0, 1.0]), "mode": np.array(["on", "off"])}
    frame = from_columns(columns)
    alone = from_columns({name: column[:1] for name, column in columns.items()})
    assert identity("d", "", frame, 0) == identity("d", "", alone, 0)
    assert identity("d", "", frame, 0) != identity("d", "", frame, 1)


def test_a_missing_word_is_not_an_empty_one() -> None:
    column = np.empty(2, object)
    column[:] = ["", None]
    frame = from_columns({"x": np.zeros(2), "mode": column})
    assert identity("d", "", frame, 0) != identity("d", "", frame, 1)


def test_cells_are_read_as_people_read_them() -> None:
    column = np.empty(2, object)
    column[:] = ["on", None]
    frame = from_columns({"mode": column, "x": np.array([np.nan, 2.5])})
    read = [[Reader.of(frame).cell(row, j) for j in range(2)] for row in range(2)]
    assert read == [[Cell(word="on"), Cell()], [Cell(), Cell(2.5)]]


def test_ids_survive_batch_cut_and_order_of_signals(model: Model, watched: Watched) -> None:
    fitted, frame = model("mahalanobis"), watched(60, spikes=0.2)

    def ids(frames: list[Frame], stream: str = "s") -> dict[str, str]:
        memory, found = Memory(), dict[str, str]()
        for piece in frames:
            answer, memory = fitted.run(piece, memory=memory, stream=stream)
            found |= {record.row_id: record.id for record in answer.explanations}
        return found

    whole = ids([frame])
    assert len(set(whole.values())) == len(whole) > 3
    assert ids([frame.take(slice(i, i + 7)) for i in range(0, 60, 7)]) == whole
    assert ids([frame.aligned_to(["r", "q", "p"])]) == whole
    assert ids([frame.take(np.arange(59, -1, -1))]) == whole
    assert not set(ids([frame], stream="t").values()) & set(whole.values())
    stored_again = replace(fitted, digest="d2")
    policy = ExplanationPolicy(ExplainedRows.ALL)
    again, _ = stored_again.run(frame, policy, stream="s")
    assert not {record.id for record in again.explanations} & set(whole.values())
