"""The ladder: which explainer, at what cost; and whether its answer may be believed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from clarion.errors import (
    BudgetExceededError,
    ClarionError,
    PluginError,
    UnsupportedPairError,
)
from clarion.explainers import (
    Attribution,
    Explainer,
    Label,
    Role,
    Scorable,
    Support,
    additivity_error,
)
from clarion.frames import Frame
from clarion.pipeline.guard import are_finite, plugin_errors
from clarion.registry import Registries

_log = logging.getLogger(__name__)

ADDITIVITY_TOLERANCE = 1e-9
"""Largest scaled additivity error of an `exact` or `additive` answer (DESIGN 1)."""


@dataclass(frozen=True, slots=True, eq=False)
class Rung:
    """An explainer that supports a scorable."""

    name: str
    explainer: Explainer
    support: Support


def rungs(scorable: Scorable, registries: Registries, role: Role) -> list[Rung]:
    """Return every explainer of that role that supports ``scorable``, best first.

    Better is the better label, then fewer evaluations, then the name; last come those that answer
    another question. A plugin that fails to say is passed over, with a line in the log: it must not
    take the others' explanations away.
    """
    found = []
    for entry in registries.explainers:
        try:
            found.append(_rung(scorable, registries, entry.name, role))
        except ClarionError as error:
            _log.warning("explainer passed over", extra={"plugin": entry.name, "error": str(error)})
    able = [rung for rung in found if rung is not None]
    return sorted(able, key=_place)


def named(scorable: Scorable, registries: Registries, name: str, role: Role) -> Rung:
    """Return the explainer asked for by name.

    Raises
    ------
    PluginNotFoundError
        No such explainer.
    UnsupportedPairError
        It is of another role, or cannot explain this detector; those that can are named.
    """
    rung = _rung(scorable, registries, name, role)
    if rung is None:
        able = ", ".join(rung.name for rung in rungs(scorable, registries, role)) or "none"
        raise UnsupportedPairError(
            f"the explainer '{name}' cannot give a {role.value.replace('_', '-')} of this "
            f"detector; those that can: {able}",
            field="policy.explainer" if role is Role.DECOMPOSITION else "policy.cross_checks",
            explainer=name,
            supported=able,
        )
    return rung


def best(able: Sequence[Rung], evaluations: int) -> Rung:
    """Return the first of `rungs` that fits ``evaluations`` rows scored for each row explained.

    Raises
    ------
    BudgetExceededError
        None fits; the cheapest and its cost are named.
    UnsupportedPairError
        No explainer supports this detector at all.
    """
    if not able:
        raise UnsupportedPairError("no loaded explainer can explain this detector")
    for rung in able:
        if rung.support.evaluations <= evaluations:
            return rung
    cheapest = min(able, key=lambda rung: rung.support.evaluations)
    raise BudgetExceededError(
        f"{evaluations} evaluations a row are too few for any explainer of this detector; "
        f"the cheapest, '{cheapest.name}', needs {cheapest.support.evaluations}",
        field="policy.max_evaluations",
        explainer=cheapest.name,
        needed=cheapest.support.evaluations,
    )


def within(rung: Rung, evaluations: int) -> Rung:
    """Return ``rung`` if it fits ``evaluations``, else raise BudgetExceededError."""
    if rung.support.evaluations > evaluations:
        raise BudgetExceededError(
            f"the explainer '{rung.name}' needs {rung.support.evaluations} evaluations a row, "
            f"more than the {evaluations} allowed",
            field="policy.max_evaluations",
            explainer=rung.name,
            needed=rung.support.evaluations,
        )
    return rung


def explain(
    rung: Rung, scorable: Scorable, frame: Frame, evaluations: int, seeds: NDArray[np.uint64]
) -> Attribution:
    """Explain the rows of ``frame``; refuse an answer that does not add up.

    Raises
    ------
    BudgetExceededError
        The explainer needs more than ``evaluations``.
    PluginError
        It raised, or returned a wrong shape, or sums that miss the score; it is named.
    """
    within(rung, evaluations)
    with plugin_errors("explainers", rung.name, "explaining"):
        answer = rung.explainer.explain(scorable, frame, evaluations=evaluations, seeds=seeds)
    believed = _grouped(_well_formed(answer, scorable, len(frame), rung), scorable)
    if rung.explainer.role is Role.DECOMPOSITION and believed.label is not Label.SAMPLED:
        _check_sums(believed, scorable, frame, rung.name)
    return believed


def _place(rung: Rung) -> tuple[bool, int, int, str]:
    support = rung.support
    return support.by_name, support.label.rank, support.evaluations, rung.name


def _rung(scorable: Scorable, registries: Registries, name: str, role: Role) -> Rung | None:
    with plugin_errors("explainers", name, "saying what it supports"):
        explainer: Explainer = registries.explainers.build(name, {})
        support = explainer.supports(scorable) if explainer.role is role else None
    if support is None:
        return None
    if not isinstance(support, Support):
        raise _refused(name, f"{type(support).__name__} where it was asked what it supports")
    return Rung(name, explainer, support)


def _well_formed(answer: object, scorable: Scorable, rows: int, rung: Rung) -> Attribution:
    """Return an explainer's answer if its arrays are finite and of the right shapes."""
    if not (isinstance(answer, Attribution) and isinstance(answer.label, Label)):
        raise _refused(rung.name, "no attribution")
    alone = np.shape(answer.contributions) == (rows, len(scorable.background.signals))
    each = (rows, len(scorable.background.signals) if alone else scorable.n_players)
    decomposes = rung.explainer.role is Role.DECOMPOSITION
    arrays: list[tuple[str, object, tuple[int, ...]]] = [
        ("contributions", answer.contributions, each),
        ("base values", answer.base_value, (rows,)),
    ]
    if answer.standard_error is not None or (decomposes and answer.label is Label.SAMPLED):
        arrays.append(("standard errors", answer.standard_error, each))
    if not decomposes:
        arrays.append(("fit qualities", answer.fit_quality, (rows,)))
    if answer.interval is not None:
        arrays.append(("intervals", answer.interval, (*each, 2)))
    for field, array, shape in arrays:
        if not are_finite(array, shape):
            raise _refused(rung.name, f"{field} that are not finite float64 of shape {shape}")
    if answer.interval is not None and np.any(answer.interval[:, :, 0] > answer.interval[:, :, 1]):
        raise _refused(rung.name, "intervals whose lower end is above the upper one")
    return answer


