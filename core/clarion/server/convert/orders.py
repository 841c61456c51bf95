"""What to fit, off the wire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from clarion.arrays import BoolArray
from clarion.errors import InvalidFrameError
from clarion.frames import Frame
from clarion.pipeline.spec import PipelineSpec
from clarion.server.convert.frames import FrameLimits, frame_from_proto
from clarion.server.convert.models import spec_from_proto
from clarion.server.convert.numbers import array_of
from clarion_api.v1 import models_pb2 as pb


@dataclass(frozen=True, slots=True)
class Order:
    """A fit that was asked for; ``labels`` (n,) are True where a row is known to be anomalous."""

    tenant: str
    model: str
    display_name: str
    spec: PipelineSpec
    frame: Frame
    labels: BoolArray | None


def order_from_proto(message: pb.FitModelRequest, tenant: str, limits: FrameLimits) -> Order:
    """Return what ``message`` orders.

    Raises
    ------
    InvalidFrameError, InvalidParameterError, LimitExceededError
        The frame, the labels or the spec are none, or too large; the field is named.
    """
    frame = frame_from_proto(message.frame, limits=limits)
    return Order(
        tenant=tenant,
        model=message.model_id,
        display_name=message.display_name,
        spec=spec_from_proto(message.spec),
        frame=frame,
        labels=labels_of(message.labels, len(frame)) if message.labels else None,
    )


def labels_of(data: bytes, rows: int) -> BoolArray:
    """Return labels sent as one byte a row, shape ``(rows,)``.

    Raises
    ------
    InvalidFrameError
        There are more or fewer, or one is neither 0 nor 1.
    """
    labels = array_of(data, "u1", "labels", rows)
    if labels.max() > 1:
        row = int(np.argmax(labels > 1))
        raise InvalidFrameError(
            f"the label of row {row} is {labels[row]}; it must be 0 or 1", field="labels", row=row
        )
    return labels.astype(np.bool_)
