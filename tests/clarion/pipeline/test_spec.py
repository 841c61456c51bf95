from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clarion.errors import InvalidParameterError
from clarion.pipeline.spec import PipelineSpec, Step

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
steps = st.builds(Step, st.text(min_size=1, max_size=9), st.dictionaries(st.text(), json_values))
specs = st.builds(
    PipelineSpec,
    detector=steps,
    features=st.lists(steps, max_size=4).map(tuple),
    false_alarm_rate=st.floats(0, 0.5, exclude_min=True),
    ordered=st.booleans(),
    seed=st.integers(0, 2**63 - 1),
    background_rows=st.integers(1, 1024),
)


@settings(max_examples=30)
@given(specs)
def test_a_spec_survives_json(spec: PipelineSpec) -> None:
    assert PipelineSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_person_may_write_only_what_differs_from_the_defaults() -> None:
    assert PipelineSpec.from_json({"detector": "knn"}) == PipelineSpec(Step("knn"))
    written = {"detector": {"plugin": "knn"}, "features": ["standardize"], "seed": 3}
    expected = PipelineSpec(Step("knn"), (Step("standardize"),), seed=3)
    assert PipelineSpec.from_json(written) == expected


GOOD: dict[str, Any] = {"detector": "knn"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"features": []}, "spec.detector"),
        (GOOD | {"contamination": 0.1}, "spec.contamination"),
        (GOOD | {"detector": 5}, "spec.detector"),
        (GOOD | {"detector": {"name": "knn"}}, "spec.detector"),
        (GOOD | {"detector": {"plugin": "knn", "parameters": [1]}}, "spec.detector"),
        (GOOD | {"detector": {"plugin": "knn", "params": {}}}, "spec.detector"),
        (GOOD | {"features": "standardize"}, "spec.features"),
        (GOOD | {"features": ["standardize", {}]}, "spec.features[1]"),
        (GOOD | {"features": ["standardize"] * 17}, "spec.features"),
        (GOOD | {"false_alarm_rate": 0}, "spec.false_alarm_rate"),
        (GOOD | {"false_alarm_rate": 0.51}, "spec.false_alarm_rate"),
        (GOOD | {"false_alarm_rate": math.nan}, "spec.false_alarm_rate"),
        (GOOD | {"false_alarm_rate": "1 %"}, "spec.false_alarm_rate"),
        (GOOD | {"ordered": 1}, "spec.ordered"),
        (GOOD | {"seed": -1}, "spec.seed"),
        (GOOD | {"seed": 2**63}, "spec.seed"),
        (GOOD | {"seed": True}, "spec.seed"),
        (GOOD | {"background_rows": 0}, "spec.background_rows"),
        (GOOD | {"background_rows": 1025}, "spec.background_rows"),
        (GOOD | {"background_rows": None}, "spec.background_rows"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParameterError) as caught:
        PipelineSpec.from_json(wrong)
    assert caught.value.field == field


@pytest.mark.parametrize("promise", ["Certain", "sure", "none"])
def test_a_promise_that_is_none_is_named(promise: str) -> None:
    with pytest.raises(InvalidParameterError, match="'certain', 'average' or empty") as caught:
        PipelineSpec(Step("pca"), promise=promise)
    assert caught.value.field == "spec.promise"