def _grouped(answer: Attribution, scorable: Scorable) -> Attribution:
    """Return the sums over each player's features, where an explainer gave one value a feature.

    One that knows nothing of players is not refused; but sums of exact values are not the players'
    own in every game (SCIENCE 1, "Grouping"), so they are called additive.
    """
    if answer.contributions.shape[1] == scorable.n_players:
        return answer
    errors, ends = answer.standard_error, answer.interval
    if ends is not None:
        ends = np.stack([scorable.by_player(ends[:, :, end]) for end in range(2)], axis=2)
    return replace(
        answer,
        contributions=scorable.by_player(answer.contributions),
        label=Label.ADDITIVE if answer.label is Label.EXACT else answer.label,
        standard_error=None if errors is None else scorable.by_player(errors),
        interval=ends,
    )


def _check_sums(answer: Attribution, scorable: Scorable, frame: Frame, name: str) -> None:
    scores = scorable.score(frame)
    gap = additivity_error(answer.contributions, answer.base_value, scores)
    if not (gap <= ADDITIVITY_TOLERANCE).all():
        raise _refused(
            name,
            f"contributions that miss the score by {gap.max():.1e} (scaled; allowed "
            f"{ADDITIVITY_TOLERANCE:.0e})",
        )


def _refused(name: str, returned: str) -> PluginError:
    return PluginError(
        f"the explainer '{name}' returned {returned}; its answer is refused",
        plugin=name,
        family="explainers",
    )
