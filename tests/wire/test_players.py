"""Groups of signals and time blocks, and explanations given again, over the wire."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from grpc import StatusCode as Code

from clarion_api.v1 import detection_pb2 as pb

PUMP = pb.SignalGroup(name="pump", signals=["speed", "pressure"])


@pytest.fixture(scope="module")
def windowed(server: Any) -> Any:
    """The shared server, with a model of lagged cells and one behind windows."""
    server.fit("lagged", detector="var", parameters={"lags": 2})
    server.fit("windowed", detector="isolation_forest", features=("window_statistics",))
    return server


def policy(**fields: Any) -> pb.ExplanationPolicy:
    return pb.ExplanationPolicy(rows=pb.EXPLAINED_ROWS_ALL, **fields)


def test_a_group_is_one_column_and_one_reason(server: Any, wire: Any) -> None:
    answer = server.score(wire.normal_rows(4), policy=policy(groups=[PUMP]))
    found = answer.attributions
    assert list(found.signal_names) == ["pump", "flow"]
    assert [(p.name, list(p.signals)) for p in found.players] == [
        ("pump", ["speed", "pressure"]),
        ("flow", ["flow"]),
    ]
    assert not any(p.HasField("first_lag") or p.HasField("last_lag") for p in found.players)
    assert found.label == pb.LABEL_EXACT
    columns = np.frombuffer(found.contributions, "<f8").reshape(4, 2)
    for row, record in zip(columns, answer.explanations, strict=True):
        assert not record.signal_ranking
        by_name = {r.player.name: r.contribution for r in record.player_ranking}
        assert by_name == dict(zip(("pump", "flow"), row, strict=True))


def test_signals_are_the_players_unless_said(server: Any, wire: Any) -> None:
    rows = wire.normal_rows(4)
    answer = server.score(rows, policy=policy(view=pb.VIEW_FULL))
    assert list(answer.attributions.signal_names) == list(wire.names)
    assert not answer.attributions.players
    assert not any(record.player_ranking for record in answer.explanations)
    assert {record.cells_label for record in answer.explanations} == {pb.LABEL_EXACT}
    said = server.score(rows, policy=policy(view=pb.VIEW_FULL, players=pb.PLAYERS_SIGNALS))
    assert said == answer


def test_time_blocks_say_their_rows(windowed: Any, wire: Any) -> None:
    blocks = policy(players=pb.PLAYERS_SIGNAL_BLOCKS, block_rows=2, groups=[PUMP])
    found = windowed.score(wire.normal_rows(9), "lagged", policy=blocks).attributions
    spans = [(p.name, p.first_lag, p.last_lag) for p in found.players]
    assert spans == [
        ("pump, lags 0-1", 0, 1),
        ("pump, lag 2", 2, 2),
        ("flow, lags 0-1", 0, 1),
        ("flow, lag 2", 2, 2),
    ]
    assert found.label == pb.LABEL_EXACT
    assert len(found.contributions) == 8 * 4 * len(found.rows)


@pytest.mark.parametrize(
    ("model", "fields", "code", "path"),
    [
        (
            "pump",
            {"groups": [pb.SignalGroup(name="a", signals=["flow", "no_such"])]},
            Code.INVALID_ARGUMENT,
            "policy.groups[0].signals[1]",
        ),
        (
            "pump",
            {"groups": [PUMP, pb.SignalGroup(name="a", signals=["speed"])]},
            Code.INVALID_ARGUMENT,
            "policy.groups[1].signals[0]",
        ),
        (
            "pump",
            {"groups": [pb.SignalGroup(name="a")]},
            Code.INVALID_ARGUMENT,
            "policy.groups[0].signals",
        ),
        (
            "pump",
            {"groups": [pb.SignalGroup(signals=["flow"])]},
            Code.INVALID_ARGUMENT,
            "policy.groups[0].name",
        ),
        ("pump", {"block_rows": 3}, Code.INVALID_ARGUMENT, "policy.block_rows"),
        (
            "pump",
            {"players": pb.PLAYERS_SIGNAL_BLOCKS, "block_rows": 0},
            Code.INVALID_ARGUMENT,
            "policy.block_rows",
        ),
        (
            "windowed",
            {"players": pb.PLAYERS_SIGNAL_BLOCKS, "block_rows": 2},
            Code.FAILED_PRECONDITION,
            "policy.players",
        ),
    ],
)
def test_players_that_cannot_be_are_refused_by_field(
    windowed: Any, wire: Any, model: str, fields: dict[str, Any], code: Code, path: str
) -> None:
    rows = wire.normal_rows(20)
    failure = wire.failure(lambda: windowed.score(rows, model, policy=policy(**fields)))
    assert (failure.code, failure.fields) == (code, [path])
    if code is Code.FAILED_PRECONDITION:
        assert failure.reason == "UNSUPPORTED_PAIR"
        assert failure.metadata["supported"] == "signals"


def test_an_explanation_is_given_again_with_the_same_bytes(server: Any, wire: Any) -> None:
    sampled = policy(explainer="permutation_shap")
    frame = wire.matrix(wire.normal_rows(7, seed=99))
    first, trailer = server.scored(frame, policy=sampled)
    assert "clarion-cached-rows" not in trailer
    second, trailer = server.scored(frame, policy=sampled)
    assert trailer["clarion-cached-rows"] == "7"
    assert second.SerializeToString(deterministic=True) == first.SerializeToString(
        deterministic=True
    )
