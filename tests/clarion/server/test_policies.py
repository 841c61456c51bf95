"""Edits off the wire."""

from __future__ import annotations

import time

import numpy as np
import pytest

from clarion.errors import InvalidParameterError
from clarion.explaining.players import PlayerChoice, SignalGroup
from clarion.frames import Frame, Signal, SignalKind
from clarion.server.convert.models import spec_from_proto
from clarion.server.convert.policies import edited, policy_from_proto
from clarion_api.v1 import detection_pb2 as pb
from clarion_api.v1 import models_pb2


def worded(words: tuple[str, ...], numbers: int = 0) -> Frame:
    signals = (
        *(Signal(f"x{j}") for j in range(numbers)),
        Signal("w", SignalKind.CATEGORICAL, vocabulary=words),
    )
    return Frame(signals, np.zeros((3, numbers)), np.zeros((3, 1), np.int32))


def test_a_word_is_edited_by_its_code_and_a_new_one_gets_the_next() -> None:
    edits = [pb.Edit(row=i, signal="w", word=word) for i, word in enumerate(("b", "new", "new"))]
    frame = edited(worded(("a", "b")), edits)
    assert frame.signals[0].vocabulary == ("a", "b", "new")
    assert frame.codes[:, 0].tolist() == [1, 2, 2]


def test_many_edits_of_many_words_and_signals_take_no_time() -> None:
    """The most that a request may hold; by search they took minutes, in which nobody was answered."""
    frame = worded(tuple(f"word {i}" for i in range(50_000)), numbers=4000)
    edits = [pb.Edit(row=0, signal="w", word=f"word {49_999 - i}") for i in range(10_000)]
    begun = time.perf_counter()
    assert edited(frame, edits).codes[:, 0].tolist() == [40_000, 0, 0]
    assert time.perf_counter() - begun < 2.0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_parameter_that_json_cannot_write_is_refused(value: float) -> None:
    spec = models_pb2.PipelineSpec(detector=models_pb2.Step(plugin="knn"))
    spec.detector.parameters["neighbours"] = value
    with pytest.raises(InvalidParameterError, match="'knn' are no JSON") as caught:
        spec_from_proto(spec)
    assert caught.value.field == "spec.detector.parameters"


def test_players_are_signals_unless_said() -> None:
    for players in (pb.PLAYERS_UNSPECIFIED, pb.PLAYERS_SIGNALS):
        assert policy_from_proto(pb.ExplanationPolicy(players=players)).players == PlayerChoice()
    pump = pb.SignalGroup(name="pump", signals=["flow", "heat"])
    grouped = policy_from_proto(pb.ExplanationPolicy(groups=[pump])).players
    assert grouped == PlayerChoice(groups=(SignalGroup("pump", ("flow", "heat")),))


def test_a_time_block_has_one_row_unless_said() -> None:
    policy = pb.ExplanationPolicy(players=pb.PLAYERS_SIGNAL_BLOCKS)
    assert policy_from_proto(policy).players == PlayerChoice(1)
    policy.block_rows = 7
    assert policy_from_proto(policy).players == PlayerChoice(7)


def test_millions_of_grouped_signals_are_refused_at_once() -> None:
    names = [f"x{i}" for i in range(4000)]
    groups = [pb.SignalGroup(name=f"g{i}", signals=names) for i in range(100)]
    policy = pb.ExplanationPolicy(groups=groups)
    begun = time.perf_counter()
    with pytest.raises(InvalidParameterError, match="name 400000 signals") as caught:
        policy_from_proto(policy)
    assert caught.value.field == "policy.groups"
    assert time.perf_counter() - begun < 0.1


@pytest.mark.parametrize("players", [pb.PLAYERS_UNSPECIFIED, pb.PLAYERS_SIGNALS])
def test_rows_of_a_block_without_blocks_are_refused(players: pb.Players.ValueType) -> None:
    with pytest.raises(InvalidParameterError, match="PLAYERS_SIGNAL_BLOCKS") as caught:
        policy_from_proto(pb.ExplanationPolicy(players=players, block_rows=2))
    assert caught.value.field == "policy.block_rows"
