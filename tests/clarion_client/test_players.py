"""Groups and time blocks: what is sent, and what comes back as plain values."""

from __future__ import annotations

import numpy as np

from clarion_api.v1 import detection_pb2
from clarion_client import Explain, Label, Player
from clarion_client.explanations import Explanation
from clarion_client.results import Attributions


def test_groups_and_blocks_are_sent() -> None:
    sent = Explain(groups={"pump": ["flow", "speed"]}, block_rows=5).message()
    assert [(g.name, list(g.signals)) for g in sent.groups] == [("pump", ["flow", "speed"])]
    assert (sent.players, sent.block_rows) == (detection_pb2.PLAYERS_SIGNAL_BLOCKS, 5)
    plain = Explain().message()
    assert plain.players == detection_pb2.PLAYERS_UNSPECIFIED
    assert not plain.HasField("block_rows")


def test_columns_and_reasons_say_who_the_players_are() -> None:
    block = detection_pb2.Player(name="a, lag 0", signals=["a"], first_lag=0, last_lag=0)
    group = detection_pb2.Player(name="g", signals=["b", "c"])
    found = Attributions.of(
        detection_pb2.Attributions(
            signal_names=["a, lag 0", "g"],
            rows=[3],
            contributions=np.array([[1.0, 2.0]]).tobytes(),
            players=[block, group],
        )
    )
    wanted = (Player("a, lag 0", ("a",), 0, 0), Player("g", ("b", "c"), None, None))
    assert found.players == wanted
    message = detection_pb2.Explanation(cells_label=detection_pb2.LABEL_EXACT)
    message.player_ranking.add(player=group, contribution=2.0, share=0.5)
    message.cells.add(signal="a", unit="bar", word="open")
    record = Explanation.of(message)
    [reason] = record.player_ranking
    assert (reason.player, reason.contribution) == (wanted[1], 2.0)
    assert (reason.share, reason.standard_error) == (0.5, None)
    assert record.cells_label is Label.EXACT
    assert (record.cells[0].unit, record.cells[0].word) == ("bar", "open")
