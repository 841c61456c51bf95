"""Bulk explanations over the wire: the same bytes as a call's, and what the rows have in common."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest
from google.longrunning import operations_pb2 as ops

from clarion_api.v1 import detection_pb2 as pb

Code = grpc.StatusCode
HOUR = 3_600_000_000_000
ROWS = 120


@pytest.fixture(scope="module")
def rows(wire: Any) -> Any:
    values = wire.normal_rows(ROWS, seed=9)
    values[60:, 1] += 4.0
    return values


def asked(server: Any, wire: Any, values: Any, **changes: Any) -> Any:
    explain = pb.ExplainRequest(
        model=changes.pop("model", "models/pump"),
        frame=wire.matrix(
            values, event_times=(np.arange(len(values)) * HOUR).astype("<i8").tobytes()
        ),
        policy=changes.pop("policy", None),
        rows=changes.pop("rows", ()),
    )
    return server.detection.BulkExplain(
        pb.BulkExplainRequest(explain=explain, **changes), timeout=60
    )


def answered(server: Any, operation: Any) -> pb.BulkExplainResponse:
    done = server.wait(operation.name)
    assert not done.HasField("error"), done.error
    response = pb.BulkExplainResponse()
    assert done.response.Unpack(response)
    return response


def test_the_answer_is_that_of_a_call(server: Any, wire: Any, rows: Any) -> None:
    policy = pb.ExplanationPolicy(view=pb.VIEW_FULL)
    bulk = answered(server, asked(server, wire, rows, policy=policy)).explained
    one = server.detection.Explain(
        pb.ExplainRequest(
            model="models/pump",
            policy=policy,
            frame=wire.matrix(rows, event_times=(np.arange(ROWS) * HOUR).astype("<i8").tobytes()),
        ),
        timeout=60,
    )
    assert bulk == one
    assert len(bulk.explanations) == ROWS


def test_the_signal_that_came_to_matter_is_told_and_since_when(
    server: Any, wire: Any, rows: Any
) -> None:
    told = answered(server, asked(server, wire, rows, period_count=4)).overview
    assert told.row_count == ROWS
    assert [(p.first_row, p.last_row, p.row_count) for p in told.periods] == [
        (0, 29, 30),
        (30, 59, 30),
        (60, 89, 30),
        (90, 119, 30),
    ]
    assert told.periods[2].start_time.seconds == 60 * 3600
    sizes = {player.player: player.mean_size for player in told.players}
    assert max(sizes, key=sizes.__getitem__) == "flow"
    place = [player.player for player in told.players].index("flow")
    p_values = [period.drift_p_values[place] for period in told.periods]
    assert max(p_values[2:]) < 1e-6
    assert min(p_values[:2]) > 1e-3


def test_signals_that_act_together_are_told(server: Any, wire: Any) -> None:
    together = np.array([[1.0, 0.9, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 1.0]])
    server.fit("mixed", wire.normal_rows(800) @ together)
    values = wire.normal_rows(50, seed=9)
    told = answered(server, asked(server, wire, values, model="models/mixed")).overview
    assert {told.pairs[0].first, told.pairs[0].second} == {"pressure", "flow"}
    assert told.pairs[0].mean_size > 5 * told.pairs[1].mean_size


def test_chosen_rows_and_ten_periods_by_default(server: Any, wire: Any, rows: Any) -> None:
    response = answered(server, asked(server, wire, rows, rows=[3, 60, 70]))
    assert list(response.explained.attributions.rows) == [3, 60, 70]
    assert response.overview.row_count == 3
    assert len(response.overview.periods) == 3
    assert len(answered(server, asked(server, wire, rows)).overview.periods) == 10


def test_the_same_request_id_explains_once(server: Any, wire: Any, rows: Any) -> None:
    first = asked(server, wire, rows, request_id="bulk-1")
    assert asked(server, wire, rows, request_id="bulk-1").name == first.name
    failure = wire.failure(lambda: server.start_fit("other", request_id="bulk-1"))
    assert failure.code is Code.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"model": "models/none"}, Code.NOT_FOUND, "MODEL_NOT_FOUND"),
        ({"rows": [500]}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER"),
        ({"period_count": 0}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER"),
        ({"period_count": 101}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER"),
        (
            {"policy": pb.ExplanationPolicy(explainer="tarot")},
            Code.NOT_FOUND,
            "PLUGIN_NOT_FOUND",
        ),
        (
            {"policy": pb.ExplanationPolicy(explainer="permutation_shap", max_evaluations=3)},
            Code.FAILED_PRECONDITION,
            "BUDGET_EXCEEDED",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_by_the_call(
    server: Any, wire: Any, rows: Any, changes: dict[str, Any], code: Code, reason: str
) -> None:
    failure = wire.failure(lambda: asked(server, wire, rows, **changes))
    assert failure.code is code
    assert failure.reason == reason


def test_a_cancelled_one_ends(server: Any, wire: Any) -> None:
    slow = pb.ExplanationPolicy(explainer="permutation_shap", max_evaluations=200_000)
    operation = asked(server, wire, wire.normal_rows(2000), policy=slow)
    server.operations.CancelOperation(ops.CancelOperationRequest(name=operation.name))
    done = server.wait(operation.name)
    assert done.error.code == Code.CANCELLED.value[0]
