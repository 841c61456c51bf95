"""Judging explanations over the wire: figures that are known, blames that make no sense."""

from __future__ import annotations

from typing import Any

import grpc
import numpy as np
import pytest

from clarion_api.v1 import evaluation_pb2 as reports
from clarion_api.v1 import models_pb2

Code = grpc.StatusCode
HOUR = 3_600_000_000_000
ROWS = 400


def asked(server: Any, wire: Any, *, times: Any = None, **changes: Any) -> Any:
    values = wire.normal_rows(ROWS, seed=11)
    values[200:220, 1] += 7.0
    labels = np.zeros(ROWS, "u1")
    labels[200:220] = 1
    times = np.arange(ROWS) * HOUR if times is None else times
    request: dict[str, Any] = {
        "model": "models/pump",
        "frame": wire.matrix(values, event_times=times.astype("<i8").tobytes()),
        "labels": labels.tobytes(),
        "explanations": True,
    }
    return server.models.EvaluateModel(
        models_pb2.EvaluateModelRequest(**(request | changes)), timeout=60
    )


def report_of(server: Any, operation: Any) -> reports.EvaluationReport:
    done = server.wait(operation.name)
    assert not done.HasField("error"), done.error
    report = reports.EvaluationReport()
    assert done.response.Unpack(report)
    return report


def blame(first: int, last: int, *signals: str) -> models_pb2.Blame:
    return models_pb2.Blame(first_row=first, last_row=last, signals=signals)


def test_exact_explanations_are_found_exact_and_the_blamed_signal_first(
    server: Any, wire: Any
) -> None:
    told = report_of(server, asked(server, wire, blames=[blame(200, 219, "flow")])).explanations
    assert (told.method, told.label) == ("quadratic", "exact")
    assert max(told.additivity_error, told.enumeration_error) <= 1e-9
    assert told.counterfactual_validity == 1.0
    assert [row.order for row in told.removals] == [
        "contributions",
        "signal_ranking",
        "zscore",
        "random",
    ]
    located = {row.ranking: row for row in told.located}
    assert located["signal_ranking"].by_segment.hit_rate_100 == 1.0
    assert located["signal_ranking"].row_count == 20
    assert {"level", "spike"} <= {row.kind for row in told.injected}


def test_they_are_not_judged_unless_asked(server: Any, wire: Any) -> None:
    assert not report_of(server, asked(server, wire, explanations=False)).HasField("explanations")


@pytest.mark.parametrize(
    ("changes", "code", "reason", "words"),
    [
        ({"blames": [blame(5, 4, "flow")]}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER", "not within"),
        ({"blames": [blame(0, 400, "flow")]}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER", "400 rows"),
        ({"blames": [blame(0, 4, "hue")]}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER", "'hue'"),
        ({"blames": [blame(0, 4, "flow", "flow")]}, Code.INVALID_ARGUMENT, "INVALID_PARAMETER", "twice"),
        ({"explainer": "tarot"}, Code.NOT_FOUND, "PLUGIN_NOT_FOUND", "tarot"),
        ({"explainer": "tree_shap"}, Code.FAILED_PRECONDITION, "UNSUPPORTED_PAIR", "quadratic"),
        (
            {"blames": [blame(0, 4, "flow")], "times": -np.arange(ROWS) * HOUR},
            Code.INVALID_ARGUMENT,
            "INVALID_FRAME",
            "time order",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused_by_the_call(
    server: Any, wire: Any, changes: dict[str, Any], code: Code, reason: str, words: str
) -> None:
    failure = wire.failure(lambda: asked(server, wire, **changes))
    assert (failure.code, failure.reason) == (code, reason)
    assert words in failure.message
