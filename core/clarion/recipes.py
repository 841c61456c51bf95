"""Contract of recipes: which pipeline suits which rows, for the detector name ``auto``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from clarion.arrays import BoolArray
from clarion.features import rows_by_asset
from clarion.frames import Frame
from clarion.pipeline.spec import Step


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the rows before a fit.

    Attributes
    ----------
    rows, numeric, coded
        How many rows, numeric signals and other signals there are.
    ordered
        Whether each asset's rows are in time order.
    vetted
        Whether labels say which rows are normal; else anomalies may hide among them.
    anomalies
        Rows known to be anomalous.
    longest
        Rows of the asset that has the most.
    """

    rows: int
    numeric: int
    coded: int
    ordered: bool
    vetted: bool
    anomalies: int
    longest: int

    @classmethod
    def of(cls, frame: Frame, labels: BoolArray | None, *, ordered: bool) -> Facts:
        """Return the facts of ``frame``; ``labels`` (n,) are True for known anomalies."""
        numeric = len(frame.of_kind(numeric=True))
        return cls(
            rows=len(frame),
            numeric=numeric,
            coded=len(frame.signals) - numeric,
            ordered=ordered,
            vetted=labels is not None,
            anomalies=0 if labels is None else int(labels.sum()),
            longest=max((len(rows) for rows in rows_by_asset(frame)), default=0),
        )


@dataclass(frozen=True, slots=True)
class Line:
    """Extractors in order, and a detector."""

    detector: Step
    features: tuple[Step, ...] = ()


class Recipe(Protocol):
    """A frozen dataclass without parameters.

    Of the recipes that suit, the one of the lowest ``priority`` is the default; the others have to
    beat it on injected anomalies.
    """

    priority: ClassVar[int]

    def line(self, facts: Facts) -> Line | None:
        """Return the pipeline for such rows; None where it does not suit them."""
        ...
