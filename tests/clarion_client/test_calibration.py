from __future__ import annotations

from typing import Any

import pytest

from clarion_api.v1 import detection_pb2, models_pb2
from clarion_client import Client, InvalidParameterError, PipelineSpec
from clarion_client.models import Calibration
from clarion_client.results import ScoreResult


@pytest.mark.parametrize("promise", ["", "certain", "average"])
@pytest.mark.parametrize("allowed", [False, True])
def test_a_spec_keeps_its_promise_over_the_wire(promise: str, allowed: bool) -> None:
    spec = PipelineSpec("ecod", promise=promise, allow_extrapolated=allowed)
    again = PipelineSpec.of(spec.message())
    assert (again.promise, again.allow_extrapolated) == (promise, allowed)


def test_a_promise_that_is_none_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(InvalidParameterError, match="'certain' or 'average', not 'mostly'"):
        PipelineSpec("ecod", promise="mostly").message()


def test_what_is_not_known_of_a_calibration_is_none() -> None:
    told = Calibration.of(models_pb2.Calibration(row_count=99))
    assert told.promise == ""
    assert told.classes == ()
    assert told.smallest_extrapolated_p_value is None
    assert told.step_seconds is told.false_alarms_per_week is told.false_events_per_week is None


def test_no_flags_are_no_extrapolated_rows() -> None:
    scores = detection_pb2.Scores(values=bytes(16), p_values=bytes(16), anomalous=bytes(2))
    plain = ScoreResult.of(detection_pb2.ScoreResponse(scores=scores))
    assert plain.extrapolated.tolist() == [False, False]
    assert plain.class_thresholds == {}
    scores.extrapolated = b"\x00\x01"
    scores.class_thresholds.add(asset_class="pump", threshold=3.0)
    flagged = ScoreResult.of(detection_pb2.ScoreResponse(scores=scores))
    assert flagged.extrapolated.tolist() == [False, True]
    assert flagged.class_thresholds == {"pump": 3.0}


def test_extrapolation_is_asked_for_in_every_verb(client: Client, script: Any) -> None:
    rows = {"flow": [1.0], "pressure": [2.0]}
    for asked in (False, True):
        script.calls.clear()
        client.score("pump", rows, allow_extrapolated=asked)
        client.explain("pump", rows, allow_extrapolated=asked)
        list(client.score_stream("pump", [rows], allow_extrapolated=asked))
        sent = dict(script.calls)
        assert sent["Score"].allow_extrapolated is asked
        assert sent["Explain"].allow_extrapolated is asked
        assert sent["ScoreStream"].opening.allow_extrapolated is asked
