"""SHAP values of quadratic scores where absent features are expected from the present ones."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from clarion.arrays import FloatArray, Int64Array
from clarion.detectors import QuadraticForm
from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, Role, Scorable, Support
from clarion.frames import Frame
from clarion.kernels.conditional_quadratic import (
    gains_in_orders,
    ordered_factors,
    quadratic_functions,
    shapley_forms,
)
from clarion.kernels.shrunk_gaussian import shrunk_gaussian
from clarion.parameters import parameter
from clarion_explainers.decomposition import decomposition
from clarion_explainers.refusal import unsupported

CONDITIONAL = "conditional (Gaussian fitted to the background)"
"""Absent features follow the present ones as they do in the background's rows."""
_MOST_STEPS = 1 << 28
"""Of sets of players times cubed features: counting all sets takes a second, once."""
_MOST_CELLS = 1 << 22
"""Of the factors of all orders, 32 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalQuadratic:
    """Conditional SHAP values of a quadratic form of per-feature coordinates.

    What a set of features is worth is the mean score given their values, in the Gaussian whose mean
    and (shrunk) covariance are the background's: see `clarion.kernels.conditional_quadratic`. The
    base value is the mean score in that Gaussian. Unlike marginal SHAP values, a value that its
    fellows would lead one to expect gets little, and one that contradicts them much.

    With few players every set is counted: the values are exact, for this Gaussian. Otherwise they
    are means over random orders of the players, each with its reverse: they sum to the score in any
    order, but are estimates, with standard errors. The orders are always the same: what changes
    from row to row is the row.
    """

    role: ClassVar[Role] = Role.DECOMPOSITION

    exact_players: int = parameter(
        10, "Players up to which all sets are counted.", minimum=0, maximum=16
    )
    pairs: int = parameter(
        64, "Pairs of orders of more players, each with its reverse.", minimum=8, maximum=4096
    )

    def supports(self, scorable: Scorable) -> Support | None:
        """Return exact for few players, else sampled, without scoring more, for quadratic detectors.

        None for more than 128 features, with the default parameters.
        """
        fits = isinstance(scorable.capability, QuadraticForm)
        try:
            return self._support(scorable) if fits else None
        except UnsupportedPairError:
            return None

    def explain(
        self, scorable: Scorable, frame: Frame, *, evaluations: int, seeds: NDArray[np.uint64]
    ) -> Attribution:
        """Return conditional SHAP values; ``evaluations`` and ``seeds`` are not needed.

        Raises
        ------
        UnsupportedPairError
            The score is no quadratic form, or of too many features.
        """
        detector = scorable.capability
        if not isinstance(detector, QuadraticForm):
            raise unsupported(scorable, "conditional_quadratic", QuadraticForm)
        support = self._support(scorable)
        game = scorable.once("conditional.game", lambda: _Game.of(detector, scorable))
        deltas = (detector.coordinates(frame) - game.mean) / game.scale
        errors = None
        if support.label is Label.EXACT:
            values = self._counted(scorable, game, deltas)
        else:
            values, errors = self._sampled(scorable, game, deltas)
        return decomposition(
            scorable.score(frame),
            values,
            game.base_value,
            label=support.label,
            method="conditional_quadratic",
            value_function=CONDITIONAL,
            standard_error=errors,
        )

    def _support(self, scorable: Scorable) -> Support:
        players, d = scorable.n_players, len(scorable.background.signals)
        if players <= self.exact_players and 2**players * d**3 <= _MOST_STEPS:
            return Support(Label.EXACT, 0, by_name=True)
        most = math.isqrt(_MOST_CELLS // (4 * self.pairs))
        if d > most:
            raise UnsupportedPairError(
                f"conditional_quadratic takes at most {most} features with {self.pairs} pairs of "
                f"orders, and there are {d}; 'quadratic' takes any number",
                explainer="conditional_quadratic",
                features=d,
                most=most,
            )
        return Support(Label.SAMPLED, 0, by_name=True)

    def _counted(self, scorable: Scorable, game: _Game, deltas: FloatArray) -> FloatArray:
        forms = scorable.once(
            "conditional.forms",
            lambda: shapley_forms(game.covariance, game.matrix, game.shift, scorable.player_of),
        )
        return quadratic_functions(deltas, *forms)

    def _sampled(
        self, scorable: Scorable, game: _Game, deltas: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        orders, factors = scorable.once(
            f"conditional.orders.{self.pairs}", lambda: self._factors(scorable, game)
        )
        values = np.zeros((len(deltas), scorable.n_players))
        errors = np.zeros_like(values)
        for i, delta in enumerate(deltas):
            gains = gains_in_orders(delta, orders, *factors, scorable.player_of)
            by_pair = gains[: self.pairs] / 2 + gains[self.pairs :] / 2
            values[i] = by_pair.mean(axis=0)
            errors[i] = by_pair.std(axis=0, ddof=1) / np.sqrt(self.pairs)
        return values, errors

    def _factors(
        self, scorable: Scorable, game: _Game
    ) -> tuple[Int64Array, tuple[FloatArray, FloatArray, FloatArray]]:
        rng = np.random.default_rng(0)
        players = np.arange(scorable.n_players)
        drawn = [rng.permutation(players) for _ in range(self.pairs)]
        orders = np.array(
            [_features(order, scorable.player_of) for order in (*drawn, *(o[::-1] for o in drawn))]
        )
        return orders, ordered_factors(orders, game.covariance, game.matrix, game.shift)


def _features(order: Int64Array, player_of: Int64Array) -> Int64Array:
    """Return the features of players, one player's after the other's."""
    return np.concatenate([np.flatnonzero(player_of == player) for player in order])


@dataclass(frozen=True, slots=True, eq=False)
class _Game:
    """The form and the Gaussian, in standardised coordinates ``(u - mean) / scale``."""

    mean: FloatArray
    scale: FloatArray
    covariance: FloatArray
    matrix: FloatArray
    shift: FloatArray
    base_value: float

    @classmethod
    def of(cls, detector: QuadraticForm, scorable: Scorable) -> _Game:
        form = detector.quadratic()
        points = np.ascontiguousarray(detector.coordinates(scorable.background))
        mean, scale, covariance = shrunk_gaussian(points)
        matrix = form.matrix * scale * scale[:, None]
        shift = (mean - form.center) / scale
        base = form.offset + (matrix * (np.outer(shift, shift) + covariance)).sum()
        return cls(mean, scale, covariance, matrix, shift, float(base))
