"""Statistics of each signal over a trailing window of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import Int64Array
from clarion.errors import ArtifactCorruptError, InvalidParameterError, TooFewRowsError
from clarion.features import (
    ExtractorTraits,
    Features,
    FitContext,
    columns_of,
    rows_by_asset,
)
from clarion.frames import Frame, Signal
from clarion.inputs import complete
from clarion.kernels.windows import STATISTICS, window_statistics
from clarion.parameters import parameter
from clarion.state import State, signal_values
from clarion_features.window_lineage import WindowLineage

_VERSION = 1
_OF_WHOLE_WINDOWS = STATISTICS[:6]
_LARGEST = 1e100
"""Larger values count as this one, so that squares stay finite."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedWindowStatistics:
    """The ``statistics`` of each input signal over ``window`` rows; nothing else is learned."""

    inputs: tuple[Signal, ...]
    window: int
    statistics: tuple[str, ...]

    @property
    def signals(self) -> tuple[Signal, ...]:
        """``pressure.mean``, ``pressure.sd`` ...: all statistics of a signal side by side."""
        return tuple(
            Signal(f"{signal.name}.{statistic}", unit=_unit(signal.unit, statistic))
            for signal in self.inputs
            for statistic in self.statistics
        )

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Each feature reads its own signal."""
        return {
            f"{s.name}.{statistic}": (s.name,) for s in self.inputs for statistic in self.statistics
        }

    @property
    def history(self) -> int:
        """All rows of the window but the newest."""
        return self.window - 1

    def transform(self, frame: Frame) -> Features:
        """Return the statistics of every row that ends a full window of its asset.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        names = [signal.name for signal in self.inputs]
        values = np.clip(complete(frame, self.inputs), -_LARGEST, _LARGEST)
        order, starts = _windows(frame, self.window)
        chosen = [STATISTICS.index(statistic) for statistic in self.statistics]
        features = window_statistics(values, order, starts, self.window)[:, :, chosen]
        source_rows = order[starts + self.window - 1]
        signals = self.signals
        output = frame.take(source_rows).with_numeric(
            features.reshape(len(starts), len(signals)), signals
        )
        lineage = WindowLineage(
            values, order, starts, self.window, self.statistics, columns_of(frame, names)
        )
        return Features(output, source_rows, lineage)

    def state(self) -> State:
        """Return all that was learned."""
        return State(
            _VERSION,
            {
                "inputs": signal_values(self.inputs),
                "window": self.window,
                "statistics": list(self.statistics),
            },
        )

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted extractor that ``state`` describes."""
        inputs = state.require(_VERSION).signals("inputs")
        window, statistics = state.parameter("window", int), state.parameter("statistics", list)
        if window < 2 or not set(statistics) <= set(STATISTICS):
            raise ArtifactCorruptError(f"no statistics {statistics} over {window} rows are known")
        return cls(inputs, window, tuple(statistics))


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowStatistics:
    """Mean, sd, minimum, maximum, slope and energy of each signal over the last rows of its asset.

    The sd divides by the number of rows, the slope is least squares a row, the energy is the mean
    square. ``last`` hands the newest value on beside them, and ``change`` that from the row before.
    """

    traits: ClassVar[ExtractorTraits] = ExtractorTraits(ordered=True)
    fitted: ClassVar[type[FittedWindowStatistics]] = FittedWindowStatistics

    window: int = parameter(10, "Rows in a window.", minimum=2, maximum=100_000, unit="rows")
    statistics: tuple[str, ...] = parameter(
        _OF_WHOLE_WINDOWS, "What is computed of each signal.", choices=STATISTICS
    )

    def __post_init__(self) -> None:
        """Refuse an empty or repeating list of statistics."""
        if not self.statistics or len(set(self.statistics)) != len(self.statistics):
            raise InvalidParameterError(
                f"statistics must name at least one, and none twice, not {list(self.statistics)}",
                field="parameters.statistics",
                parameter="statistics",
            )

    def fit(self, frame: Frame, context: FitContext) -> FittedWindowStatistics:
        """Check that some asset fills a window.

        Raises
        ------
        TooFewRowsError
            None does.
        """
        complete(frame, frame.signals)
        longest = max((len(rows) for rows in rows_by_asset(frame)), default=0)
        if longest < self.window:
            raise TooFewRowsError(
                f"a window of {self.window} rows needs as many rows of one asset, and the longest "
                f"run of rows has {longest}; shorten the window or send more rows",
                rows=longest,
                needed=self.window,
            )
        return FittedWindowStatistics(frame.signals, self.window, self.statistics)


def _windows(frame: Frame, window: int) -> tuple[Int64Array, Int64Array]:
    """Return the rows asset by asset, and where in them each full window starts, by its last row."""
    groups = rows_by_asset(frame)
    order = np.concatenate([*groups, np.empty(0, np.int64)])
    ends = np.cumsum([len(rows) for rows in groups])
    starts = np.concatenate(
        [
            np.arange(end - len(rows), end - window + 1)
            for rows, end in zip(groups, ends, strict=True)
        ]
        + [np.empty(0, np.int64)]
    )
    by_last_row = np.argsort(order[starts + window - 1], kind="stable")
    return order, starts[by_last_row]


def _unit(unit: str, statistic: str) -> str:
    if statistic == "slope":
        return f"{unit or '1'}/row"
    return f"({unit})²" if statistic == "energy" and unit else unit
