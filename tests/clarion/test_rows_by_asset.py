from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clarion.features import rows_by_asset
from clarion.frames import Asset, Frame


@given(st.lists(st.integers(0, 5), max_size=30))
def test_each_asset_has_its_rows_in_order_and_comes_where_it_is_first_seen(
    index: list[int],
) -> None:
    frame = Frame.of(
        np.zeros((len(index), 1)),
        assets=tuple(Asset(f"a{i}") for i in range(6)),
        asset=np.array(index, np.int32),
    )
    wanted = [[i for i, a in enumerate(index) if a == asset] for asset in dict.fromkeys(index)]
    assert [rows.tolist() for rows in rows_by_asset(frame)] == wanted


def test_a_row_of_one_asset_keeps_no_other() -> None:
    frame = Frame.of(
        np.arange(3.0)[:, None],
        assets=(Asset("a"), Asset("b")),
        asset=np.array([1, 0, 1], np.int32),
        time=np.arange(3),
    )
    alone = frame.take(np.array([0, 2])).of_one_asset()
    assert alone.assets == (Asset("b"),)
    assert [alone.asset_of(row).name for row in range(2)] == ["b", "b"]
    assert alone.values[:, 0].tolist() == [0.0, 2.0]
    assert alone.time is not None
    assert alone.time.tolist() == [0, 2]
    nameless = Frame.of([[1.0]])
    assert nameless.of_one_asset() is nameless
