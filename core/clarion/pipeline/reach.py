"""Reach: how many held-out rows a false-alarm rate takes, and what is said where they are too few."""

from __future__ import annotations

from clarion.errors import TooFewRowsError, UnreachableRateError
from clarion.pipeline.rank_rule import Promise, rows_needed, smallest_rate
from clarion.pipeline.reference import Reference
from clarion.pipeline.tail import Tail


def rows_to_hold(rate: float, promise: Promise | None, *, allow_extrapolated: bool = False) -> int:
    """Return the fewest calibration rows for ``rate``; of two promises, the lesser where none is said."""
    needed = rows_needed(rate, promise or Promise.AVERAGE)
    return min(needed, Tail.rows_needed(rate)) if allow_extrapolated else needed


def too_few(
    rows: int, rate: float, promise: Promise | None = None, *, allow_extrapolated: bool = False
) -> TooFewRowsError:
    """Return the error for ``rows`` held-out rows at ``rate``, naming what is needed."""
    needed = rows_to_hold(rate, promise, allow_extrapolated=allow_extrapolated)
    certain = " with 95 % certainty" if promise is Promise.CERTAIN else ""
    return TooFewRowsError(
        f"a false-alarm rate of {rate:g}{certain} needs at least {needed} calibration rows, held out "
        f"from at least {2 * needed} normal rows that can be scored; there are {rows} to hold out: "
        "send more rows or ask for a larger rate",
        field="frame",
        rows=rows,
        needed=needed,
    )


def unreachable(held: Reference, rate: float, promise: Promise) -> UnreachableRateError:
    """Return the error for a ``rate`` below what the rows ``held`` out can promise, with its cures."""
    needed, least = rows_needed(rate, promise), smallest_rate(held.rows, promise)
    sure = "with 95 % certainty" if promise is Promise.CERTAIN else "on average"
    cures = ["ask for a larger rate", f"calibrate on at least {needed} rows"]
    if promise is Promise.CERTAIN and rate >= held.smallest_p:
        cures.append("fit with the promise 'average'")
    if held.tail is not None and rate >= held.tail.smallest_p:
        cures.append("allow an extrapolated threshold")
    return UnreachableRateError(
        f"the false-alarm rate {rate:g} is below the smallest that {held.rows} calibration rows can "
        f"promise {sure}, {least:.3g} (their smallest p-value is {held.smallest_p:.3g}); "
        f"{', or '.join(cures)}",
        field="false_alarm_rate",
        rate=rate,
        smallest_rate=least,
        smallest_p_value=held.smallest_p,
        needed=needed,
    )
