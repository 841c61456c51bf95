"""Assets of a stream that fell silent, or came back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion_api.v1 import detection_pb2
from clarion_client.explanations import moment


@dataclass(frozen=True, slots=True)
class SilentAsset:
    """An asset that should have reported and did not, or that is back (``returned``).

    Attributes
    ----------
    last_seen_time
        Time of its last row before, UTC.
    silent_seconds
        How long it has been silent; of one that returned, was.
    expected_seconds, bound_seconds
        Median seconds between its rows, and the longest that are no silence.
    p_value
        Share of all gaps fitted that are at least so long.
    """

    asset: str
    last_seen_time: np.datetime64
    silent_seconds: float
    expected_seconds: float
    bound_seconds: float
    p_value: float
    returned: bool
    summary: str

    @classmethod
    def of(cls, message: detection_pb2.SilentAsset) -> Self:
        """Return the asset of a message."""
        return cls(
            message.asset,
            moment(message.last_seen_time),
            message.silent_seconds,
            message.expected_seconds,
            message.bound_seconds,
            message.p_value,
            message.returned,
            message.summary,
        )
