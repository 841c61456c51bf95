"""The verb that judges a model."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Unpack

from clarion_api.v1 import frame_pb2, models_pb2
from clarion_client.columns import Words, as_array, flags, little_endian, words_of
from clarion_client.detecting import Detecting
from clarion_client.faithfulness import JudgedExplanations
from clarion_client.frames import FrameOptions
from clarion_client.operations import EvaluationOperation, Progress
from clarion_client.reports import EvaluationReport


class Evaluating(Detecting):
    """The verb that judges a model; `Client` has them all."""

    def evaluate(  # noqa: PLR0913 - one parameter a field of the request
        self,
        model: str,
        data: Any,
        *,
        labels: Any,
        attacks: Any = None,
        ordered: bool = False,
        false_alarm_rate: float | None = None,
        explanations: JudgedExplanations | None = None,
        timeout_s: float = 600.0,
        progress: Callable[[Progress], None] | None = None,
        **options: Unpack[FrameOptions],
    ) -> EvaluationReport:
        """Judge a model on labelled rows, and wait; see `start_evaluation` and `Operation.wait`."""
        started = self.start_evaluation(
            model,
            data,
            labels=labels,
            attacks=attacks,
            ordered=ordered,
            false_alarm_rate=false_alarm_rate,
            explanations=explanations,
            **options,
        )
        return started.wait(timeout_s, progress)

    def start_evaluation(
        self,
        model: str,
        data: Any,
        *,
        labels: Any,
        attacks: Any = None,
        ordered: bool = False,
        false_alarm_rate: float | None = None,
        explanations: JudgedExplanations | None = None,
        request_id: str = "",
        **options: Unpack[FrameOptions],
    ) -> EvaluationOperation:
        """Start to judge a model on labelled rows, and return a handle at once.

        Parameters
        ----------
        model, data, options
            As for `Client.score`; the rows must be none that the fit has seen.
        labels
            True where a row is anomalous, shape ``(n,)``; rows of both kinds are needed.
        attacks
            What each anomalous row is called, shape ``(n,)``: recall is then given for each name.
        ordered
            Rows are in time order, although they have no times.
        false_alarm_rate
            Sets the threshold, in (0, 1); default: the model's own.
        explanations
            Judge the explanations too, and how; see `EvaluationReport.explanations`.
        request_id
            The same id returns the same operation; default: a new one, so that a retry is safe.
        """
        name, sent = self._addressed(model, data, options)
        request = models_pb2.EvaluateModelRequest(
            model=name,
            frame=sent,
            labels=flags(labels),
            names=None if attacks is None else _words(attacks),
            ordered=ordered,
            request_id=request_id or uuid.uuid4().hex,
        )
        if false_alarm_rate is not None:
            request.false_alarm_rate = false_alarm_rate
        if explanations is not None:
            request.explanations = True
            request.explainer = explanations.explainer
            for blame in explanations.blames:
                request.blames.add(
                    first_row=blame.first_row, last_row=blame.last_row, signals=blame.signals
                )
        operation = self.connection.call(self.connection.stubs.models.EvaluateModel, request)
        return EvaluationOperation.of(operation, self.connection)


def _words(names: Any) -> frame_pb2.Words:
    words = names if isinstance(names, Words) else words_of(as_array(names))
    return frame_pb2.Words(vocabulary=words.vocabulary, codes=little_endian(words.codes, "i4"))
