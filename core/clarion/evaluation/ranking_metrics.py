"""How well a ranking of signals finds those known to be sick.

HitRate@P%: Su et al. (2019), OmniAnomaly, KDD, section 4.3; NDCG: Järvelin & Kekäläinen (2002), ACM
TOIS 20(4), with the gain 1 for a sick signal; RC-Top-k: Garg et al. (2021), IEEE TNNLS 33(6), section
IV. All are shares in [0, 1] of one segment (or row); what a random ranking gets belongs beside them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray


@dataclass(frozen=True, slots=True)
class Hits:
    """What one ranking, or the mean over several, is worth.

    Attributes
    ----------
    hit_100, hit_150
        Share of the sick signals among the first ``floor(P |sick|)``, P = 1 and 1.5.
    ndcg
        Of the first ``|sick|``: the earlier, the more it counts.
    top_1, top_3
        1 if a sick signal is among the first, the first three.
    """

    hit_100: float
    hit_150: float
    ndcg: float
    top_1: float
    top_3: float

    @classmethod
    def of(cls, scores: FloatArray, sick: BoolArray) -> Self:
        """Judge the ranking by falling ``scores`` (n,), ties in the order of the signals.

        Parameters
        ----------
        sick
            Shape ``(n,)``: which signals are known to be sick; one at least.
        """
        found = sick[np.argsort(-scores, kind="stable")]
        count = int(sick.sum())
        gains = 1.0 / np.log2(np.arange(count) + 2.0)
        return cls(
            hit_100=found[:count].sum() / count,
            hit_150=found[: count * 3 // 2].sum() / count,
            ndcg=float(found[:count] @ gains) / float(gains.sum()),
            top_1=float(found[:1].any()),
            top_3=float(found[:3].any()),
        )

    @classmethod
    def mean(cls, hits: Iterable[Hits]) -> Self:
        """Return the mean of several; NaN of none."""
        rows = [(h.hit_100, h.hit_150, h.ndcg, h.top_1, h.top_3) for h in hits]
        means = np.mean(rows, axis=0) if rows else np.full(5, np.nan)
        return cls(*(float(value) for value in means))
