"""Training networks with torch: early stopping on held-back rows, the best weights kept.

Torch only trains. Networks are plain functions of named weights, which come back as numpy arrays,
so a model is scored without torch, in double precision, each row on its own.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.features import FitContext
from clarion.inputs import missing_extra, require_memory
from clarion.parameters import parameter

_log = logging.getLogger(__name__)

Weights = Mapping[str, FloatArray]
Loss = Callable[[Mapping[str, Any], Mapping[str, Any], Any], Any]
"""From weights, data and row numbers (tensors) to the mean loss of those rows, a scalar tensor."""

_COPIES = 6
"""Of the weights: themselves, gradients, two moments of Adam, the best ones, the result."""
_BLOCK = 1024
"""Rows whose loss is computed at once where nothing is learned."""


def torch() -> Any:
    """Return the library.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        import torch as library
    except ModuleNotFoundError as error:
        raise missing_extra("torch", "deep") from error
    return library


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """How a network is trained: what all deep detectors have in common.

    Training takes a CUDA device where torch sees one (CUDA_VISIBLE_DEVICES hides it), else the
    processor. The same rows and seed give the same bytes on the same processor; a GPU may change
    the last bits from fit to fit.
    """

    epochs: int = parameter(
        100, "Passes over the rows, at most.", minimum=1, maximum=100_000, unit="passes"
    )
    patience: int = parameter(
        10,
        "Passes without a smaller loss on the rows held back after which training stops.",
        minimum=1,
        maximum=100_000,
        unit="passes",
    )
    held_back: float = parameter(
        0.1, "Share of the rows held back to tell when to stop.", minimum=0.01, maximum=0.5
    )
    batch_rows: int = parameter(
        64, "Rows behind each step of training.", minimum=1, maximum=100_000, unit="rows"
    )
    learning_rate: float = parameter(
        0.003, "Step size of Adam.", exclusive_minimum=0.0, maximum=1.0
    )
    weight_decay: float = parameter(
        1e-5, "Share of each weight, times the step size, lost a step.", minimum=0.0, maximum=1.0
    )

    def split(self, n: int, rng: np.random.Generator | None) -> tuple[Int64Array, Int64Array]:
        """Return rows to learn from and rows held back: drawn at random, or the last without rng.

        At least one row is held back, and at least one is learned from.
        """
        back = min(max(1, round(self.held_back * n)), n - 1)
        order = np.arange(n) if rng is None else rng.permutation(n)
        return order[: n - back], order[n - back :]

    def train(
        self,
        initial: Weights,
        loss: Loss,
        data: Mapping[str, np.ndarray[Any, Any]],
        rows: tuple[Int64Array, Int64Array],
        context: FitContext,
    ) -> dict[str, FloatArray]:
        """Return the weights with the smallest loss on the rows held back.

        Parameters
        ----------
        initial
            Weights to start from.
        loss
            See `Loss`; it is given ``data`` as tensors, real numbers as float32.
        rows
            What `split` returned.

        Raises
        ------
        MissingExtraError
            Torch is not installed.
        OperationCancelledError
            The caller asked for it to stop.
        """
        with _one_thread():
            run = _Run.of(initial, loss, data, rows[1], self)
            for epoch in range(self.epochs):
                for batch in self._batches(rows[0], context):
                    run.step(batch)
                diverged = not math.isfinite(run.judge())
                doing = f"pass {epoch + 1}, held-back loss {run.lowest:.4g}"
                context.progress((epoch + 1) / self.epochs, doing)
                if diverged:
                    _log.warning("training diverged, the best weights are kept: %s", doing)
                if diverged or run.waited >= self.patience:
                    break
        return run.best

    def _batches(self, rows: Int64Array, context: FitContext) -> Iterator[Int64Array]:
        order = context.rng.permutation(rows)
        for first in range(0, len(order), self.batch_rows):
            context.check_cancelled()
            yield order[first : first + self.batch_rows]


@dataclass(slots=True)
class _Run:
    """One training under way.

    Attributes
    ----------
    loss
        From row numbers, a tensor, to their mean loss under ``weights``.
    held_back
        Row numbers, in blocks.
    best, lowest, waited
        The best weights so far, their loss, and the passes since.
    """

    weights: dict[str, Any]
    optimiser: Any
    loss: Callable[[Any], Any]
    held_back: tuple[Any, ...]
    best: dict[str, FloatArray]
    lowest: float = math.inf
    waited: int = 0

    @classmethod
    def of(
        cls,
        initial: Weights,
        loss: Loss,
        data: Mapping[str, np.ndarray[Any, Any]],
        held_back: Int64Array,
        options: Trained,
    ) -> _Run:
        """Put everything on the device."""
        library = torch()
        device = library.device("cuda" if library.cuda.is_available() else "cpu")
        tensors = {name: _tensor(array, device) for name, array in data.items()}
        weights = {name: _tensor(array, device).requires_grad_() for name, array in initial.items()}
        optimiser = library.optim.AdamW(
            weights.values(), options.learning_rate, weight_decay=options.weight_decay, fused=True
        )
        blocks = _tensor(held_back, device).split(_BLOCK)
        run = cls(weights, optimiser, partial(loss, weights, tensors), blocks, _copy(weights))
        run.judge()
        return run

    def step(self, batch: Int64Array) -> None:
        """Learn from the rows of ``batch``."""
        self.optimiser.zero_grad()
        self.loss(_tensor(batch, self.held_back[0].device)).backward()
        self.optimiser.step()

    def judge(self) -> float:
        """Return the mean loss of the rows held back; keep the weights if it is the smallest yet."""
        with torch().no_grad():
            sums = [float(self.loss(block)) * len(block) for block in self.held_back]
        now = sum(sums) / sum(len(block) for block in self.held_back)
        self.waited += 1
        if now < self.lowest:
            self.best, self.lowest, self.waited = _copy(self.weights), now, 0
        return now


def require_training_memory(weights: int, units: int, cells: int, batch_rows: int) -> None:
    """Refuse a network that training would not find memory for.

    Parameters
    ----------
    weights, units
        Numbers the network holds, and computes for one row.
    cells
        Numbers it learns from.

    Raises
    ------
    LimitExceededError
        With the estimate.
    """
    # Float64 counts throughout; a step keeps values and gradients of every unit for 4 batches.
    needed = 8.0 * (_COPIES * weights + 8 * units * batch_rows + 3 * cells)
    require_memory(needed, f"training a network of {weights} weights")


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one processor core: sums are cut in one way, and small steps wait for none.

    On two cores shared with others, threads that wait for each other took eight times as long.
    """
    library = torch()
    before = library.get_num_threads()
    library.set_num_threads(1)
    try:
        yield
    finally:
        library.set_num_threads(before)


def _tensor(array: np.ndarray[Any, Any], device: Any) -> Any:
    library = torch()
    dtype = library.float32 if array.dtype.kind == "f" else library.int64
    return library.tensor(array, dtype=dtype, device=device)


def _copy(weights: Mapping[str, Any]) -> dict[str, FloatArray]:
    return {
        name: weight.detach().cpu().numpy().astype(np.float64) for name, weight in weights.items()
    }
