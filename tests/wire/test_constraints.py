"""What would look normal, within constraints, over the wire."""

from __future__ import annotations

import math
from typing import Any

import grpc
import numpy as np
import pytest

from clarion_api.v1 import detection_pb2 as pb


@pytest.fixture
def rows(wire: Any) -> Any:
    """Six normal rows; in the third pressure and flow are off."""
    rows = 0.5 * wire.normal_rows(6, seed=3)
    rows[2, :2] = [-7.0, 9.0]
    return rows


def explain(
    server: Any, wire: Any, rows: Any, *constraints: pb.SignalConstraint, **more: Any
) -> Any:
    policy = pb.ExplanationPolicy(constraints=constraints, view=pb.VIEW_FULL)
    request = pb.ExplainRequest(
        model="models/pump", frame=wire.matrix(rows), rows=[2], policy=policy, **more
    )
    return server.detection.Explain(request).explanations[0]


def test_a_culprit_tells_all_that_was_changed(server: Any, wire: Any, rows: Any) -> None:
    said = explain(server, wire, rows)
    assert {culprit.signal for culprit in said.culprits} == {"pressure", "flow"}
    assert said.minimum_proven
    assert said.semi_factual_score >= said.threshold > said.cleared_score
    assert 0 < said.plausibility <= 1
    assert said.margin == said.threshold - said.score < 0
    for culprit in said.culprits:
        assert culprit.span_rows == 1
        assert list(culprit.normal_path) == [culprit.normal_value] == [culprit.span_normal_value]
        assert culprit.span_value == culprit.value
        ends = sorted([culprit.value, culprit.normal_value])
        assert ends[0] <= culprit.still_anomalous_value <= ends[1]
        assert (culprit.change_deviations > 0) == (culprit.normal_value > culprit.value)


def test_constraints_are_kept(server: Any, wire: Any, rows: Any) -> None:
    rows[2, 0] = 0.1
    free = explain(server, wire, rows)
    assert [culprit.signal for culprit in free.culprits] == ["flow"]
    whole = explain(server, wire, rows, pb.SignalConstraint(signal="flow", integer=True))
    assert whole.culprits[0].normal_value == round(whole.culprits[0].normal_value)
    ranged = explain(server, wire, rows, pb.SignalConstraint(signal="flow", maximum=-0.25))
    assert ranged.culprits[0].normal_value <= -0.25
    fixed = explain(server, wire, rows, pb.SignalConstraint(signal="flow", immutable=True))
    assert "flow" not in [culprit.signal for culprit in fixed.culprits]
    assert fixed.score == free.score


def test_an_edited_row_has_its_own_culprits(server: Any, wire: Any, rows: Any) -> None:
    edited = explain(server, wire, rows, edits=[pb.Edit(row=2, signal="flow", number=0.0)])
    assert [culprit.signal for culprit in edited.culprits] == ["pressure"]
    calm = [pb.Edit(row=2, signal=name, number=0.0) for name in ("flow", "pressure")]
    normal = explain(server, wire, rows, edits=calm)
    assert not normal.culprits
    assert not normal.HasField("semi_factual_score")
    assert normal.margin > 0
    assert f"{normal.margin:.4g} below an alarm" in normal.summary


@pytest.mark.parametrize(
    ("constraints", "field"),
    [
        ([{"signal": "torque"}], "policy.constraints[0].signal"),
        ([{"signal": "flow"}, {"signal": "flow"}], "policy.constraints[1].signal"),
        ([{"signal": ""}], "policy.constraints[0].signal"),
        ([{"signal": "flow", "minimum": 2, "maximum": 1}], "policy.constraints[0].minimum"),
        ([{"signal": "flow", "minimum": math.nan}], "policy.constraints[0].minimum"),
        ([{"signal": "flow", "maximum": math.inf}], "policy.constraints[0].maximum"),
    ],
)
def test_constraints_that_cannot_be_are_refused(
    server: Any, wire: Any, constraints: list[dict[str, Any]], field: str
) -> None:
    """Even where no row needs a counterfactual."""
    given = [pb.SignalConstraint(**one) for one in constraints]
    failure = wire.failure(lambda: explain(server, wire, np.zeros((3, 3)), *given))
    assert (failure.code, failure.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
