"""Recipes for ``auto``: which line of extractors and detector suits which rows.

Each says when it suits; of those that do, the lowest priority is the default, and the others must
beat it on injected anomalies. The defaults are what won, by kind of data, among the lines compared
on public sets (SCIENCE 6; ``make bench SUITE=detection`` measures them).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from clarion.pipeline.spec import Step
from clarion.recipes import Facts, Line
from clarion_detectors.lag_quadratic import MAX_CELLS

_ENOUGH_INCIDENTS = 50
_SHORT_HISTORY = 1_000
"""Rows of an asset below which sensors wander beyond what was seen of them."""
_FEWEST_WINDOWS = 200
_FEW_LAGS = 3
_SUBSEQUENCE = 50
_FEWEST_SUBSEQUENCES = 10 * _SUBSEQUENCE
"""Ten rows for each cell of a subsequence, so that their subspace is not one of chance."""


@dataclass(frozen=True, slots=True)
class KnownIncidents:
    """Boosted trees over the signals and unsupervised scores, where 50 anomalous rows are known."""

    priority: ClassVar[int] = 10

    def line(self, facts: Facts) -> Line | None:
        """Return the detector that learns from labels."""
        enough = facts.anomalies >= _ENOUGH_INCIDENTS
        return Line(Step("boosted_scores")) if enough else None


@dataclass(frozen=True, slots=True)
class ShortSensors:
    """Several sensors in time order, seen for a short time: forecast errors follow the level."""

    priority: ClassVar[int] = 20

    def line(self, facts: Facts) -> Line | None:
        """Return a vector autoregression over three rows."""
        if not facts.ordered or facts.numeric < 2 or facts.coded:
            return None
        fits = (_FEW_LAGS + 1) * facts.numeric <= MAX_CELLS
        suits = _FEWEST_WINDOWS <= facts.longest < _SHORT_HISTORY and fits
        return Line(Step("var", {"lags": _FEW_LAGS})) if suits else None


@dataclass(frozen=True, slots=True)
class Sensors:
    """Several sensors in time order: what lasts, seen by the last rows, and what has just begun."""

    priority: ClassVar[int] = 30

    def line(self, facts: Facts) -> Line | None:
        """Return distance and neighbours over trailing windows, and distance over the newest row."""
        if not _followed(facts) or facts.numeric < 2:
            return None
        lasting, newest = ["mean", "sd", "slope"], ["last", "change"]
        windows = Step("window_statistics", {"window": 10, "statistics": lasting + newest})
        members = [
            _member("mahalanobis", lasting),
            _member("knn", lasting),
            _member("mahalanobis", newest),
        ]
        return Line(Step("ensemble", {"members": members}), (windows,))


@dataclass(frozen=True, slots=True)
class OneSignal:
    """One signal in time order: the subspace of its windows."""

    priority: ClassVar[int] = 40

    def line(self, facts: Facts) -> Line | None:
        """Return a principal component analysis of windows of 50 rows."""
        suits = _followed(facts) and facts.numeric == 1 and not facts.coded
        return (
            Line(Step("sub_pca", {"window": _SUBSEQUENCE, "error_weight": 0.5})) if suits else None
        )


@dataclass(frozen=True, slots=True)
class Flows:
    """Rows with words among numbers, such as network flows: rare words, sizes by their logarithm."""

    priority: ClassVar[int] = 50

    def line(self, facts: Facts) -> Line | None:
        """Return distance and neighbours over logarithms and the words' rarity."""
        if not facts.coded:
            return None
        features = (Step("encode", {"method": "frequency"}), Step("signed_log"))
        return Line(_together("mahalanobis", "knn"), features)


@dataclass(frozen=True, slots=True)
class Vetted:
    """Rows known to be normal, each for itself: nearest neighbours."""

    priority: ClassVar[int] = 60

    def line(self, facts: Facts) -> Line | None:
        """Return the five nearest neighbours."""
        suits = facts.vetted and not _followed(facts)
        return Line(Step("knn")) if suits else None


@dataclass(frozen=True, slots=True)
class Unvetted:
    """Rows that nobody has vetted, each for itself: neighbours in many small samples.

    In a small sample an anomaly is alone.
    """

    priority: ClassVar[int] = 70

    def line(self, facts: Facts) -> Line | None:
        """Return the nearest row of each of 50 small samples; it suits whatever no other does."""
        if _followed(facts):
            return None
        small = {"neighbours": 1, "bags": 50, "max_reference_rows": 64}
        return Line(Step("bagged_knn", small))


def _followed(facts: Facts) -> bool:
    """Return whether some asset was followed for so long that a row is judged by those before it.

    What scores each row for itself is then no candidate: on injected anomalies, which leave the
    range of a signal, it may win, and it is blind to a usual value at an unusual time.
    """
    alone = facts.numeric == 1 and not facts.coded
    enough = facts.longest >= (_FEWEST_SUBSEQUENCES if alone else _SHORT_HISTORY)
    return facts.ordered and facts.numeric > 0 and enough


def _member(plugin: str, statistics: list[str]) -> dict[str, Any]:
    return {"plugin": plugin, "signals": [f"*.{statistic}" for statistic in statistics]}


def _together(*members: str) -> Step:
    return Step("ensemble", {"members": [{"plugin": name, "parameters": {}} for name in members]})
