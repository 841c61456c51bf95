"""Encode: words become numbers, each in columns that name the word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from clarion.errors import ArtifactCorruptError, SignalMismatchError
from clarion.features import ExtractorTraits, Features, FitContext, RowLineage, columns_of
from clarion.frames import Frame, Signal, SignalKind
from clarion.inputs import require_rows
from clarion.parameters import parameter
from clarion.state import State, signal_values
from clarion_features.word_tables import WordTable, frequencies, one_hot

_VERSION = 1


@dataclass(frozen=True, slots=True, eq=False)
class FittedEncode:
    """Numeric signals as they are, each coded one by its table, in the order of ``inputs``."""

    inputs: tuple[Signal, ...]
    tables: Mapping[str, WordTable]

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Numeric signals keep name and unit; ``service`` becomes ``service=http`` and so on."""
        return tuple(feature for signal in self.inputs for feature in self._features(signal))

    @property
    def reads(self) -> dict[str, tuple[str, ...]]:
        """Each feature reads the signal that it was made of."""
        return {f.name: (s.name,) for s in self.inputs for f in self._features(s)}

    @property
    def history(self) -> int:
        """No earlier rows."""
        return 0

    def transform(self, frame: Frame) -> Features:
        """Return the features; words are looked up by spelling, whatever their codes here.

        Raises
        ------
        SignalMismatchError
            Other signals than those fitted, or other kinds.
        """
        names = [signal.name for signal in self.inputs]
        ordered = frame.aligned_to(names)
        _require_kinds(ordered, self.inputs)
        numbers, codes = iter(ordered.values.T), iter(ordered.codes.T)
        columns = [
            self.tables[signal.name].looked_up(signal.vocabulary, next(codes))
            if signal.name in self.tables
            else np.asarray(next(numbers), np.float64)[:, None]
            for signal in ordered.signals
        ]
        output = frame.with_numeric(np.hstack(columns), self.signals)
        widths = [len(self._features(signal)) for signal in self.inputs]
        read = np.repeat(columns_of(frame, names), widths)
        weights = sparse.csr_array(
            (np.ones(len(read)), read, np.arange(len(read) + 1)), shape=(len(read), len(names))
        )
        linear = np.repeat([name not in self.tables for name in names], widths)
        return Features(output, np.arange(len(frame)), RowLineage(weights, len(frame), linear))

    def _features(self, signal: Signal) -> tuple[Signal, ...]:
        return self.tables[signal.name].features if signal.name in self.tables else (signal,)

    def state(self) -> State:
        """Return all that was learned."""
        described: dict[str, Any] = {
            name: {"words": list(table.words), "features": signal_values(table.features)}
            for name, table in self.tables.items()
        }
        arrays = {f"table_{i}": table.values for i, table in enumerate(self.tables.values())}
        return State(_VERSION, {"inputs": signal_values(self.inputs), "tables": described}, arrays)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted extractor that ``state`` describes."""
        inputs = state.require(_VERSION).signals("inputs")
        described = state.parameter("tables", dict)
        coded = [signal.name for signal in inputs if signal.kind is not SignalKind.NUMERIC]
        if sorted(coded) != sorted(described):  # stored as JSON, an object has no order of its own
            raise ArtifactCorruptError(f"there are tables for {list(described)}, not for {coded}")
        tables = {}
        for i, name in enumerate(coded):
            part = State(_VERSION, described[name], state.arrays)
            words, features = part.parameter("words", list), part.signals("features")
            values = part.array(f"table_{i}", (len(words) + 2, len(features)))
            tables[name] = WordTable(tuple(words), features, values)
        return cls(inputs, tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encode:
    """Turns categorical signals into numeric features, and lets numeric ones pass.

    With ``one_hot``, ``service`` becomes a feature ``service=http`` for each of its most frequent
    words, 1 where the row has that word, and ``service=<other>`` for every other word, those never
    seen included. ``service=<missing>`` is there if cells were missing in the fit; if none was, a
    missing cell counts as never seen.

    With ``frequency``, it becomes ``service.surprise = -log((count + 1) / (rows + words + 1))`` in
    nats, with the word's count in the fit: 0 for words never seen. Missing counts as a word.
    """

    traits: ClassVar[ExtractorTraits] = ExtractorTraits(
        signal_kinds=frozenset({SignalKind.NUMERIC, SignalKind.CATEGORICAL}), missing_values=True
    )
    fitted: ClassVar[type[FittedEncode]] = FittedEncode

    method: str = parameter(
        "one_hot", "One feature a word, or its rarity.", choices=("one_hot", "frequency")
    )
    max_categories: int = parameter(
        32, "Words with a feature of their own, for each signal.", minimum=1, maximum=1000
    )

    def fit(self, frame: Frame, context: FitContext) -> FittedEncode:
        """Count the words of each coded signal.

        Raises
        ------
        TooFewRowsError
            No rows.
        """
        require_rows(len(frame), 1, "an encoding")
        coded = frame.of_kind(numeric=False)
        tables = {}
        for signal, codes in zip(coded, frame.codes.T, strict=True):
            counts = np.bincount(codes[codes >= 0], minlength=len(signal.vocabulary))
            missing = int((codes < 0).sum())
            if self.method == "one_hot":
                tables[signal.name] = one_hot(signal, counts, missing, self.max_categories)
            else:
                tables[signal.name] = frequencies(signal, counts, missing)
        return FittedEncode(frame.signals, tables)


def _require_kinds(frame: Frame, fitted: tuple[Signal, ...]) -> None:
    for given, wanted in zip(frame.signals, fitted, strict=True):
        if (given.kind is SignalKind.NUMERIC) != (wanted.kind is SignalKind.NUMERIC):
            raise SignalMismatchError(
                f"signal '{given.name}' is {given.kind.value}, and was {wanted.kind.value} in the "
                "fit; send it as it was then",
                field="frame.signals",
                signal=given.name,
            )
