"""LIME: the slope of the score around a row, through the `lime` library."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.explainers import Attribution, Label, Role, Scorable, Support, additivity_error
from clarion.frames import Frame
from clarion.inputs import missing_extra, robust_scale, scaled
from clarion.kernels.slope_bootstrap import nth_largest_size
from clarion.parameters import parameter
from clarion_explainers.local_line import LocalLine
from clarion_explainers.mirrored_points import points, sobol_net

_WIDTH = 0.75
"""Kernel width over sqrt(d): the default of `lime`'s own explainer of tables (lime_tabular.py)."""
_COVERED = 0.95
"""Share of the bootstrap worlds that an interval covers."""
_LIMIT = np.finfo(np.float64).max
_MOST_SIGNALS = 1024
"""A row of so many takes seconds: 4 points a signal, and a fit in the square of their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lime:
    """A weighted linear fit to the score around a row: Ribeiro, Singh & Guestrin (2016), KDD.

    What stands beside SHAP values is slope times deviation, ``slope_j (x_j - mean_j)`` in score
    units, with the background's mean: for a linear score these are its SHAP values. The base value
    is the line's value at that mean. Elsewhere they are a slope, not a decomposition: they sum to
    the line's value at the row, and `fit_quality`, the weighted R², says what the line is worth.

    The points around the row are Clarion's own, drawn from the row's seed: Sobol points and their
    mirror images, normally distributed with the background's deviations (at least 1 % of its
    range), not the anomaly's. Mirrored, the score's curvature does not tilt the line.

    Intervals are bootstrapped: 95 % of the worlds in which the scores' departures from the line had
    other signs have their contribution within. They tell what the choice of points leaves open (as
    if they were random: Sobol points do better), not whether a line is apt.
    """

    role: ClassVar[Role] = Role.CROSS_CHECK

    samples: int = parameter(
        1024,
        "Points scored around each row, rounded up to a power of two and to 4 a feature.",
        minimum=64,
        maximum=65536,
        unit="rows",
    )

    def supports(self, scorable: Scorable) -> Support | None:
        """Return sampled, for every score of numeric signals (at most 1,024)."""
        signals = scorable.background.signals
        numeric = not scorable.background.of_kind(numeric=False)
        if not numeric or len(signals) > _MOST_SIGNALS:
            return None
        return Support(Label.SAMPLED, self._points(len(signals)))

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return slope times deviation; more ``evaluations`` than it asked for go unused.

        Raises
        ------
        InvalidFrameError
            Signals that are not numeric.
        MissingExtraError
            The library `lime` is not installed.
        """
        frame = frame.aligned_to(scorable.background.names)
        pairs = self._points(len(frame.signals)) // 2
        setting = scorable.once(f"lime.{pairs}", lambda: _Setting.of(scorable, pairs))
        deviation = np.nan_to_num(scaled(frame.numeric(), setting.center, setting.scale))
        copies = (frame.take(np.full(2 * pairs + 1, i)) for i in range(len(frame)))
        lines = [
            setting.line(scorable, row, off, seed)
            for row, off, seed in zip(copies, deviation, seeds, strict=True)
        ]
        at_row, scores = np.array([(line.at_row, line.score) for line in lines]).reshape(-1, 2).T
        slopes = np.array([line.slopes for line in lines]).reshape(deviation.shape)
        contributions = scorable.by_player(slopes * deviation)
        width = np.array([line.width for line in lines]).reshape(contributions.shape)
        base_value = at_row - contributions.sum(axis=1)
        return Attribution(
            contributions=contributions,
            base_value=base_value,
            label=Label.SAMPLED,
            method="lime",
            value_function="local slope times the deviation from the background's mean",
            additivity_error=additivity_error(contributions, base_value, scores),
            fit_quality=np.array([line.quality for line in lines]),
            interval=np.stack([contributions - width, contributions + width], axis=2),
        )

    def _points(self, d: int) -> int:
        return int(2 ** math.ceil(math.log2(max(self.samples, 4 * d))))


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """The row's score, the line's value there, its slopes per normal deviation ``(d,)``, its R².

    ``width`` is half that of each contribution's interval, shape ``(k,)``.
    """

    score: float
    at_row: float
    slopes: FloatArray
    quality: float
    width: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Setting:
    """What all rows of a scorable share: normal center and scale, the net, and the library."""

    center: FloatArray
    scale: FloatArray
    net: NDArray[np.uint32]
    base: Any

    @classmethod
    def of(cls, scorable: Scorable, pairs: int) -> _Setting:
        center, scale = robust_scale(scorable.background.numeric())
        return cls(center, scale, sobol_net(pairs, len(scale)), _library(len(scale)))

    def line(
        self, scorable: Scorable, copies: Frame, deviation: FloatArray, seed: np.uint64
    ) -> _Line:
        """Lay a line around a row, given as often as there are points."""
        rng = np.random.default_rng(int(seed))
        steps = points(self.net, rng)
        around = steps * self.scale
        around += copies.numeric()
        np.clip(around, -_LIMIT, _LIMIT, out=around)
        scores = scorable.score(copies.with_numeric(around))
        line = LocalLine()
        _, _, quality, at_row = self.base.explain_instance_with_data(
            steps,
            scores[:, None],
            np.sqrt((steps**2).sum(axis=1)),
            label=0,
            num_features=len(self.scale),
            feature_selection="none",
            model_regressor=line,
        )
        width = _width(scorable, line.replicates(rng) * deviation)
        return _Line(float(scores[0]), float(at_row[0]), line.coef_, float(quality), width)


def _width(scorable: Scorable, off: FloatArray) -> FloatArray:
    """Return half the intervals' widths ``(k,)``; ``off`` (b, d) is as likely as its opposite."""
    outside = math.floor((1 - _COVERED) * len(off))
    return nth_largest_size(scorable.by_player(off), outside + 1)


def _library(d: int) -> Any:
    """Return `lime` weighting points by ``exp(-distance² / (2 width²))``."""
    try:
        from lime.lime_base import LimeBase
    except ImportError as error:
        raise missing_extra("lime", "explain") from error
    width = _WIDTH * math.sqrt(d)
    return LimeBase(lambda distance: np.exp(-(distance**2) / (2 * width**2)), random_state=0)
