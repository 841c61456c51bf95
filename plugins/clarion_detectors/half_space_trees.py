"""Half-space trees: where few of the last rows were, by random cuts, learned from the stream itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import DetectorKind, DetectorTraits
from clarion.errors import ArtifactCorruptError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import complete, require_memory, require_rows, robust_scale, scaled
from clarion.kernels.half_space import half_space_terms
from clarion.kernels.sums import row_sums
from clarion.parameters import parameter
from clarion.state import State, signal_values
from clarion_detectors.stream_terms import FittedStreamTerms

_VERSION = 2
"""Of the fitted state; 1 had no gate."""
_MEMORY = 1
_MARGIN = 0.5
"""Share of a signal's range by which trees reach beyond it on either side: rows can be outside."""
_PADDING = 0.15
"""Share of a node's range that no cut comes nearer to its ends: as in River's trees."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedHalfSpaceTrees(FittedStreamTerms):
    """Random cuts, and the masses to start from.

    Attributes
    ----------
    low, span
        Shape ``(d,)``: where each signal's range begins, and its length, in its unit.
    window
        Rows after which their masses replace those before.
    features, cuts
        As `half_space_terms` takes them.
    masses
        Shares of the fitted rows in each node, shape ``(trees, 2^(height + 1) - 1)``.
    gate
        Rarity beyond which a row teaches nothing, by its asset's masses or by the fitted ones.
    """

    low: FloatArray
    span: FloatArray
    window: int
    features: Int64Array
    cuts: FloatArray
    masses: FloatArray
    gate: float = math.inf

    quantity: ClassVar[str] = "rarity"

    def start(self) -> State:
        """Return the fitted rows' masses, and nothing counted."""
        return State(_MEMORY, {}, {"masses": self.masses, "counts": 0.0 * self.masses})

    def follow(self, values: FloatArray, memory: State) -> tuple[FloatArray, State]:
        """Return each row's rarity by signal, from the rows before it, and the masses after it."""
        before = memory.require(_MEMORY)
        masses, counts = (before.array(name, self.masses.shape) for name in ("masses", "counts"))
        if not 0 <= counts[0, 0] < self.window:
            raise ArtifactCorruptError(f"the memory has seen {counts[0, 0]} rows of {self.window}")
        points = scaled(values, self.low, self.span)
        rarity, masses, counts = half_space_terms(
            points,
            self.features,
            self.cuts,
            (masses, counts),
            self.masses,
            (self.window, self.gate),
        )
        return rarity, State(_MEMORY, {}, {"masses": masses, "counts": counts})

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {
            "inputs": signal_values(self.inputs),
            "window": self.window,
            "gate": self.gate,
        }
        names = ("low", "span", "features", "cuts", "masses")
        return State(_VERSION, parameters, {name: getattr(self, name) for name in names})

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes."""
        inputs = state.require(_VERSION).signals("inputs")
        window, d = state.parameter("window", int), len(inputs)
        cuts = state.array("cuts", (-1, -1))
        trees, inner = cuts.shape
        features = state.array("features", (trees, inner), np.int64)
        whole = trees > 0 and inner > 0 and (inner + 1) & inner == 0
        if not whole or window < 1 or features.min() < 0 or features.max() >= d:
            raise ArtifactCorruptError("the state's cuts do not form trees", array="features")
        low, span = (state.array(name, (d,)) for name in ("low", "span"))
        masses = state.array("masses", (trees, 2 * inner + 1))
        gate = state.parameter("gate", float)
        return cls(inputs, low, span, window, features, cuts, masses, gate)


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfSpaceTrees:
    """Mass of the last full window that a row finds less around it than if rows were spread evenly.

    Every asset goes on from the fitted masses with its own rows, but for those that are too rare, by these
    or by the fitted masses: an anomaly never becomes normal by lasting, and rows like none that was fitted
    teach nothing, however slowly they got there. But trees tell what lies beyond the fitted range from its
    edge only by the fitted masses: who dwells at the edge lowers the scores beyond. An asset's memory takes ``trees * 2^(height + 5)`` bytes.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        kind=DetectorKind.SEQUENCE,
        ordered=True,
        paper="Tan, Ting & Liu (2011), Fast Anomaly Detection for Streaming Data, IJCAI; cuts and "
        "sum over a row's nodes as in River's HalfSpaceTrees",
    )
    fitted: ClassVar[type[FittedHalfSpaceTrees]] = FittedHalfSpaceTrees

    trees: int = parameter(25, "Number of trees.", minimum=1, maximum=1000)
    height: int = parameter(8, "Cuts from a tree's root to its leaves.", minimum=1, maximum=16)
    window: int = parameter(
        250,
        "Rows whose masses are learned before they count.",
        minimum=2,
        maximum=1_000_000,
        unit="rows",
    )
    outside: float = parameter(
        0.01,
        "Share of the fitted rows, the rarest, beyond whose rarity a row teaches nothing.",
        minimum=0.0,
        maximum=0.5,
    )

    def fit(
        self, frame: Frame, labels: BoolArray | None, context: FitContext
    ) -> FittedHalfSpaceTrees:
        """Draw the cuts over the range of the rows, and learn masses to start from.

        Raises
        ------
        TooFewRowsError
            Fewer than 2 rows.
        LimitExceededError
            The trees do not fit this machine's memory.
        """
        values = complete(frame, frame.signals)
        require_rows(len(values), 2, "a range")
        nodes = self.trees * 2.0 ** (self.height + 1)
        require_memory(nodes * (40.0 + 16.0 * values.shape[1]), f"growing {self.trees} trees")
        low, span = _ranges(values)
        features, cuts = self._cuts(values.shape[1], context.rng)
        empty = np.zeros((self.trees, 2 ** (self.height + 1) - 1))
        points = scaled(values, low, span)
        # A window as long as the fit: after its last row the masses are those of all rows.
        n, every = len(points), math.inf
        masses = half_space_terms(points, features, cuts, (empty, empty), empty, (n, every))[1]
        learned, limits = (masses, empty), (n + 1, every)
        rarity = half_space_terms(points, features, cuts, learned, masses, limits)[0]
        gate = float(np.quantile(row_sums(rarity), 1.0 - self.outside))
        return FittedHalfSpaceTrees(
            frame.signals, low, span, self.window, features, cuts, masses, gate
        )

    def _cuts(self, d: int, rng: np.random.Generator) -> tuple[Int64Array, FloatArray]:
        """Return random features and cuts, level by level: the larger a side, the likelier its cut."""
        inner = 2**self.height - 1
        features = np.zeros((self.trees, inner), np.int64)
        cuts = np.zeros((self.trees, inner))
        lower = np.full((self.trees, 1, d), -_MARGIN)
        upper = np.full((self.trees, 1, d), 1.0 + _MARGIN)
        for depth in range(self.height):
            level = slice(2**depth - 1, 2 ** (depth + 1) - 1)
            shares = np.cumsum(upper - lower, axis=2)
            drawn = rng.random(shares.shape[:2]) * shares[:, :, -1]
            chosen = (shares <= drawn[:, :, None]).sum(axis=2).clip(max=d - 1)
            sides = [
                np.take_along_axis(end, chosen[:, :, None], 2)[:, :, 0] for end in (lower, upper)
            ]
            where = rng.uniform(_PADDING, 1.0 - _PADDING, chosen.shape)
            features[:, level], cuts[:, level] = chosen, sides[0] + where * (sides[1] - sides[0])
            lower, upper = _children(lower, upper, chosen, cuts[:, level])
        return features, cuts


def _children(
    lower: FloatArray, upper: FloatArray, chosen: Int64Array, cuts: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the boxes (trees, 2 m, d) of the children of m nodes, left before right."""
    lowers, uppers = np.repeat(lower, 2, axis=1), np.repeat(upper, 2, axis=1)
    cut = cuts[:, :, None]
    left, right = uppers[:, 0::2], lowers[:, 1::2]
    np.put_along_axis(left, chosen[:, :, None], cut, 2)
    np.put_along_axis(right, chosen[:, :, None], cut, 2)
    return lowers, uppers


def _ranges(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the smallest value and the range of each column; a constant's scale for a range of 0."""
    scale = robust_scale(values)[1]
    low = values.min(axis=0)
    span = values.max(axis=0) - low
    return low, np.where(span > 0, span, scale)
