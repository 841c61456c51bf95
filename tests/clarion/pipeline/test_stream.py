"""A stream says of each row what one batch says of it, however the rows are cut and interleaved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from clarion.frames import Frame
from clarion.pipeline.answer import Answer, ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.memory import Memory
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.registry import Registries
from clarion.tables import from_columns

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]
Told = Callable[[Answer, Frame], dict[str, str]]

SHORT = Step("window_statistics", {"window": 3, "statistics": ["mean", "slope"]})
LONG = Step("window_statistics", {"window": 6, "statistics": ["sd", "max"]})
SCALE = Step("standardize")
CHAINS: dict[str, tuple[str, tuple[Step, ...]]] = {
    "row": ("mahalanobis", (SCALE,)),
    "window": ("mahalanobis", (SHORT,)),
    "long window": ("knn", (SCALE, LONG)),
    "window of windows": ("mahalanobis", (SHORT, SHORT, SCALE)),
    "mixed windows": ("ecod", (SHORT, LONG)),
    "memory": ("ewma", ()),
    "memory behind a window": ("ewma", (SHORT, SCALE)),
}


@pytest.fixture(params=list(CHAINS))
def chain(request: pytest.FixtureRequest, model: Model) -> FittedPipeline:
    detector, features = CHAINS[request.param]
    return model(detector, *features)


def policy(fitted: FittedPipeline) -> ExplanationPolicy:
    """All there is to tell; but the cells that a detector's memory stands for are not kept."""
    return ExplanationPolicy(view=View.BASIC if fitted.plugin == "ewma" else View.FULL)


def streamed(
    fitted: FittedPipeline, frame: Frame, cuts: Sequence[int], told: Told
) -> dict[str, str]:
    memory, said = Memory(), dict[str, str]()
    for start, stop in zip([0, *cuts], [*cuts, len(frame)], strict=True):
        piece = frame.take(slice(start, stop))
        answer, memory = fitted.run(piece, policy(fitted), memory=memory, stream="s")
        said |= told(answer, piece)
    return said


def batch(fitted: FittedPipeline, frame: Frame, told: Told) -> dict[str, str]:
    return told(fitted.run(frame, policy(fitted), stream="s")[0], frame)


@pytest.mark.parametrize("pieces", [3, 60])
def test_any_cut_gives_the_same(
    chain: FittedPipeline, watched: Watched, told: Told, pieces: int
) -> None:
    frame = watched(60, spikes=0.1)
    whole = batch(chain, frame, told)
    assert len(whole) == 60 - 3 * chain.history
    rng = np.random.default_rng(pieces)
    cuts = np.sort(rng.choice(np.arange(1, 60), pieces - 1, replace=False)).tolist()
    assert streamed(chain, frame, cuts, told) == whole


def test_any_interleaving_of_assets_gives_the_same(
    chain: FittedPipeline, watched: Watched, told: Told
) -> None:
    frame = watched(60, spikes=0.1)
    one_by_one = frame.take(np.argsort(frame.asset_index(), kind="stable"))
    whole = batch(chain, frame, told)
    assert batch(chain, one_by_one, told) == whole
    assert streamed(chain, one_by_one, [20, 21, 40], told) == whole


def test_words_and_holes_stream_too(registries: Registries, told: Told) -> None:
    """Each frame with a vocabulary of its own, in its own order, and words never seen before."""
    rng = np.random.default_rng(8)
    mode = rng.choice(["run", "idle", "stop"], 360)
    columns = {"x": rng.normal(size=360), "y": rng.normal(size=360), "mode": mode}
    columns["y"][::7] = np.nan
    columns |= {"id": np.arange(360).astype(str), "asset": rng.choice(["a", "b"], 360)}
    columns["x"][300::9] += 9
    columns["mode"][[327, 336]] = "boil"

    def rows(start: int, stop: int) -> Frame:
        piece = {name: column[start:stop] for name, column in columns.items()}
        return from_columns(piece, asset="asset", row_id="id")

    spec = PipelineSpec(Step("mahalanobis"), (Step("encode"), SHORT), 0.05)
    fitted = fit(spec, rows(0, 300), registries=registries)
    whole = batch(fitted, rows(300, 360), told)
    memory, said = Memory(), dict[str, str]()
    for start, stop in ((300, 309), (309, 311), (311, 334), (334, 360)):
        answer, memory = fitted.run(rows(start, stop), policy(fitted), memory=memory, stream="s")
        said |= told(answer, rows(start, stop))
    assert said == whole
    assert any("boil" in record for record in said.values())


def test_two_streams_know_nothing_of_each_other(
    chain: FittedPipeline, watched: Watched, told: Told
) -> None:
    mine, other = watched(60, spikes=0.1), watched(60, seed=77, spikes=0.5)
    memory, elsewhere, said = Memory(), Memory(), dict[str, str]()
    for start in range(0, 60, 6):
        piece = mine.take(slice(start, start + 6))
        answer, memory = chain.run(piece, policy(chain), memory=memory, stream="s")
        said |= told(answer, piece)
        strange = other.take(slice(start, start + 6))
        _, elsewhere = chain.run(strange, memory=elsewhere, stream="t")
    assert said == batch(chain, mine, told)


def test_a_memory_may_be_used_again(chain: FittedPipeline, watched: Watched, told: Told) -> None:
    """It is plain data: an answer that was lost on its way can be asked for a second time."""
    frame = watched(50, spikes=0.1)
    _, memory = chain.run(frame.take(slice(0, 30)))
    rest = frame.take(slice(30, 50))
    first, after = chain.run(rest, policy(chain), memory=memory)
    again, _ = chain.run(rest, policy(chain), memory=memory)
    assert told(again, rest) == told(first, rest)
    assert after is not memory


def test_a_frame_that_is_refused_leaves_the_memory_as_it_was(
    chain: FittedPipeline, watched: Watched, told: Told
) -> None:
    frame = watched(50, spikes=0.1)
    _, memory = chain.run(frame.take(slice(0, 30)))
    rest = frame.take(slice(30, 50))
    before = told(chain.run(rest, policy(chain), memory=memory)[0], rest)
    broken = rest.values.copy()
    broken[7, 1] = np.nan
    with pytest.raises(Exception, match="missing"):
        chain.run(rest.with_numeric(broken), memory=memory)
    assert told(chain.run(rest, policy(chain), memory=memory)[0], rest) == before
