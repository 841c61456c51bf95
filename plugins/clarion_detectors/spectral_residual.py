"""Spectral residual: what stands out of a signal's last rows once its usual rhythm is removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_rows, robust_scale
from clarion.parameters import parameter
from clarion_detectors.charts import FittedChart, window_rows

_AVERAGED = 3
"""Frequencies averaged over, and rows of the saliency map compared with: q and z of the paper."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedSpectralResidual(FittedChart):
    """The saliency of the newest row in a trailing window."""

    statistic: ClassVar[str] = "saliency"

    def first(self) -> FloatArray:
        """Return no rows."""
        return np.empty((0, len(self.inputs)))

    def reach(self) -> int:
        """Return the rows of the window."""
        return int(self.settings["window"])

    def follow(self, points: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the saliency of each row that has its window, shape ``(m, d)``."""
        window = self.reach()
        known, kept = window_rows(points, memory, window)
        if len(known) < window:
            return np.empty((0, points.shape[1])), kept
        windows = np.lib.stride_tricks.sliding_window_view(known, window, axis=0)
        return saliency(np.ascontiguousarray(windows)), kept


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectralResidual:
    """One spectral-residual saliency a signal, their squares added up."""

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Ren et al. (2019), Time-Series Anomaly Detection Service at Microsoft, KDD, section 3.1",
    )
    fitted: ClassVar[type[FittedSpectralResidual]] = FittedSpectralResidual

    window: int = parameter(
        64, "Rows of the window, the newest among them.", minimum=8, maximum=4096, unit="rows"
    )

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedSpectralResidual:
        """Learn the scale of each signal from normal rows.

        Raises
        ------
        TooFewRowsError
            Fewer rows than the window has.
        """
        values = complete(frame, frame.signals)
        require_rows(len(frame), self.window, f"a window of {self.window} rows")
        settings = {"window": self.window}
        return FittedSpectralResidual(frame.signals, settings, *robust_scale(values), {})


def saliency(windows: FloatArray) -> FloatArray:
    """Return how far the saliency map's last value exceeds its mean, over that mean, shape ``(...)``.

    ``windows`` has shape ``(..., w)``. As in the paper the window is extended by points guessed from
    its last slope, so that the newest row does not stand at the border.
    """
    extended = np.concatenate([windows, _guessed(windows)], axis=-1)
    spectrum = np.fft.rfft(extended, axis=-1)
    size = np.abs(spectrum)
    log_size = np.log(size + 1e-8)
    residual = np.exp(log_size - _running_mean(log_size))
    map_ = np.abs(np.fft.irfft(spectrum / (size + 1e-8) * residual, extended.shape[-1], axis=-1))
    before = map_[..., : windows.shape[-1]]
    mean = before.mean(axis=-1)
    return np.asarray(np.maximum(before[..., -1] - mean, 0.0) / (mean + 1e-8))


def _guessed(windows: FloatArray) -> FloatArray:
    """Return five points on the line through the mean of the last slopes (paper, eq. 8 and 9)."""
    last, count = windows[..., -1:], 5
    slopes = (last - windows[..., -1 - count : -1]) / np.arange(count, 0, -1.0)
    ahead = windows[..., -count, None] + slopes.mean(axis=-1, keepdims=True) * count
    return np.repeat(ahead, count, axis=-1)


def _running_mean(values: FloatArray) -> FloatArray:
    """Return the mean of each value and the `_AVERAGED` - 1 before it (of fewer at the start)."""
    out = np.zeros_like(values)
    for back in range(_AVERAGED):
        out[..., back:] += values[..., : values.shape[-1] - back]
    counts = np.minimum(np.arange(values.shape[-1]) + 1, _AVERAGED)
    return np.asarray(out / counts)
