"""SHAP values of quadratic scores: Mahalanobis, PCA residuals, autoregressive residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray
from clarion.detectors import Quadratic, QuadraticForm
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion.kernels.quadratic_shap import background_moments, quadratic_shap
from clarion_explainers.decomposition import decomposition
from clarion_explainers.refusal import unsupported


@dataclass(frozen=True, slots=True, kw_only=True)
class QuadraticShap:
    """Exact SHAP values of a quadratic form of per-feature coordinates, in O(d²) a row.

    Only mean and covariance of the background matter, so its size costs nothing a row; the
    equation is in `clarion.kernels.quadratic_shap`. The game has pairwise interactions at most, and
    those within a player of several features are shared between its own: so the sum of theirs is
    the player's SHAP value.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    def supports(self, scorable: Scorable) -> Support | None:
        """Return exact, without scoring more, for quadratic detectors."""
        fits = isinstance(scorable.capability, QuadraticForm)
        return Support(Label.EXACT, 0) if fits else None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return exact SHAP values; ``evaluations`` and ``seeds`` are not needed.

        Raises
        ------
        UnsupportedPairError
            The score is no quadratic form.
        """
        detector = scorable.capability
        if not isinstance(detector, QuadraticForm):
            raise unsupported(scorable, "quadratic", QuadraticForm)
        prepared = scorable.once("quadratic.moments", lambda: _prepare(detector, scorable))
        form, mean, spread = prepared
        contributions = quadratic_shap(
            np.ascontiguousarray(detector.coordinates(frame)),
            form.center,
            form.matrix,
            mean,
            spread,
        )
        return decomposition(
            scorable.score(frame),
            scorable.by_player(contributions),
            scorable.mean_score(),
            label=Label.EXACT,
            method="quadratic",
        )

    def interactions(self, scorable: Scorable, frame: Frame) -> FloatArray:
        """Return ``2 A_ij ((x - m)_i (x - m)_j + C_ij)``, summed over the features of each player.

        ``m`` and ``C`` (divided by their number) are the background's moments; what any two players
        add beyond each alone, for the game has no interactions of three. Shape ``(n, k, k)``.

        Raises
        ------
        UnsupportedPairError
            The score is no quadratic form.
        """
        detector = scorable.capability
        if not isinstance(detector, QuadraticForm):
            raise unsupported(scorable, "quadratic", QuadraticForm)
        matrix = 2.0 * detector.quadratic().matrix
        normal = detector.coordinates(scorable.background)
        mean, covariance = normal.mean(axis=0), np.cov(normal, rowvar=False, bias=True)
        k, player = scorable.n_players, scorable.player_of
        out = np.zeros((len(frame), k, k))
        for pairs, row in zip(out, detector.coordinates(frame) - mean, strict=True):
            np.add.at(pairs, (player[:, None], player), matrix * (np.outer(row, row) + covariance))
            np.fill_diagonal(pairs, 0.0)
        return out


def _prepare(
    detector: QuadraticForm, scorable: Scorable
) -> tuple[Quadratic, FloatArray, FloatArray]:
    form = detector.quadratic()
    points = np.ascontiguousarray(detector.coordinates(scorable.background))
    mean, spread = background_moments(points, form.matrix)
    return form, mean, spread
