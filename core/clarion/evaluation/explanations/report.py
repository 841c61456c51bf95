"""What judging a model's explanations found; a figure that is not defined is NaN."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from clarion.evaluation.explanations.injected import InjectedFigures
from clarion.evaluation.explanations.located import Located
from clarion.evaluation.explanations.removal import Removal
from clarion.evaluation.explanations.sanity import Sanity
from clarion.evaluation.explanations.stability import Stability
from clarion.evaluation.figures import defined


@dataclass(frozen=True, slots=True)
class Order:
    """An order of signals, by name, and what removing signals in it does."""

    name: str
    removal: Removal


@dataclass(frozen=True, slots=True)
class Counterfactuals:
    """What clears alarms: how many signals, and whether it does.

    Attributes
    ----------
    found_share
        Share of the alarms judged for which a clearing set was found, in [0, 1].
    median_size, mean_size
        Signals in a set, over the sets found.
    validity
        Share of the sets found whose re-scored row is below the threshold: 1, or something is wrong.
    """

    found_share: float
    median_size: float
    mean_size: float
    validity: float


@dataclass(frozen=True, slots=True)
class ExplanationReport:
    """How far the explanations of one model can be trusted.

    Attributes
    ----------
    method, label, value_function
        The explainer judged, and how its answers are labelled.
    rows
        Alarms (and, where there are few, the highest scores) that were explained and judged.
    additivity_error
        Largest scaled gap between base value + contributions and the score.
    enumeration_error
        Largest scaled error to Shapley values by enumeration; NaN with more than ten players.
    orders
        Deletion and insertion, for the order of contributions, that of the signal ranking, of |z|
        and a random one.
    effective_signals
        exp of the entropy of the shares of |contribution|, median: few is easy to read.
    seconds_p50, seconds_p99
        To explain one row alone: its contributions only.
    located
        Signal rankings against the signals blamed by the caller; empty without any.
    injected
        The same on anomalies injected into normal rows, each kind; empty where none has room.
    notes
        Why figures are missing.
    """

    method: str
    label: str
    value_function: str
    rows: int
    additivity_error: float
    enumeration_error: float
    orders: tuple[Order, ...]
    counterfactuals: Counterfactuals
    stability: Stability
    sanity: Sanity
    effective_signals: float
    seconds_p50: float
    seconds_p99: float
    located: tuple[Located, ...]
    injected: tuple[InjectedFigures, ...]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON values; what is not defined is null."""
        made: dict[str, Any] = _finite(asdict(self))
        return made


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return defined(value) if isinstance(value, float) else value
