"""What fitted objects ask of the numbers they are given: complete, robustly scaled, bounded."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array, frozen
from clarion.errors import (
    InvalidFrameError,
    InvalidParameterError,
    LimitExceededError,
    MissingExtraError,
    TooFewRowsError,
)
from clarion.frames import Frame, Signal

SATURATION = 1e9
"""Deviations beyond so many scales count as so many: squares and sums stay finite."""


def complete(frame: Frame, signals: Sequence[Signal]) -> FloatArray:
    """Return the numeric block aligned to ``signals``, float64 (n, d), with no cell missing.

    It is read-only: often it is the frame's own.

    Raises
    ------
    SignalMismatchError
        Other signals.
    InvalidFrameError
        A missing cell; its signal and row are named.
    """
    if frame.signals is not signals:  # most often it is
        frame = frame.aligned_to([signal.name for signal in signals])
    values = frozen(frame.numeric())
    missing = np.isnan(values)
    if missing.any():
        row, column = (int(i) for i in np.argwhere(missing)[0])
        name = signals[column].name
        raise InvalidFrameError(
            f"signal '{name}' is missing (NaN) at row {row}, and this model cannot take that; "
            "put the extractor 'impute' in its pipeline, or fit on rows that show missing cells",
            field="frame",
            signal=name,
            row=row,
        )
    return values


def narrowed(frame: Frame, signals: Sequence[Signal]) -> Frame:
    """Return the rows of a numeric ``frame`` with those of its signals only, in that order."""
    names = [signal.name for signal in signals]
    if frame.names == tuple(names):
        return frame
    place = {name: column for column, name in enumerate(frame.names)}
    return frame.with_numeric(frame.numeric()[:, [place[name] for name in names]], signals)


def require_rows(rows: int, needed: int, what: str) -> None:
    """Raise TooFewRowsError unless there are ``needed`` rows; ``what`` needs them."""
    if rows < needed:
        raise TooFewRowsError(
            f"{what} needs at least {needed} rows, and there are {rows}", rows=rows, needed=needed
        )


def require_memory(needed: float, what: str) -> None:
    """Raise LimitExceededError if ``what`` needs more than half of the machine's memory.

    Parameters
    ----------
    needed
        The estimate, in bytes.
    """
    # Where the system does not tell, as on Windows, 8 GiB are assumed.
    known = "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {})
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if known else 2.0**33
    if needed > memory / 2:
        raise LimitExceededError(
            f"{what} needs about {needed / 2**30:.3g} GiB of memory, and half of this machine's "
            f"are {memory / 2**31:.3g} GiB",
            needed_bytes=int(needed),
            allowed_bytes=int(memory / 2),
        )


def sampled_rows(rows: int, at_most: int, rng: np.random.Generator) -> Int64Array:
    """Return the numbers of ``at_most`` rows drawn without replacement, in order; of all if fewer."""
    if rows <= at_most:
        return np.arange(rows)
    return np.sort(rng.choice(rows, at_most, replace=False))


def robust_scale(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return center and scale of each column, shapes (d,): mean and max(sd, 1 % of the range).

    A constant column gets 1 % of its size as scale, or 1 where it is zero: scales are never 0.
    Missing cells are left out. Values too large for a finite mean raise InvalidFrameError.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        center = np.nanmean(values, axis=0)
        spread = np.nanstd(values, axis=0)
        span = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    scale = np.maximum(spread, 0.01 * span)
    # Rounding leaves a constant column a tiny sd; below 1e-12 of its size it is constant.
    constant = scale <= 1e-12 * np.abs(center)
    scale = np.where(constant, np.where(center == 0, 1.0, 0.01 * np.abs(center)), scale)
    if not (np.isfinite(center).all() and np.isfinite(scale).all()):
        column = int(np.argmin(np.isfinite(center) & np.isfinite(scale)))
        raise InvalidFrameError(
            f"the values of column {column} are too large to have a finite mean and deviation; "
            "rescale that signal, or treat its overflow marker as missing",
            field="frame",
        )
    return center, scale


def scaled(values: FloatArray, center: FloatArray, scale: FloatArray) -> FloatArray:
    """Return ``(values - center) / scale``, clipped to +-`SATURATION`; missing stays missing."""
    with np.errstate(over="ignore"):
        return np.clip((values - center) / scale, -SATURATION, SATURATION)


def both_classes(labels: BoolArray | None, name: str) -> BoolArray:
    """Return ``labels`` if there are normal and anomalous rows among them.

    Raises
    ------
    InvalidParameterError
        There are no labels, or of one class only; the detector ``name`` is named.
    """
    if labels is None:
        raise InvalidParameterError(
            f"the detector '{name}' is (semi-)supervised and needs labels; send them, or use an "
            "unsupervised detector",
            field="labels",
        )
    if labels.all() or not labels.any():
        only = "anomalous" if labels.all() else "normal"
        raise InvalidParameterError(
            f"the detector '{name}' needs normal and anomalous rows; all labels say {only}",
            field="labels",
        )
    return labels


def missing_extra(library: str, extra: str) -> MissingExtraError:
    """Return the error for an optional library that is not installed, naming the cure."""
    return MissingExtraError(
        f"{library} is not installed; run: pip install 'clarion[{extra}]'",
        library=library,
        extra=extra,
    )
