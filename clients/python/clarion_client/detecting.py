"""The verbs that score and explain."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Unpack

from clarion_api.v1 import detection_pb2, frame_pb2
from clarion_client.catalogue import Catalogue
from clarion_client.confidence import StreamRules
from clarion_client.errors import InvalidFrameError, InvalidParameterError
from clarion_client.frames import FrameOptions, frame, is_positional
from clarion_client.models import resource
from clarion_client.operations import ExplanationOperation, Progress
from clarion_client.overview import BulkExplanation
from clarion_client.policy import Explain, policy_of
from clarion_client.results import ScoreResult
from clarion_client.streams import score_stream

Cell = float | str
"""A number, or a word for a categorical signal."""


class Detecting(Catalogue):
    """The verbs that score and explain; `Client` has them all."""

    _signals: dict[str, tuple[str, ...]]
    """The signals of versions asked for before, by the version's name."""

    def score(
        self,
        model: str,
        data: Any,
        *,
        explain: Explain | str = "anomalous",
        false_alarm_rate: float | None = None,
        allow_extrapolated: bool = False,
        **options: Unpack[FrameOptions],
    ) -> ScoreResult:
        """Score rows, and explain the anomalous ones.

        Parameters
        ----------
        model
            ``pump-7``, ``models/pump-7`` (its newest version) or ``models/pump-7/versions/3``.
        data, options
            The rows: see `clarion_client.frame`. An array without ``names`` is taken in the order
            of the model's signals (asked for once a version; at each call where ``model`` names
            none, so that a new fit cannot be taken for the old one).
        explain
            ``none``, ``anomalous``, ``all``, or an `Explain`.
        false_alarm_rate
            Sets the threshold, in (0, 1); default: the model's own.
        allow_extrapolated
            Lets the threshold be extrapolated where held-out rows cannot reach that rate.
        """
        name, sent = self._addressed(model, data, options)
        request = detection_pb2.ScoreRequest(
            model=name,
            frame=sent,
            policy=policy_of(explain),
            allow_extrapolated=allow_extrapolated,
        )
        if false_alarm_rate is not None:
            request.false_alarm_rate = false_alarm_rate
        return ScoreResult.of(self.connection.call(self.connection.stubs.detection.Score, request))

    def score_stream(  # noqa: PLR0913 - all but two are keywords with a default
        self,
        model: str,
        frames: Iterable[Any],
        *,
        explain: Explain | str = "anomalous",
        false_alarm_rate: float | None = None,
        allow_extrapolated: bool = False,
        rules: StreamRules | None = None,
        stream_id: str = "",
        window: int = 8,
        timeout_s: float = 3600.0,
        **options: Unpack[FrameOptions],
    ) -> Iterator[ScoreResult]:
        """Score frames as they come; each asset's last rows are remembered between them.

        Parameters
        ----------
        frames
            Drawn one by one, as answers come in; ``options`` apply to each, so times, assets and
            row ids are names of columns, or built in by `clarion_client.frame`.
        rules
            What makes a row anomalous, and what is done once the stream drifts; default: the fixed
            rate, and nothing but telling so.
        stream_id
            The caller's name of the stream: part of the anomalies' identity.
        window
            Frames that may be unanswered at a time, >= 1.
        timeout_s
            Deadline of the whole stream.
        """
        if window < 1:
            raise InvalidParameterError(f"window must be at least 1, not {window}")
        pinned = self.version(model).name  # the stream pins a version too; so both are the same
        opening = detection_pb2.StreamOpening(
            model=pinned,
            stream_id=stream_id,
            policy=policy_of(explain),
            allow_extrapolated=allow_extrapolated,
        )
        if false_alarm_rate is not None:
            opening.false_alarm_rate = false_alarm_rate
        (rules or StreamRules()).put(opening)
        sent = (self._addressed(pinned, data, options)[1] for data in frames)
        return score_stream(self.connection, opening, sent, window, timeout_s)

    def explain(
        self,
        model: str,
        data: Any,
        *,
        rows: Sequence[int] = (),
        edits: Mapping[tuple[int, str], Cell] | None = None,
        how: Explain | None = None,
        false_alarm_rate: float | None = None,
        allow_extrapolated: bool = False,
        **options: Unpack[FrameOptions],
    ) -> ScoreResult:
        """Say why rows have the scores they have, or would have with other values.

        Parameters
        ----------
        model, data, options
            As for `score`; the frame also holds the rows before, which the model's windows need.
        rows
            Rows of the frame to explain, anomalous or not; default: all that have a score.
        edits
            Cells to change before scoring, by (row, signal): "what if?".
        how
            Explainer, cross-checks, budget and view; its ``rows`` are ignored.
        """
        request = self._to_explain(
            model, data, options, rows=rows, edits=edits, how=how, rate=false_alarm_rate
        )
        request.allow_extrapolated = allow_extrapolated
        return ScoreResult.of(
            self.connection.call(self.connection.stubs.detection.Explain, request)
        )

    def explain_bulk(
        self,
        model: str,
        data: Any,
        *,
        rows: Sequence[int] = (),
        how: Explain | None = None,
        false_alarm_rate: float | None = None,
        periods: int | None = None,
        timeout_s: float = 600.0,
        progress: Callable[[Progress], None] | None = None,
        **options: Unpack[FrameOptions],
    ) -> BulkExplanation:
        """Explain many rows, and wait; see `start_explanation` and `Operation.wait`."""
        started = self.start_explanation(
            model,
            data,
            rows=rows,
            how=how,
            false_alarm_rate=false_alarm_rate,
            periods=periods,
            **options,
        )
        return started.wait(timeout_s, progress)

    def start_explanation(
        self,
        model: str,
        data: Any,
        *,
        rows: Sequence[int] = (),
        how: Explain | None = None,
        false_alarm_rate: float | None = None,
        allow_extrapolated: bool = False,
        periods: int | None = None,
        request_id: str = "",
        **options: Unpack[FrameOptions],
    ) -> ExplanationOperation:
        """Start to explain more rows than a call has time for, and return a handle at once.

        Parameters
        ----------
        model, data, rows, how, false_alarm_rate, allow_extrapolated, options
            As for `explain`; by default every row that has a score.
        periods
            Into how many periods of equally many explained rows the overview is cut, in [1, 100];
            default 10.
        request_id
            The same id returns the same operation; default: a new one, so that a retry is safe.
        """
        asked = self._to_explain(
            model,
            data,
            options,
            rows=rows,
            edits=None,
            how=how or Explain(view="columns"),
            rate=false_alarm_rate,
        )
        asked.allow_extrapolated = allow_extrapolated
        request = detection_pb2.BulkExplainRequest(
            explain=asked, request_id=request_id or uuid.uuid4().hex
        )
        if periods is not None:
            request.period_count = periods
        operation = self.connection.call(self.connection.stubs.detection.BulkExplain, request)
        return ExplanationOperation.of(operation, self.connection)

    def _to_explain(
        self,
        model: str,
        data: Any,
        options: FrameOptions,
        *,
        rows: Sequence[int],
        edits: Mapping[tuple[int, str], Cell] | None,
        how: Explain | None,
        rate: float | None,
    ) -> detection_pb2.ExplainRequest:
        name, sent = self._addressed(model, data, options)
        request = detection_pb2.ExplainRequest(
            model=name, frame=sent, rows=rows, policy=(how or Explain()).message()
        )
        for (row, signal), value in (edits or {}).items():
            edit = request.edits.add(row=row, signal=signal)
            if isinstance(value, str):
                edit.word = value
            else:
                edit.number = value
        if rate is not None:
            request.false_alarm_rate = rate
        return request

    def _addressed(
        self, model: str, data: Any, options: FrameOptions
    ) -> tuple[str, frame_pb2.Frame]:
        """Return the model's resource name and the frame, a nameless array in its signals' order."""
        name = resource(model)
        if not is_positional(data, options):
            return name, frame(data, **options)
        if name not in self._signals:
            version = self.version(name)
            name = version.name
            self._signals[name] = tuple(signal.name for signal in version.signals)
        signals = self._signals[name]
        if data.ndim == 2 and data.shape[1] != len(signals):
            raise InvalidFrameError(
                f"the array has {data.shape[1]} columns, and {name} takes {len(signals)} signals: "
                f"{', '.join(signals[:20])}"
            )
        named: FrameOptions = {**options, "names": signals}
        return name, frame(data, **named)
