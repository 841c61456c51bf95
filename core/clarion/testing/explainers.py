"""Laws of explainers: attributions that add up, are what they claim, and name the culprit."""

from __future__ import annotations

from functools import partial

import numpy as np

from clarion.arrays import FloatArray
from clarion.errors import UnsupportedPairError
from clarion.explainers import Attribution, Label, Role, additivity_error
from clarion.frames import Frame
from clarion.testing import faithfulness, plugins
from clarion.testing.errors import Check, law, refusal, require
from clarion.testing.subjects import (
    TOLERANCE,
    ExplainerCase,
    Subject,
    evaluations_of,
    seeds_of,
)
from clarion.testing.threads import in_threads


@law
def check_supports_and_explain_agree(case: ExplainerCase) -> None:
    """It explains what it supports, with the label it said, and refuses the rest."""
    supported = {subject.name: support for subject, support in case.supported}
    for subject in case.subjects:
        support = supported.get(subject.name)
        if support is None:
            explain = partial(case.explain, subject, subject.frame, seeds_of(subject.frame))
            refusal(f"{subject.name}, not supported,", explain, UnsupportedPairError)
        else:
            label = case.attribution(subject).label
            require(label is support.label, f"{subject.name}: {label}, announced {support.label}")


@law
def check_attributions_are_well_formed(case: ExplainerCase) -> None:
    """Contributions are finite, one a feature and row, also of huge rows and of none."""
    for subject, attribution in case.attributions():
        _require_arrays(subject.name, attribution, subject.frame)
    subject, none = case.supported[0][0], case.supported[0][0].frame.take(slice(0, 0))
    _require_arrays("an empty frame", case.explain(subject, none, seeds_of(none)), none)


def _require_arrays(what: str, attribution: Attribution, frame: Frame) -> None:
    n, d = len(frame), len(frame.signals)
    require(attribution.method, f"{what}: the attribution names no method")
    require(attribution.value_function, f"{what}: the attribution names no value function")
    shapes = {"contributions": (n, d), "base_value": (n,), "additivity_error": (n,)}
    shapes |= {"standard_error": (n, d)} if attribution.standard_error is not None else {}
    shapes |= {"fit_quality": (n,)} if attribution.fit_quality is not None else {}
    shapes |= {"interval": (n, d, 2)} if attribution.interval is not None else {}
    for name, shape in shapes.items():
        array = getattr(attribution, name)
        require(
            array.dtype == np.float64 and array.shape == shape,
            f"{what}: {name} is {array.dtype} of shape {array.shape}, not float64 of {shape}",
        )
        bad = np.argwhere(~np.isfinite(array))
        require(not len(bad), f"{what}: {name} is not finite at {bad[:1].tolist()}")


@law
def check_contributions_add_up(case: ExplainerCase) -> None:
    """Base value and contributions make the score, for exact and additive answers."""
    for subject, attribution in case.attributions():
        if case.plugin.role is Role.DECOMPOSITION and attribution.label is not Label.SAMPLED:
            error = _additivity(subject, attribution)
            worst = int(np.argmax(error))
            require(
                error[worst] <= TOLERANCE,
                f"{subject.name}: base value and contributions of row {worst} miss the score by "
                f"{error[worst]:.3g} (scaled; allowed {TOLERANCE:g})",
            )


@law
def check_additivity_error_is_honest(case: ExplainerCase) -> None:
    """The additivity error that it reports is the one that it has."""
    for subject, attribution in case.attributions():
        gap = np.abs(_additivity(subject, attribution) - attribution.additivity_error)
        worst = int(np.argmax(gap))
        require(
            gap[worst] <= TOLERANCE,
            f"{subject.name}: row {worst} reports {attribution.additivity_error[worst]:.3g}, it "
            f"is {_additivity(subject, attribution)[worst]:.3g}",
        )


def _additivity(subject: Subject, attribution: Attribution) -> FloatArray:
    scores = subject.scorable.score(subject.frame)
    return additivity_error(attribution.contributions, attribution.base_value, scores)


@law
def check_rows_are_explained_alone(case: ExplainerCase) -> None:
    """A row's contributions have the same bytes alone, in reverse, and asked a second time."""
    for subject, _ in case.supported[:2]:
        seeds, wanted = seeds_of(subject.frame), case.attribution(subject)
        every = np.arange(len(seeds))
        for rows in (every, every[::-1], *(every[i : i + 1] for i in every)):
            got = case.explain(subject.again(), subject.frame.take(rows), seeds[rows])
            _require_same(f"{subject.name}: asked for the rows {rows} only", wanted, got, rows)


@law
def check_threads_explain_alike(case: ExplainerCase) -> None:
    """One explainer and one scorable give eight threads what they give one."""
    for subject, _ in case.supported[:2]:
        shared, seeds = subject.again(), seeds_of(subject.frame)
        parts = [slice(i % 3, i % 3 + 1) for i in range(8)]
        asked = [
            partial(case.explain, shared, subject.frame.take(part), seeds[part]) for part in parts
        ]
        alone = [explain() for explain in asked[:3]]
        for i, got in enumerate(in_threads(asked)):
            what = f"{subject.name}: asked by eight threads at once"
            _require_same(what, alone[i % 3], got, slice(None))


def _require_same(what: str, wanted: Attribution, got: Attribution, rows: object) -> None:
    for name in ("contributions", "base_value", "standard_error", "fit_quality", "interval"):
        one, other = getattr(wanted, name), getattr(got, name)
        same = (one is None and other is None) or one[rows].tobytes() == other.tobytes()
        require(
            same, f"{what}, {name} changes from {None if one is None else one[rows]} to {other}"
        )


@law
def check_evaluations_are_kept(case: ExplainerCase) -> None:
    """It scores no more rows than it may; free are the background, and the rows twice."""
    for subject, support in case.supported:
        scored = case.rows_scored(subject)
        allowed = len(subject.frame) * evaluations_of(support)
        free = 2 * len(subject.frame) + len(subject.scorable.background)
        require(
            scored <= allowed + free,
            f"{subject.name}: {scored} rows were scored, {allowed} + {free} are allowed",
        )


def explainer_checks() -> tuple[Check[ExplainerCase], ...]:
    """Return the laws of explainers of both roles."""
    return (
        plugins.check_parameters_are_described,
        check_supports_and_explain_agree,
        check_attributions_are_well_formed,
        check_contributions_add_up,
        check_additivity_error_is_honest,
        check_rows_are_explained_alone,
        check_threads_explain_alike,
        check_evaluations_are_kept,
        faithfulness.check_exact_is_shapley,
        faithfulness.check_standard_errors_are_honest,
        faithfulness.check_fit_quality_is_given,
        faithfulness.check_culprit_is_named,
        faithfulness.check_ignored_signal_gets_nothing,
    )
