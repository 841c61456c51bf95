"""The rules written beside the fields are enforced, although the gencode does not import `buf/validate`."""

import protovalidate
import pytest

from clarion_api.v1.detection_pb2 import ScoreRequest
from clarion_api.v1.frame_pb2 import ELEMENT_TYPE_FLOAT64, Frame, Matrix


def good() -> ScoreRequest:
    matrix = Matrix(signal_names=["pressure"], element_type=ELEMENT_TYPE_FLOAT64, values=bytes(8))
    return ScoreRequest(model="models/pump-7", frame=Frame(matrix=matrix))


def test_a_good_request_breaks_no_rule() -> None:
    assert protovalidate.collect_violations(good()) == []


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (ScoreRequest(model="pump-7"), "string.pattern"),
        (ScoreRequest(false_alarm_rate=1.0), "double.gt_lt"),
        (ScoreRequest(frame=Frame(matrix=Matrix(signal_names=[""]))), "string.min_len"),
    ],
)
def test_a_bad_field_is_named_with_the_rule_it_breaks(bad: ScoreRequest, rule: str) -> None:
    request = good()
    request.MergeFrom(bad)
    assert [found.proto.rule_id for found in protovalidate.collect_violations(request)] == [rule]


def test_a_missing_frame_and_an_empty_oneof_are_noticed() -> None:
    request = good()
    request.ClearField("frame")
    assert [found.proto.rule_id for found in protovalidate.collect_violations(request)] == [
        "required"
    ]
    request.frame.SetInParent()
    assert [found.proto.rule_id for found in protovalidate.collect_violations(request)] == [
        "required"
    ]
