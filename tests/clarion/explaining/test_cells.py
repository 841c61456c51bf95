"""Contributions of raw cells: they add up, they are where they say, and exact ones are exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from clarion.arrays import FloatArray
from clarion.explaining.pull_back import by_cell
from clarion.features import Features, RowLineage
from clarion.frames import Asset, Frame
from clarion.pipeline.answer import CellReason, ExplainedRows, Explanation, ExplanationPolicy, View
from clarion.pipeline.chain import Transformed
from clarion.pipeline.fit import fit
from clarion.pipeline.memory import Memory
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries
from clarion.tables import from_columns

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]
Shapley = Callable[[Callable[[tuple[int, ...]], float], int], FloatArray]

SCALE = Step("standardize")
FULL = ExplanationPolicy(view=View.FULL)


def window(length: int, *statistics: str) -> Step:
    return Step("window_statistics", {"window": length, "statistics": list(statistics)})


def records(fitted: FittedPipeline, frame: Frame, rows: tuple[int, ...] = ()) -> list[Explanation]:
    policy = replace(FULL, rows=rows or ExplainedRows.ANOMALOUS)
    return list(fitted.run(frame, policy)[0].explanations)


def adds_up(record: Explanation) -> bool:
    gap = sum(cell.contribution for cell in record.cells) - (record.score - record.base_value)
    size = sum(abs(cell.contribution) for cell in record.cells)
    return abs(gap) <= 1e-9 * max(1.0, abs(record.score), size)


CHAINS = {
    "none": (),
    "scale": (SCALE,),
    "linear": (window(3, "mean", "slope"),),
    "nonlinear": (window(4, "sd", "min", "max", "energy"),),
    "all": (SCALE, window(3, "mean", "sd", "min", "max", "slope", "energy"), SCALE),
    "twice": (window(2, "mean", "sd"), window(3, "slope", "max")),
}


@pytest.mark.parametrize("detector", ["mahalanobis", "ecod", "isolation_forest", "knn", "ewma"])
@pytest.mark.parametrize("chain", list(CHAINS))
def test_cells_add_up_to_the_score_less_its_base(
    model: Model, watched: Watched, detector: str, chain: str
) -> None:
    fitted = model(detector, *CHAINS[chain])
    found = records(fitted, watched(40, spikes=0.1)) + records(fitted, watched(9), (7, 8)) * (
        fitted.history == 0
    )
    assert found
    assert all(adds_up(record) for record in found)
    assert all(record.cells for record in found)


def test_cells_are_parts_of_the_answer_that_they_stand_under(
    model: Model, watched: Watched
) -> None:
    """Conditional values of a quadratic score are not the marginal ones, nor are their cells."""
    fitted, frame = model("mahalanobis", window(3, "mean", "slope")), watched(40, spikes=0.1)
    policy = replace(FULL, explainer="conditional_quadratic")
    found = fitted.run(frame, policy)[0].explanations
    assert found
    for record in found:
        parts: dict[str, float] = defaultdict(float)
        for cell in record.cells:
            parts[cell.signal] += cell.contribution
        for reason in record.signal_ranking:
            size = 1e-9 * max(1.0, abs(record.score))
            assert parts[reason.signal] == pytest.approx(reason.contribution, rel=1e-9, abs=size)


def test_cells_of_words_and_holes_add_up(registries: Registries) -> None:
    rng = np.random.default_rng(5)
    columns = {"x": rng.normal(size=400), "y": rng.normal(size=400)}
    columns["y"][::5] = np.nan
    columns["mode"] = rng.choice(["idle", "run", "stop"], 400)
    frame = from_columns(columns)
    for detector in ("mahalanobis", "ecod", "knn"):
        for features in ((), (window(2, "mean"),), (window(2, "mean", "sd"), SCALE)):
            spec = PipelineSpec(Step(detector), features)
            fitted = fit(spec, frame, registries=registries)
            asked = frame.take(np.arange(0, 30))
            found = records(fitted, asked, tuple(range(5, 30)))
            assert all(adds_up(record) for record in found)
            words = [cell for record in found for cell in record.cells if cell.signal == "mode"]
            assert words
            assert all(cell.value is None for cell in words)


@pytest.mark.parametrize("huge", [1e12, -1e300, 1.7e308])
@pytest.mark.parametrize("chain", ["none", "scale", "linear", "all"])
def test_cells_of_huge_values_add_up(
    model: Model, watched: Watched, chain: str, huge: float
) -> None:
    """Beyond the range in which features follow their cells linearly."""
    frame = replace(watched(12), assets=(), asset=None)
    values = frame.values.copy()
    values[[8, 9], 1] = huge
    spoilt = frame.with_numeric(values)
    for record in records(model("mahalanobis", *CHAINS[chain]), spoilt, (8, 9, 10)):
        if not record.anomalous:
            continue
        assert adds_up(record)
        assert all(np.isfinite(cell.contribution) for cell in record.cells)
        assert record.cells[0].signal == "q"


def test_a_row_like_its_only_background_row_has_nothing_to_share_out(
    registries: Registries, watched: Watched
) -> None:
    spec = PipelineSpec(Step("ecod"), (SCALE,), background_rows=1)
    fitted = fit(spec, watched(400), registries=registries)
    only = Frame.of(fitted.background.windows.values, ["p", "q", "r"])
    [record] = records(fitted, only, (0,))
    assert record.score == record.base_value
    assert adds_up(record)


def test_cells_come_by_falling_size(model: Model, watched: Watched) -> None:
    for record in records(model("mahalanobis", *CHAINS["all"]), watched(40, spikes=0.2)):
        sizes = [abs(cell.contribution) for cell in record.cells]
        assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("detector", "chain"),
    [
        ("mahalanobis", "scale"),
        ("mahalanobis", "linear"),
        ("mahalanobis", "nonlinear"),
        ("mahalanobis", "twice"),
        ("ewma", "none"),
        ("ewma", "linear"),
        ("var", "scale"),
    ],
)
def test_cells_are_the_assets_own_rows_at_their_lag(
    model: Model, watched: Watched, detector: str, chain: str
) -> None:
    """With assets interleaved, and the rows cut into frames anywhere."""
    fitted, frame = model(detector, *CHAINS[chain]), watched(60, spikes=0.2)
    history = defaultdict[str, list[int]](list)
    place: dict[str, tuple[str, int]] = {}
    for row in range(60):
        asset = frame.asset_of(row).name
        place[f"r{row}"] = asset, len(history[asset])
        history[asset].append(row)
    memory, seen = Memory(), 0
    for start, stop in ((0, 13), (13, 14), (14, 40), (40, 60)):
        answer, memory = fitted.run(frame.take(slice(start, stop)), FULL, memory=memory)
        for record in answer.explanations:
            asset, at = place[record.row_id]
            lags = {(cell.signal, cell.lag) for cell in record.cells}
            assert len(lags) == len(record.cells)
            assert detector != "mahalanobis" or max(lag for _, lag in lags) <= fitted.history
            for cell in record.cells:
                row = history[asset][at - cell.lag]
                assert frame.time is not None
                assert cell.time == frame.time[row]
                assert cell.value == frame.values[row, "pqr".index(cell.signal)]
                seen += 1
    assert seen


def by_place(cells: tuple[CellReason, ...], history: int) -> FloatArray:
    """Contributions by lag, then by signal: 0 where a cell is not listed."""
    out = np.zeros((history + 1, 2))
    for cell in cells:
        out[cell.lag, "ab".index(cell.signal)] = cell.contribution
    return out.ravel()


def cell_game(fitted: FittedPipeline, window: FloatArray) -> Callable[[tuple[int, ...]], float]:
    """Worth of raw cells present: the others come from each background window, at their lag."""
    absent = fitted.background.windows
    length = fitted.history + 1
    m = len(absent) // length
    stacks = absent.values.reshape(m, length, 2)[:, ::-1].reshape(m, -1)
    newest_first = window[::-1].ravel()
    windows = tuple(Asset(str(i)) for i in range(m))
    number = np.repeat(np.arange(m, dtype=np.int32), length)

    def worth(present: tuple[int, ...]) -> float:
        mixed = stacks.copy()
        mixed[:, present] = newest_first[list(present)]
        oldest_first = mixed.reshape(m, length, 2)[:, ::-1].reshape(-1, 2)
        frame = replace(absent, values=oldest_first, assets=windows, asset=number)
        return float(fitted.detector.score(fitted.chain.transform(frame).frame).mean())

    return worth


LINEAR_CHAINS = [
    (window(3, "mean", "slope"),),
    (window(4, "mean", "slope"),),
    (SCALE, window(3, "mean", "slope"), SCALE),
    (window(2, "mean"), window(3, "slope", "mean")),
]


@pytest.mark.parametrize("detector", ["mahalanobis", "pca"])
@pytest.mark.parametrize("features", LINEAR_CHAINS)
def test_cells_of_a_quadratic_score_of_linear_features_are_shapley_values(
    registries: Registries, shapley: Shapley, detector: str, features: tuple[Step, ...]
) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 2)) + [5, -80]
    spec = PipelineSpec(Step(detector), features, background_rows=12)
    fitted = fit(spec, Frame.of(values, ["a", "b"]), registries=registries)
    n = fitted.history + 1
    asked = values[100 : 100 + n].copy()
    asked[-2] += [4.0, -2.0]
    [record] = records(fitted, Frame.of(asked, ["a", "b"]), (n - 1,))
    expected = shapley(cell_game(fitted, asked), 2 * n)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(by_place(record.cells, fitted.history), expected, atol=1e-9 * scale)


def test_parts_that_cancel_out_share_by_size() -> None:
    """A difference of two cells that moved together: neither is given a huge share."""
    raw = Frame.of([[3.0, 3.0 - 1e-9]], ["x", "y"])
    weights = sparse.csr_array(np.array([[1.0, -1.0]]))
    features = Features(Frame.of([[1e-9]], ["d"]), np.array([0]), RowLineage(weights, 1))
    done = Transformed.start(raw).then(features)
    cells = by_cell(done, 0, np.array([5.0]), [({"d": ("x", "y")}, np.zeros(2))])
    np.testing.assert_allclose(cells.contribution, [2.5, 2.5])
