"""Laws of explainers, compared with the truth: enumeration, planted culprits, ignored signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from clarion.arrays import FloatArray
from clarion.explainers import Attribution, Label, Role
from clarion.testing import games
from clarion.testing.errors import ContractError, law, require
from clarion.testing.subjects import (
    CALM,
    CULPRIT,
    HUGE,
    SPIKE,
    TOLERANCE,
    ExplainerCase,
    Subject,
    seeds_of,
)

_RELIABLE_FIT = 0.5
_FARTHEST = 8.0  # standard errors
_UNNOTICED = 1e-5
"""Share of all contributions by which a sampled one may be off: of few samples of next to nothing
the standard error is itself a guess."""


@law
def check_exact_is_shapley(case: ExplainerCase) -> None:
    """An exact answer equals the Shapley values found by enumeration, up to 8 features.

    Of players of several features too. An explainer that gives a value a feature all the same knows
    no players, and may: their sums are then called additive.
    """
    for subject, attribution in case.attributions():
        if attribution.label is Label.EXACT and _few(subject):
            _require_shapley(subject, attribution, subject.frame.names)
            _require_players(case, subject)


def _require_players(case: ExplainerCase, subject: Subject) -> None:
    d = len(subject.frame.signals)
    players = replace(subject.scorable, players=np.arange(d) % 2)
    support = case.plugin.supports(players)
    if d > 2 and support is not None and support.label is Label.EXACT:
        grouped = replace(subject, scorable=players)
        answer = case.explain(grouped, subject.frame, seeds_of(subject.frame))
        if answer.contributions.shape[1] == 2:
            _require_shapley(grouped, answer, ("player 0", "player 1"))


def _require_shapley(subject: Subject, attribution: Attribution, names: Sequence[str]) -> None:
    for row in range(HUGE):
        worth = _worth(subject, attribution, row)
        got = np.array([*attribution.contributions[row], attribution.base_value[row]])
        wanted = np.array([*games.shapley_values(worth), worth[0]])
        size = max(1.0, abs(worth[-1]), float(np.abs(wanted[:-1]).sum()))
        worst = int(np.argmax(np.abs(got - wanted)))
        require(
            abs(got[worst] - wanted[worst]) <= TOLERANCE * size,
            f"{subject.name}: '{(*names, 'the base value')[worst]}' of row {row} is "
            f"{got[worst]:.9g}, by enumeration {wanted[worst]:.9g}",
        )


def _few(subject: Subject) -> bool:
    return len(subject.frame.signals) <= games.MOST_FEATURES


def _worth(subject: Subject, attribution: Attribution, row: int) -> FloatArray:
    """Return the worth of each set of features, in the game that the attribution names."""
    one = subject.frame.take(slice(row, row + 1))
    return games.worth(subject.scorable, attribution.value_function, one)


@law
def check_standard_errors_are_honest(case: ExplainerCase) -> None:
    """Sampled decompositions have standard errors, and the truth is within eight of them."""
    for subject, attribution in case.attributions():
        if case.plugin.role is Role.DECOMPOSITION and attribution.label is Label.SAMPLED:
            if attribution.standard_error is None:
                raise ContractError(f"{subject.name}: sampled, without standard errors")
            if _few(subject):
                _require_within(subject, attribution, attribution.standard_error)


def _require_within(subject: Subject, attribution: Attribution, error: FloatArray) -> None:
    for row in range(HUGE):
        wanted = games.shapley_values(_worth(subject, attribution, row))
        off = np.abs(attribution.contributions[row] - wanted)
        unnoticed = max(TOLERANCE, _UNNOTICED * float(np.abs(wanted).sum()))
        worst = int(np.argmax(off - _FARTHEST * error[row]))
        require(
            off[worst] <= _FARTHEST * error[row, worst] + unnoticed,
            f"{subject.name}: '{subject.frame.names[worst]}' of row {row} is off by "
            f"{off[worst]:.4g}, its standard error is {error[row, worst]:.4g}",
        )


@law
def check_fit_quality_is_given(case: ExplainerCase) -> None:
    """A cross-check, and only it, says how well it fits: an R² of at most 1."""
    for subject, attribution in case.attributions():
        quality = attribution.fit_quality
        require(
            (quality is not None) == (case.plugin.role is Role.CROSS_CHECK),
            f"{subject.name}: a {case.plugin.role} with the fit quality {quality}",
        )
        if quality is not None:
            require((quality <= 1).all(), f"{subject.name}: an R² of {quality.max()} exceeds 1")


@law
def check_culprit_is_named(case: ExplainerCase) -> None:
    """The one signal that left normal gets the largest contribution, where the fit is reliable.

    A supervised detector may have learned that it takes more than one signal: where the score does
    not rise, there is no culprit.
    """
    for subject, attribution in case.attributions():
        scores = subject.scorable.score(subject.frame)
        if _reliable(attribution, CULPRIT) and scores[CULPRIT] > scores[CALM]:
            values, names = attribution.contributions[CULPRIT], subject.frame.names
            first, culprit = int(np.argmax(values)), subject.culprits[0]
            require(
                first in subject.culprits,
                f"{subject.name}: '{names[culprit]}' is the culprit and gets "
                f"{values[culprit]:.6g}, but '{names[first]}' gets {values[first]:.6g}",
            )


@law
def check_ignored_signal_gets_nothing(case: ExplainerCase) -> None:
    """A signal that the detector ignores gets 0; from a cross-check, a hundredth of the largest."""
    allowed = TOLERANCE if case.plugin.role is Role.DECOMPOSITION else 0.01
    for subject, attribution in case.attributions():
        for row in (SPIKE, CULPRIT) if subject.dummy is not None else ():
            values = np.abs(attribution.contributions[row])
            require(
                not _reliable(attribution, row) or values[subject.dummy] <= allowed * values.max(),
                f"{subject.name}: '{subject.frame.names[subject.dummy or 0]}' is ignored, but gets "
                f"{values[subject.dummy]:.6g} in row {row}",
            )


def _reliable(attribution: Attribution, row: int) -> bool:
    quality = attribution.fit_quality
    return quality is None or bool(quality[row] >= _RELIABLE_FIT)
