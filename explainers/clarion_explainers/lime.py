"""LIME: the slope of the score around a row, through the `lime` library."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from clarion.arrays import FloatArray
from clarion.explainers import Attribution, Label, Role, Scorable, Support, additivity_error
from clarion.frames import Frame
from clarion.inputs import missing_extra, robust_scale, scaled
from clarion.parameters import parameter
from clarion_explainers.local_line import LocalLine

_WIDTH = 0.75
"""Kernel width over sqrt(d): the default of `lime`'s own explainer of tables (lime_tabular.py)."""
_MOST_SIGNALS = 21_201
"""Dimensions that scipy has Sobol points for (scipy.stats.qmc.Sobol.MAXDIM)."""


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
        """Return sampled, for every score of numeric signals (at most 21,201)."""
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
        normal = scorable.background.numeric()
        center, scale = scorable.once("lime.scale", lambda: robust_scale(normal))
        deviation = np.nan_to_num(scaled(frame.numeric(), center, scale))
        library = _library(len(scale))
        lines = [
            self._line(library, scorable, frame.take(slice(i, i + 1)), scale, seed)
            for i, seed in enumerate(seeds)
        ]
        at_row = np.array([line.at_row for line in lines])
        slopes = np.array([line.slopes for line in lines]).reshape(deviation.shape)
        contributions = slopes * deviation
        base_value = at_row - contributions.sum(axis=1)
        return Attribution(
            contributions=contributions,
            base_value=base_value,
            label=Label.SAMPLED,
            method="lime",
            value_function="local slope times the deviation from the background's mean",
            additivity_error=additivity_error(contributions, base_value, scorable.score(frame)),
            fit_quality=np.array([line.quality for line in lines]),
        )

    def _points(self, d: int) -> int:
        return int(2 ** math.ceil(math.log2(max(self.samples, 4 * d))))

    def _line(
        self, library: Any, scorable: Scorable, row: Frame, scale: FloatArray, seed: np.uint64
    ) -> _Line:
        steps = _mirrored_normal(self._points(len(scale)), len(scale), seed)
        steps = np.concatenate([np.zeros((1, len(scale))), steps])  # `lime` wants the row first
        limit = np.finfo(np.float64).max
        around = np.clip(row.numeric() + steps * scale, -limit, limit)
        scores = scorable.score(row.take(np.zeros(len(steps), np.int64)).with_numeric(around))
        _, weights, quality, at_row = library.explain_instance_with_data(
            steps,
            scores[:, None],
            np.sqrt((steps**2).sum(axis=1)),
            label=0,
            num_features=len(scale),
            feature_selection="none",
            model_regressor=LocalLine(),
        )
        slopes = np.zeros(len(scale))
        for feature, slope in weights:
            slopes[feature] = slope
        return _Line(float(at_row[0]), slopes, float(quality))


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """Its value at the row, its slopes per normal deviation ``(d,)``, and its R²."""

    at_row: float
    slopes: FloatArray
    quality: float


def _mirrored_normal(count: int, d: int, seed: np.uint64) -> FloatArray:
    """Return ``count`` points of a standard normal law, the second half minus the first."""
    from scipy.stats import qmc  # takes a second to load

    rng = np.random.default_rng(int(seed))
    half = qmc.Sobol(d, rng=rng).random_base2(int(math.log2(count)) - 1)
    points = special.ndtri(np.clip(half, 1e-9, 1 - 1e-9))
    return np.concatenate([points, -points])


def _library(d: int) -> Any:
    """Return `lime` weighting points by ``exp(-distance² / (2 width²))``."""
    try:
        from lime.lime_base import LimeBase
    except ImportError as error:
        raise missing_extra("lime", "explain") from error
    width = _WIDTH * math.sqrt(d)
    return LimeBase(lambda distance: np.exp(-(distance**2) / (2 * width**2)), random_state=0)
