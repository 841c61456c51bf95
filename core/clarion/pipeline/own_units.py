"""Explanations of a partitioned model, told in the units and at the level of each row's own asset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from clarion.arrays import Int64Array
from clarion.errors import InvalidParameterError
from clarion.explaining.background import Positions, asset_positions
from clarion.explaining.summary import summarise
from clarion.explaining.values import Reader
from clarion.frames import Frame
from clarion.pipeline.answer import CellReason, Culprit, Explanation, SignalReason
from clarion.pipeline.constraints import SignalConstraint
from clarion.pipeline.partition import Partition

Restore = Callable[[str, float | None], float | None]
"""From a signal's name and levelled value to the value at the row's own level."""


def refuse_ranges(constraints: Sequence[SignalConstraint]) -> None:
    """Raise InvalidParameterError for a range or whole numbers: each group would have its own."""
    for index, constraint in enumerate(constraints):
        if constraint.bends:
            raise InvalidParameterError(
                f"signal '{constraint.signal}': a partitioned model looks for culprits on one level "
                "for all groups, where a range or whole numbers of one asset are none; it can only "
                "be immutable",
                field=f"policy.constraints[{index}]",
                signal=constraint.signal,
            )


@dataclass(frozen=True, eq=False)
class OwnUnits:
    """Puts records back to where their rows were.

    Attributes
    ----------
    raw
        The rows as they were sent (remembered ones first), with the signals in the model's order.
    """

    partition: Partition
    raw: Frame

    def told(self, records: Sequence[Explanation], sources: Int64Array) -> tuple[Explanation, ...]:
        """Return the records of the raw rows ``sources``; what was sent is told as it was sent."""
        codes = self.partition.groups.codes(self.raw.take(sources))
        return tuple(
            self._record(record, int(source), int(code))
            for record, source, code in zip(records, sources, codes, strict=True)
        )

    def _record(self, record: Explanation, source: int, code: int) -> Explanation:
        def restore(signal: str, value: float | None) -> float | None:
            if value is None:
                return None
            return self.partition.restored(code, self._columns[signal], value)

        def seen(signal: str, lag: int) -> float | None:
            row = int(self._positions.back(source, lag)[0])
            return self._reader.cell(row, self._places[signal]).value

        told = replace(
            record,
            signal_ranking=tuple(
                _reason(r, restore, seen(r.signal, 0)) for r in record.signal_ranking
            ),
            culprits=tuple(_culprit(c, restore, seen(c.signal, 0)) for c in record.culprits),
            cells=tuple(_cell(c, seen(c.signal, c.lag)) for c in record.cells),
        )
        return replace(told, summary=summarise(told))

    @cached_property
    def _columns(self) -> dict[str, int]:
        return {s.name: j for j, s in enumerate(self.raw.of_kind(numeric=True))}

    @cached_property
    def _places(self) -> dict[str, int]:
        return {name: j for j, name in enumerate(self.raw.names)}

    @cached_property
    def _reader(self) -> Reader:
        return Reader.of(self.raw)

    @cached_property
    def _positions(self) -> Positions:
        return asset_positions(self.raw)


def _reason(reason: SignalReason, restore: Restore, seen: float | None) -> SignalReason:
    return replace(reason, value=seen, expected=restore(reason.signal, reason.expected))


def _culprit(culprit: Culprit, restore: Restore, seen: float | None) -> Culprit:
    name = culprit.signal
    path = (restore(name, value) for value in culprit.normal_path)
    return replace(
        culprit,
        value=seen,
        normal_value=restore(name, culprit.normal_value),
        still_anomalous_value=restore(name, culprit.still_anomalous_value),
        span_value=restore(name, culprit.span_value),
        span_normal_value=restore(name, culprit.span_normal_value),
        normal_path=tuple(value for value in path if value is not None),
    )


def _cell(cell: CellReason, seen: float | None) -> CellReason:
    return replace(cell, value=seen)
