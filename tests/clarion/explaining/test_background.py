"""The rows that stand for "feature absent": normal ones, with the raw windows that made them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clarion.explaining import background as room
from clarion.frames import Frame
from clarion.pipeline.fit import fit
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]

SCALE = Step("standardize")
WINDOW = Step("window_statistics", {"window": 4, "statistics": ["mean", "slope", "max"]})


@pytest.mark.parametrize("features", [(), (SCALE,), (WINDOW,), (WINDOW, SCALE, WINDOW)])
def test_each_window_makes_its_row(model: Model, features: tuple[Step, ...]) -> None:
    fitted = model("mahalanobis", *features)
    background, length = fitted.background, fitted.history + 1
    assert len(background.windows) == len(background) * length == 32 * length
    for i in range(len(background)):
        window = background.windows.take(slice(i * length, (i + 1) * length))
        made = fitted.chain.transform(window).frame
        np.testing.assert_array_equal(made.values, background.rows.values[i : i + 1])


def test_windows_are_an_assets_own_rows_in_their_order(model: Model, watched: Watched) -> None:
    fitted, frame = model("mahalanobis", WINDOW), watched(400)
    number = {row.tobytes(): i for i, row in enumerate(frame.values)}
    assets, last = frame.asset_index(), []
    for window in fitted.background.windows.values.reshape(32, 4, 3):
        rows = [number[row.tobytes()] for row in window]
        own = np.flatnonzero(assets == assets[rows[0]]).tolist()
        at = own.index(rows[0])
        assert rows == own[at : at + 4]
        last.append(rows[-1])
    expected = frame.values[last]
    np.testing.assert_array_equal(fitted.background.last.values, expected)
    np.testing.assert_allclose(fitted.background.expected, expected.mean(axis=0))
    newest_first = fitted.background.lagged()
    np.testing.assert_array_equal(newest_first[:, 0], expected)
    oldest = [np.flatnonzero(assets == assets[i]).tolist() for i in last]
    third = [own[own.index(i) - 3] for own, i in zip(oldest, last, strict=True)]
    np.testing.assert_array_equal(newest_first[:, 3], frame.values[third])


def test_usual_values_leave_missing_cells_out(registries: Registries, watched: Watched) -> None:
    values = watched(400).values.copy()
    values[::3, 1] = np.nan
    spec = PipelineSpec(Step("mahalanobis"))
    fitted = fit(spec, Frame.of(values, ["p", "q", "r"]), registries=registries)
    drawn = fitted.background.windows.values
    assert np.isnan(drawn).any()
    np.testing.assert_allclose(fitted.background.expected, np.nanmean(drawn, axis=0))


def test_long_and_wide_windows_are_fewer(
    registries: Registries, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "MAX_CELLS", 5 * 4 * 3 + 1)
    spec = PipelineSpec(Step("mahalanobis"), (WINDOW,))
    assert len(fit(spec, watched(400), registries=registries).background) == 5
    monkeypatch.setattr(room, "MAX_CELLS", 1)
    assert len(fit(spec, watched(400), registries=registries).background) == 1


def test_its_identity_is_its_rows(model: Model, registries: Registries, watched: Watched) -> None:
    fitted = model("mahalanobis", SCALE)
    spec = fitted.spec
    again = fit(spec, watched(400), registries=registries).background
    other = fit(replace(spec, seed=99), watched(400), registries=registries).background
    assert fitted.background.id == again.id != other.id
