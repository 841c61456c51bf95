"""Bulk explanations: more rows than a call has time for, as a job."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from clarion.errors import LimitExceededError
from clarion.frames import Frame
from clarion.pipeline.answer import ExplanationPolicy
from clarion.pipeline.overview import overview_of
from clarion.server.convert.answers import fill
from clarion.server.convert.operations import packed
from clarion.server.convert.overviews import overview_to_proto
from clarion.server.jobs import Job, Work
from clarion.server.loaded import Loaded
from clarion_api.v1 import detection_pb2 as pb

DEFAULT_PERIODS = 10
_EXPLAINING = 0.9
"""Share of the work that explaining is; the rest is the overview."""


@dataclass(frozen=True, slots=True, eq=False)
class BulkOrder:
    """What is to be explained, and into how many periods the overview is cut.

    Attributes
    ----------
    max_bytes
        What the answer may take: it is kept with its operation, and sent in one message.
    """

    model: Loaded
    frame: Frame
    policy: ExplanationPolicy
    false_alarm_rate: float | None
    allow_extrapolated: bool
    periods: int
    max_bytes: int

    def check(self) -> None:
        """Refuse what cannot be done before any work is.

        Raises
        ------
        UnsupportedPairError, BudgetExceededError, PluginNotFoundError, UnreachableRateError
            No explainer, or no threshold, is within what is asked.
        """
        pipeline = self.model.pipeline
        if not self.policy.allow_unexplained:
            pipeline.reasoner.rung(self.policy)
        if self.false_alarm_rate is not None:
            pipeline.calibration.threshold(
                self.false_alarm_rate, extrapolate=self.allow_extrapolated
            )


def bulk_explanation(order: BulkOrder) -> Work:
    """Return the work that explains ``order``, and returns the packed `BulkExplainResponse`."""
    return partial(_explained, order)


def _explained(order: BulkOrder, job: Job) -> bytes:
    pipeline = order.model.pipeline
    job.note(0.0, "explaining", force=True)
    answer, _ = pipeline.run(
        order.frame,
        order.policy,
        false_alarm_rate=order.false_alarm_rate,
        allow_extrapolated=order.allow_extrapolated,
        cancelled=job.cancelled.is_set,
    )
    job.check_cancelled()
    job.note(_EXPLAINING, "looking for what they have in common", force=True)
    message = pb.BulkExplainResponse()
    fill(message.explained, answer, pipeline, order.model.ref.name)
    common = overview_of(pipeline, order.frame, answer, order.policy, order.periods)
    overview_to_proto(message.overview, common, answer, order.frame)
    size = message.ByteSize()
    if size > order.max_bytes:
        raise LimitExceededError(
            f"the explanations take {size} bytes, more than the {order.max_bytes} of one message; "
            "explain fewer rows, or ask for the view COLUMNS",
            limit=order.max_bytes,
        )
    job.check_cancelled()
    return packed(message)
