"""How an explainer refuses a detector that lacks the capability it needs."""

from __future__ import annotations

from clarion.errors import UnsupportedPairError
from clarion.explainers import Scorable


def unsupported(scorable: Scorable, explainer: str, capability: type) -> UnsupportedPairError:
    """Return the error for ``scorable``, whose detector lacks ``capability``."""
    detector = scorable.capability
    name = "a score without its detector" if detector is None else type(detector).__name__
    return UnsupportedPairError(
        f"the explainer '{explainer}' needs a detector with the capability "
        f"{capability.__name__}, and {name} has none; 'permutation_shap' can explain any score",
        explainer=explainer,
        capability=capability.__name__,
        detector=name,
    )
