"""What each family's own search rests on: splits of forests, joint forms of sums, reconstructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from clarion.detectors import LinkedSum, QuadraticForm, Reconstruction, TreeEnsemble
from clarion.explaining.clearing import donors, trees
from clarion.explaining.clearing.local import JointForm
from clarion.explaining.clearing.task import COMPUTED, Task
from clarion.explaining.clearing.trees import Splits
from clarion.frames import Frame
from clarion.inputs import narrowed
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import Step

Model = Callable[..., FittedPipeline]
Watched = Callable[..., Frame]

SCALE = Step("standardize")


def tasks(fitted: FittedPipeline, frame: Frame) -> list[Task]:
    """One task for each alarm, on features alone."""
    answer, _ = fitted.run(frame)
    clearer = fitted.clearing.free
    rows = fitted.chain.transform(frame).frame
    movable = tuple(range(len(clearer.players)))
    return [
        Task(
            features=rows.take(slice(int(i), int(i) + 1)),
            threshold=answer.threshold,
            players=clearer.players,
            movable=movable,
            score=clearer.score,
            normal=clearer.normal,
            lines=clearer.lines,
        )
        for i in answer.explained
    ]


def test_a_forest_is_cleared_by_the_nearest_sides_of_its_splits(
    model: Model, watched: Watched
) -> None:
    fitted = model("isolation_forest", SCALE)
    assert isinstance(fitted.detector, TreeEnsemble)
    splits, forest = Splits(fitted.detector), fitted.detector.forest()
    sizes = []
    for task in tasks(fitted, watched(60, spikes=0.4)):
        found, copied = trees.clear(task, splits), donors.clear(task)
        assert found is not None
        assert copied is not None
        assert task.clears(found.score)
        assert set(found.donors) == {COMPUTED}
        sizes.append(len(found.signals) - len(copied.signals))
        for signal in found.signals:
            [member] = task.players[signal]
            value, seen = found.row[member], task.row[member]
            # No split lies between the value and the float32 beside it but one of the forest's.
            own = forest.threshold[(forest.left >= 0) & (forest.feature == member)]
            beside = np.nextafter(np.float32(value), np.array([-np.inf, np.inf], np.float32))
            assert any(((own > beside[0]) & (own <= beside[1])).tolist())
            sides = splits.sides(int(member))
            for nearer in sides[np.abs(sides - seen) < abs(value - seen)]:
                row = found.row.copy()
                row[member] = nearer
                assert not task.clears(float(task.scores(row[None, :])[0]))
    assert len(sizes) >= 5
    assert np.mean(sizes) <= 0


def test_the_joint_form_of_a_sum_is_that_of_its_quadratic_members(
    model: Model, watched: Watched
) -> None:
    fitted = model("ensemble", SCALE)
    assert isinstance(fitted.detector, LinkedSum)
    normal = fitted.clearing.free.normal
    joint = JointForm(fitted.detector, normal)
    assert joint.useful
    form = joint.quadratic()
    rows = fitted.chain.transform(watched(30, spikes=0.3)).frame
    gap = joint.coordinates(rows) - form.center
    wanted = np.zeros(len(rows))
    for member in fitted.detector.members():
        if isinstance(member, QuadraticForm):
            usual = member.score(narrowed(normal.frame, member.signals))
            wanted += member.score(narrowed(rows, member.signals)) / usual.mean()
    assert wanted.max() > 0
    values = (gap * (gap @ form.matrix)).sum(axis=1)
    np.testing.assert_allclose(np.diff(values), np.diff(wanted), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("detector", ["autoencoder", "kitnet"])
def test_reconstructions_are_nearer_to_normal_rows_than_those_are_to_each_other(
    model: Model, watched: Watched, detector: str
) -> None:
    fitted = model(detector, SCALE)
    assert isinstance(fitted.detector, Reconstruction)
    rows = fitted.chain.transform(watched(100)).frame
    copies, values = fitted.detector.reconstruct(rows), rows.numeric()
    assert copies.shape == values.shape
    assert np.square(copies - values).mean() < 0.8 * np.square(values[1:] - values[:-1]).mean()
    alone = fitted.detector.reconstruct(rows.take(slice(7, 8)))
    np.testing.assert_array_equal(alone[0], copies[7])


def test_the_error_of_an_autoencoder_is_that_of_its_reconstruction(
    model: Model, watched: Watched
) -> None:
    detector = model("autoencoder", SCALE).detector
    frame = replace(watched(20, spikes=0.2), assets=(), asset=None)
    rows = model("autoencoder", SCALE).chain.transform(frame).frame
    assert isinstance(detector, Reconstruction)
    scale = detector.scale  # type: ignore[attr-defined]  # of this detector
    lacking = (rows.numeric() - detector.reconstruct(rows)) / scale
    np.testing.assert_allclose(np.square(lacking).sum(axis=1), detector.score(rows), rtol=1e-9)
