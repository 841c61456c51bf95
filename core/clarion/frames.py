"""Frame: what every part of Clarion passes on, observations x signals, immutable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np

from clarion.arrays import FloatArray, Int32Array, Int64Array, NumericArray
from clarion.errors import InvalidFrameError, SignalMismatchError


class SignalKind(StrEnum):
    """What the cells of a signal hold."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    IMAGE = "image"
    """By reference: the vocabulary holds URIs."""
    TEXT = "text"
    """By reference or verbatim: the vocabulary holds URIs or texts."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One measured quantity: its name, kind and unit; coded kinds have a vocabulary."""

    name: str
    kind: SignalKind = SignalKind.NUMERIC
    unit: str = ""
    vocabulary: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asset:
    """The thing watched: its name, class and free attributes."""

    name: str
    asset_class: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


_ROWS = ("values", "codes", "time", "ingest_time", "asset")
"""Fields of a frame that are arrays with a row each."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Observations x signals.

    Attributes
    ----------
    signals
        Every signal; numeric ones in the order of the columns of ``values``, the others in the
        order of the columns of ``codes``.
    values
        Shape ``(n, d_numeric)``, float32 or float64, C-contiguous; missing is NaN, never infinite.
    codes
        Shape ``(n, d_coded)``, int32 indices into each signal's vocabulary; missing is -1.
    time, ingest_time
        Shape ``(n,)``, int64 nanoseconds since 1970 UTC: when observed, when received.
    asset
        Shape ``(n,)``, int32 indices into ``assets``; absent means one nameless asset.
    row_ids
        The caller's name of each row.

    Raises
    ------
    InvalidFrameError
        Shapes that do not fit, infinite values, codes outside the vocabulary, repeated names.
    """

    signals: tuple[Signal, ...]
    values: NumericArray
    codes: Int32Array
    time: Int64Array | None = None
    ingest_time: Int64Array | None = None
    assets: tuple[Asset, ...] = ()
    asset: Int32Array | None = None
    row_ids: tuple[str, ...] | None = None
    _numeric: tuple[Signal, ...] = field(init=False, repr=False)
    _coded: tuple[Signal, ...] = field(init=False, repr=False)
    _names: tuple[str, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_names", tuple(signal.name for signal in self.signals))
        numeric = [signal.kind is SignalKind.NUMERIC for signal in self.signals]
        pairs = list(zip(self.signals, numeric, strict=True))
        object.__setattr__(self, "_numeric", tuple(s for s, is_number in pairs if is_number))
        object.__setattr__(self, "_coded", tuple(s for s, is_number in pairs if not is_number))
        _check_signals(self._names)
        _check_values(self)
        _check_codes(self)
        _check_rows(self)
        _freeze(self)

    @classmethod
    def of(
        cls,
        values: NumericArray | Sequence[Sequence[float]],
        names: Sequence[str] | None = None,
        *,
        units: Sequence[str] | None = None,
        **rows: Any,
    ) -> Frame:
        """Make a numeric frame from a matrix of shape ``(n, d)``; ``rows`` are Frame's own fields.

        Names default to ``x0 .. x{d-1}``; other types than float32 become float64.
        """
        block = _as_block(values)
        if block.ndim != 2:
            raise InvalidFrameError(f"a frame needs 2 dimensions, not {block.ndim}", field="values")
        if block.dtype != np.float32:
            block = _as_float64(block)
        labels = (
            tuple(names) if names is not None else tuple(f"x{j}" for j in range(block.shape[1]))
        )
        kinds = tuple(units) if units is not None else ("",) * len(labels)
        if len(kinds) != len(labels):
            raise InvalidFrameError(f"{len(kinds)} units for {len(labels)} signals", field="units")
        signals = tuple(Signal(n, unit=u) for n, u in zip(labels, kinds, strict=True))
        codes = np.empty((block.shape[0], 0), np.int32)
        return cls(signals, np.ascontiguousarray(block), codes, **rows)

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all signals."""
        return self._names

    def of_kind(self, numeric: bool) -> tuple[Signal, ...]:
        """Return the signals in ``values`` (``numeric``) or in ``codes``, in column order."""
        return self._numeric if numeric else self._coded

    def numeric(self) -> FloatArray:
        """Return the numeric block as float64, shape ``(n, n_signals)``.

        Raises
        ------
        InvalidFrameError
            Some signals are not numeric: put ``encode`` before this step.
        """
        coded = self._coded
        if coded:
            raise InvalidFrameError(
                f"signal '{coded[0].name}' is {coded[0].kind.value}, not numeric; "
                "put the extractor 'encode' before this step",
                signal=coded[0].name,
            )
        return self.values.astype(np.float64, copy=False)

    def aligned_to(self, names: Sequence[str]) -> Frame:
        """Return the same rows with the signals in the order of ``names``.

        Raises
        ------
        SignalMismatchError
            Signals are missing or unexpected; both are named.
        """
        if self.names == tuple(names):
            return self
        own, wanted = set(self.names), set(names)
        missing = [name for name in names if name not in own]
        unexpected = [name for name in self.names if name not in wanted]
        if missing or unexpected:
            raise _mismatch(missing, unexpected)
        by_name = {signal.name: signal for signal in self.signals}
        ordered = tuple(by_name[name] for name in names)
        columns = {s.name: j for j, s in enumerate(self.of_kind(numeric=True))}
        coded = {s.name: j for j, s in enumerate(self.of_kind(numeric=False))}
        pick = [columns[s.name] for s in ordered if s.name in columns]
        pick_coded = [coded[s.name] for s in ordered if s.name in coded]
        return replace(
            self,
            signals=ordered,
            values=np.ascontiguousarray(self.values[:, pick]),
            codes=np.ascontiguousarray(self.codes[:, pick_coded]),
        )

    def take(self, rows: Int64Array | slice) -> Frame:
        """Return the chosen rows, in that order."""
        out = object.__new__(Frame)  # what holds for all rows holds for some: no check is repeated
        for name in ("signals", "assets", "_numeric", "_coded", "_names"):
            object.__setattr__(out, name, getattr(self, name))
        for name in _ROWS:
            array = getattr(self, name)
            object.__setattr__(out, name, None if array is None else array[rows])
        ids = self.row_ids
        if ids is not None:
            ids = ids[rows] if isinstance(rows, slice) else tuple(ids[int(i)] for i in rows)
        object.__setattr__(out, "row_ids", ids)
        _freeze(out)
        return out

    def of_one_asset(self) -> Frame:
        """Return the same rows, which are all of the first one's asset, without the other assets."""
        if self.asset is None or not len(self):
            return self
        out = self.take(slice(None))
        object.__setattr__(out, "assets", (self.asset_of(0),))
        object.__setattr__(out, "asset", np.zeros(len(self), np.int32))
        _freeze(out)
        return out

    def with_numeric(self, values: NumericArray, signals: Sequence[Signal] | None = None) -> Frame:
        """Return the same rows (time, asset, ids) holding ``values`` under numeric ``signals``.

        ``signals`` defaults to this frame's own numeric signals.
        """
        own = self.of_kind(numeric=True) if signals is None else tuple(signals)
        empty = np.empty((values.shape[0], 0), np.int32)
        return replace(self, signals=own, values=np.ascontiguousarray(values), codes=empty)

    def asset_index(self) -> Int32Array:
        """Return each row's asset index, shape ``(n,)``; all 0 where no asset was given."""
        return np.zeros(len(self), np.int32) if self.asset is None else self.asset

    def asset_of(self, row: int) -> Asset:
        """Return the asset of one row; nameless where none was given."""
        return Asset("") if self.asset is None else self.assets[int(self.asset[row])]


def _freeze(frame: Frame) -> None:
    """Make the arrays of a frame C-contiguous, and read-only."""
    for name in _ROWS:
        array = getattr(frame, name)
        if array is not None and (array.flags.writeable or not array.flags.c_contiguous):
            frozen = np.ascontiguousarray(array).view()
            frozen.flags.writeable = False
            object.__setattr__(frame, name, frozen)


def concatenated(frames: Sequence[Frame]) -> Frame:
    """Return the rows of all frames, one after the other.

    The frames have the same signals in the same order; vocabularies and assets are united. Times
    and row ids survive where every frame has them.

    Raises
    ------
    SignalMismatchError
        Other signals than the first frame's.
    """
    first = frames[0]
    if len(frames) == 1:
        return first
    for frame in frames[1:]:
        if [(s.name, s.kind) for s in frame.signals] != [(s.name, s.kind) for s in first.signals]:
            raise _mismatch(first.names, frame.names)
    signals, codes = _united_codes(frames)
    assets, index = _united_assets(frames)
    return Frame(
        signals=signals,
        values=np.concatenate([frame.values for frame in frames]),
        codes=codes,
        time=_all_or_none([frame.time for frame in frames]),
        ingest_time=_all_or_none([frame.ingest_time for frame in frames]),
        assets=assets,
        asset=index,
        row_ids=None
        if any(frame.row_ids is None for frame in frames)
        else tuple(name for frame in frames for name in frame.row_ids or ()),
    )


def _united_codes(frames: Sequence[Frame]) -> tuple[tuple[Signal, ...], Int32Array]:
    signals = {signal.name: signal for signal in frames[0].signals}
    columns = []
    for column, signal in enumerate(frames[0].of_kind(numeric=False)):
        words = [frame.of_kind(numeric=False)[column].vocabulary for frame in frames]
        place = {word: i for i, word in enumerate(dict.fromkeys(w for ws in words for w in ws))}
        maps = [np.array([*(place[word] for word in ws), -1], np.int32) for ws in words]
        columns.append(
            np.concatenate([m[f.codes[:, column]] for m, f in zip(maps, frames, strict=True)])
        )
        signals[signal.name] = replace(signal, vocabulary=tuple(place))
    rows = sum(len(frame) for frame in frames)
    codes = np.column_stack(columns) if columns else np.empty((rows, 0), np.int32)
    return tuple(signals.values()), codes


def _united_assets(frames: Sequence[Frame]) -> tuple[tuple[Asset, ...], Int32Array | None]:
    if all(frame.asset is None for frame in frames):
        return (), None
    named = [frame.assets if frame.asset is not None else (Asset(""),) for frame in frames]
    place: dict[str, int] = {}
    assets: list[Asset] = []
    for asset in (asset for group in named for asset in group):
        if asset.name not in place:
            place[asset.name] = len(assets)
            assets.append(asset)
    index = [
        np.array([place[asset.name] for asset in group], np.int32)[frame.asset_index()]
        for frame, group in zip(frames, named, strict=True)
    ]
    return tuple(assets), np.concatenate(index)


def _all_or_none(arrays: Sequence[Int64Array | None]) -> Int64Array | None:
    present = [array for array in arrays if array is not None]
    return np.concatenate(present) if len(present) == len(arrays) else None


def _as_block(values: Any) -> np.ndarray[Any, Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise InvalidFrameError("the rows have different lengths", field="values") from error


def _as_float64(block: np.ndarray[Any, Any]) -> FloatArray:
    if block.dtype.kind == "c":
        raise InvalidFrameError("the matrix holds complex numbers", field="values")
    try:
        return block.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidFrameError(
            f"the matrix holds values that are not numbers: {error}", field="values"
        ) from error


def _check_signals(names: tuple[str, ...]) -> None:
    if not names:
        raise InvalidFrameError("a frame needs at least one signal", field="signals")
    if "" in names:
        raise InvalidFrameError(f"signal {names.index('')} has no name", field="signals")
    if len(set(names)) != len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise InvalidFrameError(f"signal '{twice}' is named twice", field="signals", signal=twice)


def _check_values(frame: Frame) -> None:
    values, signals = frame.values, frame.of_kind(numeric=True)
    if values.ndim != 2 or values.shape[1] != len(signals):
        raise InvalidFrameError(
            f"values have shape {values.shape}, but there are {len(signals)} numeric signals",
            field="values",
        )
    if values.dtype not in (np.float32, np.float64):
        raise InvalidFrameError(f"values must be float32 or float64, not {values.dtype}")
    infinite = np.isinf(values)
    if infinite.any():
        row, column = (int(i) for i in np.argwhere(infinite)[0])
        raise InvalidFrameError(
            f"signal '{signals[column].name}' is infinite at row {row}; "
            "send NaN where a value is missing",
            field="values",
            signal=signals[column].name,
            row=row,
        )


def _check_codes(frame: Frame) -> None:
    codes, signals = frame.codes, frame.of_kind(numeric=False)
    if codes.dtype != np.int32 or codes.shape != (len(frame), len(signals)):
        raise InvalidFrameError(
            f"codes must be int32 of shape {(len(frame), len(signals))}, "
            f"not {codes.dtype} of shape {codes.shape}",
            field="codes",
        )
    for column, signal in enumerate(signals):
        bad = (codes[:, column] < -1) | (codes[:, column] >= len(signal.vocabulary))
        if bad.any():
            raise InvalidFrameError(
                f"signal '{signal.name}' has the code {codes[bad, column][0]} at row "
                f"{int(np.argmax(bad))}, outside its {len(signal.vocabulary)} words (-1 is missing)",
                field="codes",
                signal=signal.name,
            )


def _check_rows(frame: Frame) -> None:
    n = len(frame)
    for name in ("time", "ingest_time", "asset"):
        array, dtype = getattr(frame, name), np.int32 if name == "asset" else np.int64
        if array is not None and (array.shape != (n,) or array.dtype != dtype):
            raise InvalidFrameError(
                f"{name} must be {np.dtype(dtype).name} of shape ({n},), "
                f"not {array.dtype} of shape {array.shape}",
                field=name,
            )
    if frame.row_ids is not None and len(frame.row_ids) != n:
        raise InvalidFrameError(f"{len(frame.row_ids)} row ids for {n} rows", field="row_ids")
    if frame.asset is not None and n:
        low, high = int(frame.asset.min()), int(frame.asset.max())
        if low < 0 or high >= len(frame.assets):
            raise InvalidFrameError(
                f"asset index {low if low < 0 else high} is outside the {len(frame.assets)} assets",
                field="asset",
            )


def _mismatch(missing: Sequence[str], unexpected: Sequence[str]) -> SignalMismatchError:
    parts = [
        f"{word} {', '.join(repr(name) for name in names[:5])}"
        + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        for word, names in (("missing", missing), ("unexpected", unexpected))
        if names
    ]
    return SignalMismatchError(
        f"the frame has other signals than the model was fitted on: {'; '.join(parts)}; "
        "send exactly the fitted signals, in any order",
        field="frame.signals",
        missing=",".join(missing[:20]),
        unexpected=",".join(unexpected[:20]),
    )
