"""The explain step: rows of features to attributions by feature and by raw signal."""

from __future__ import annotations

from dataclasses import dataclass

from clarion.arrays import FloatArray
from clarion.errors import BudgetExceededError, UnsupportedPairError
from clarion.explainers import Attribution, Role, Scorable
from clarion.explaining import ladder
from clarion.explaining.pull_back import Origins, by_signal
from clarion.explaining.values import seeds
from clarion.frames import Frame
from clarion.pipeline.answer import DEFAULT_EVALUATIONS, ExplainedRows, ExplanationPolicy
from clarion.registry import Registries


@dataclass(frozen=True, slots=True, eq=False)
class Reasons:
    """Why rows have their scores.

    Attributes
    ----------
    by_feature, by_signal
        The decomposition over the detector's features, and over the raw signals.
    cross_checks
        By signal, with each explainer's name.
    """

    by_feature: Attribution
    by_signal: Attribution
    cross_checks: tuple[tuple[str, Attribution], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Reasoner:
    """Explains what one model scored."""

    scorable: Scorable
    rungs: list[ladder.Rung]
    registries: Registries
    origins: Origins
    digest: str

    def reasons(
        self, features: Frame, scores: FloatArray, policy: ExplanationPolicy
    ) -> Reasons | None:
        """Explain the rows of ``features``; None where there are none, or nothing fits and may not.

        What cannot be done is refused without any row to explain too: a stream is told when it
        opens, not by its first anomaly.

        Raises
        ------
        BudgetExceededError, UnsupportedPairError, PluginNotFoundError
            No explainer can do what ``policy`` asks, and it does not allow to go without.
        """
        if policy.rows is ExplainedRows.NONE:
            return None
        try:
            _require_numbers(features)
            rung = self.rung(policy)
            checks = [self._named(name, Role.CROSS_CHECK, policy) for name in policy.cross_checks]
            if not len(features):
                return None
            drawn = seeds(self.digest, features)
            answers = [
                ladder.explain(
                    each, self.scorable, features, evaluations_allowed(policy, each), drawn
                )
                for each in (rung, *checks)
            ]
        except (BudgetExceededError, UnsupportedPairError):
            if policy.allow_unexplained:
                return None
            raise
        by_signals = [by_signal(a, scores, self.origins, self.scorable.capability) for a in answers]
        names = (check.name for check in checks)
        return Reasons(answers[0], by_signals[0], tuple(zip(names, by_signals[1:], strict=True)))

    def rung(self, policy: ExplanationPolicy) -> ladder.Rung:
        """Return the explainer that ``policy`` names, or the best one within its budget.

        Raises
        ------
        BudgetExceededError, UnsupportedPairError, PluginNotFoundError
            There is none.
        """
        if policy.explainer:
            return self._named(policy.explainer, Role.DECOMPOSITION, policy)
        return ladder.best(self.rungs, evaluations_allowed(policy, *self.rungs))

    def _named(self, name: str, role: Role, policy: ExplanationPolicy) -> ladder.Rung:
        rung = ladder.named(self.scorable, self.registries, name, role)
        return ladder.within(rung, evaluations_allowed(policy, rung))


def evaluations_allowed(policy: ExplanationPolicy, *rungs: ladder.Rung) -> int:
    """Return the evaluations allowed: unless said, always enough for the cheapest of ``rungs``."""
    if policy.max_evaluations is not None:
        return policy.max_evaluations
    cheapest = min((rung.support.evaluations for rung in rungs), default=0)
    return max(DEFAULT_EVALUATIONS, cheapest)


def _require_numbers(features: Frame) -> None:
    for signal in features.of_kind(numeric=False):
        raise UnsupportedPairError(
            f"'{signal.name}' reaches the detector as {signal.kind.value}, and no explainer takes "
            "that; put the extractor 'encode' in the pipeline, or allow answers without explanations",
            field="policy.rows",
            signal=signal.name,
        )
