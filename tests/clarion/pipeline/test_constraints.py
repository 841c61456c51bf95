"""Constraints: what cannot be is refused, and named."""

from __future__ import annotations

import numpy as np
import pytest

from clarion.errors import InvalidParameterError
from clarion.frames import Frame, Signal, SignalKind
from clarion.pipeline.answer import ExplanationPolicy
from clarion.pipeline.constraints import FARTHEST, SignalConstraint, by_signal
from clarion.pipeline.fit import fit
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins

SIGNALS = (Signal("flow"), Signal("mode", SignalKind.CATEGORICAL, vocabulary=("on",)))


@pytest.mark.parametrize(
    ("constraint", "field"),
    [
        (SignalConstraint("flow", minimum=2, maximum=1), "policy.constraints[1].minimum"),
        (SignalConstraint("flow", minimum=float("nan")), "policy.constraints[1].minimum"),
        (SignalConstraint("flow", maximum=float("nan")), "policy.constraints[1].maximum"),
        (SignalConstraint("flow", maximum=float("inf")), "policy.constraints[1].maximum"),
        (SignalConstraint("flow", minimum=1.01 * FARTHEST), "policy.constraints[1].minimum"),
        (SignalConstraint("flow", maximum=-1.01 * FARTHEST), "policy.constraints[1].maximum"),
        (SignalConstraint("flow", integer=True, minimum=0.2, maximum=0.8), "policy.constraints[1].minimum"),
    ],
)  # fmt: skip
def test_a_range_with_nothing_in_it_is_refused(constraint: SignalConstraint, field: str) -> None:
    with pytest.raises(InvalidParameterError, match="flow") as refused:
        ExplanationPolicy(constraints=(SignalConstraint("mode", immutable=True), constraint))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("constraints", "field", "why"),
    [
        ([SignalConstraint("float")], "policy.constraints[0].signal", "no signal 'float'"),
        ([SignalConstraint("flow")] * 2, "policy.constraints[1].signal", "two constraints"),
        ([SignalConstraint("mode", integer=True)], "policy.constraints[0]", "only be immutable"),
        ([SignalConstraint("mode", minimum=1)], "policy.constraints[0]", "only be immutable"),
    ],
)
def test_constraints_that_fit_no_signal_are_refused(
    constraints: list[SignalConstraint], field: str, why: str
) -> None:
    with pytest.raises(InvalidParameterError, match=why) as refused:
        by_signal(constraints, SIGNALS)
    assert refused.value.field == field


def test_each_signal_gets_its_own_constraint() -> None:
    given = SignalConstraint("mode", immutable=True)
    assert by_signal([given], SIGNALS) == (SignalConstraint.FREE, given)


def test_values_are_kept_at_the_nearest_that_is_allowed() -> None:
    values = np.array([-3.0, 0.4, 2.6, 9.0, np.nan])
    whole = SignalConstraint("flow", integer=True, minimum=-0.5, maximum=7.9)
    np.testing.assert_array_equal(whole.kept(values), [0, 0, 3, 7, np.nan])
    np.testing.assert_array_equal(SignalConstraint.FREE.kept(values), values)


@pytest.mark.parametrize("extractor", ["impute", "window_statistics"])
@pytest.mark.parametrize("detector", ["mahalanobis", "ensemble"])
@pytest.mark.parametrize("far", [{"minimum": FARTHEST}, {"maximum": -FARTHEST}])
def test_the_farthest_ranges_are_answered(
    detector: str, extractor: str, far: dict[str, float]
) -> None:
    rows = np.random.default_rng(5).normal(size=(160, 2))
    spec = PipelineSpec(Step(detector), (Step(extractor),), 0.05, background_rows=16)
    fitted = fit(spec, Frame.of(rows, ["flow", "speed"]), None, registries=load_plugins())
    rows[-1] = 40.0
    constraint = SignalConstraint("flow", minimum=far.get("minimum"), maximum=far.get("maximum"))
    policy = ExplanationPolicy(rows=(159,), constraints=(constraint,))
    answer, _ = fitted.run(Frame.of(rows, ["flow", "speed"]), policy)
    assert answer.explanations[0].anomalous
    assert "flow" not in {culprit.signal for culprit in answer.explanations[0].culprits}
