"""Frames off the wire: matrices without a copy, columns, and records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clarion.errors import InvalidFrameError, LimitExceededError
from clarion.frames import Asset, Frame, Signal, SignalKind
from clarion.server.convert.cells import Cells, of_columns, of_matrix, of_records
from clarion.server.convert.numbers import array_of
from clarion.server.convert.records import too_many_signals
from clarion_api.v1 import frame_pb2 as pb

KINDS: dict[int, SignalKind] = {
    pb.SIGNAL_KIND_NUMERIC: SignalKind.NUMERIC,
    pb.SIGNAL_KIND_CATEGORICAL: SignalKind.CATEGORICAL,
    pb.SIGNAL_KIND_IMAGE: SignalKind.IMAGE,
    pb.SIGNAL_KIND_TEXT: SignalKind.TEXT,
}
_FIELDS = {
    "values": {"matrix": "matrix.values", "columns": "columns", "records": "records.rows"},
    "signals": {"matrix": "matrix.signal_names", "columns": "columns", "records": "records.rows"},
    "codes": {"matrix": "matrix", "columns": "columns", "records": "records.rows"},
}
"""Where on the wire the parts of a frame came from."""
_ROW_FIELDS = {"time": "event_times", "asset": "asset_indices", "row_ids": "row_ids"}


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """What this server takes in one frame."""

    rows: int = 1_000_000
    signals: int = 4096


def frame_from_proto(
    message: pb.Frame,
    *,
    path: str = "frame",
    limits: FrameLimits | None = None,
    fitted: Sequence[Signal] = (),
) -> Frame:
    """Return the frame that ``message`` holds.

    Parameters
    ----------
    path
        Where the message stands in the request; errors name fields under it.
    fitted
        The model's signals: a signal of unsaid kind in columns or records is taken as of theirs.

    Raises
    ------
    InvalidFrameError
        Lengths, types, names or values that make no frame; the field is named.
    LimitExceededError
        More rows or signals than ``limits``.
    """
    limits = limits or FrameLimits()
    shape = str(message.WhichOneof("data"))
    try:
        cells = _cells(message, shape, path, limits, fitted)
        _check_rows(cells.rows, limits, path)
        signals = _described(cells.signals, message.signals, path)
        return Frame(signals, cells.values, cells.codes, **_row_fields(message, cells, path))
    except InvalidFrameError as error:
        raise _placed(error, shape, path) from error


def _cells(
    message: pb.Frame, shape: str, path: str, limits: FrameLimits, fitted: Sequence[Signal]
) -> Cells:
    kinds = {signal.name: signal.kind for signal in fitted}
    kinds |= {info.name: KINDS[info.kind] for info in message.signals if info.kind}
    special = {
        name: getattr(message, f"{name}_column")
        for name in ("time", "asset", "row_id")
        if getattr(message, f"{name}_column")
    }
    if shape == "matrix":
        _check_count(len(message.matrix.signal_names), limits, f"{path}.matrix.signal_names")
        return of_matrix(message.matrix, special, path)
    if shape == "columns":
        count = len(message.columns.columns) - len(special)
        _check_count(count, limits, f"{path}.columns")
        return of_columns(message.columns, special, kinds, path)
    _check_rows(len(message.records.rows), limits, path)
    return of_records(message.records, special, kinds, path, limits.signals)


def _described(
    signals: tuple[Signal, ...], infos: Iterable[pb.SignalInfo], path: str
) -> tuple[Signal, ...]:
    """Return the signals with the units said in ``infos``, whose kinds must be theirs."""
    known = {signal.name: signal for signal in signals}
    for index, info in enumerate(infos):
        field = f"{path}.signals[{index}]"
        signal = known.get(info.name)
        if signal is None:
            raise InvalidFrameError(
                f"'{info.name}' is described, but there is no such signal in the data",
                field=f"{field}.name",
                signal=info.name,
            )
        if info.kind and (KINDS[info.kind] is SignalKind.NUMERIC) != (
            signal.kind is SignalKind.NUMERIC
        ):
            raise InvalidFrameError(
                f"signal '{info.name}' holds {signal.kind.value} cells, and is described as "
                f"{KINDS[info.kind].value}",
                field=f"{field}.kind",
                signal=info.name,
            )
        kind = KINDS.get(info.kind, signal.kind)
        known[info.name] = replace(signal, unit=info.unit or signal.unit, kind=kind)
    return tuple(known[signal.name] for signal in signals)


def _row_fields(message: pb.Frame, cells: Cells, path: str) -> Mapping[str, Any]:
    """Return time, assets and row ids, each said at most once: beside the data or in a column."""
    n = cells.rows
    fields: dict[str, Any] = dict(cells.fields)
    if message.event_times:
        _refuse_twice(fields, "time", f"{path}.event_times")
        fields["time"] = array_of(message.event_times, "<i8", f"{path}.event_times", n)
    if message.asset_indices:
        _refuse_twice(fields, "asset", f"{path}.asset_indices")
        fields["asset"] = array_of(message.asset_indices, "<i4", f"{path}.asset_indices", n)
        fields["assets"] = _assets(message.assets, path)
    elif message.assets and "asset" in fields:
        fields["assets"] = _merged(fields["assets"], _assets(message.assets, path))
    if message.row_ids:
        _refuse_twice(fields, "row_ids", f"{path}.row_ids")
        fields["row_ids"] = tuple(message.row_ids)
    return fields


def _assets(messages: Iterable[pb.Asset], path: str) -> tuple[Asset, ...]:
    assets = tuple(Asset(m.name, m.asset_class, dict(m.attributes)) for m in messages)
    names = [asset.name for asset in assets]
    if len(set(names)) != len(names):
        raise InvalidFrameError("an asset is named twice", field=f"{path}.assets")
    return assets


def _merged(assets: tuple[Asset, ...], described: tuple[Asset, ...]) -> tuple[Asset, ...]:
    """Return the assets of a column, with what is said of them beside it."""
    known = {asset.name: asset for asset in described}
    return tuple(known.get(asset.name, asset) for asset in assets)


def _refuse_twice(fields: Mapping[str, Any], name: str, field: str) -> None:
    if name in fields:
        raise InvalidFrameError(
            f"{field} is said twice: beside the data and in a column", field=field
        )


def _check_count(signals: int, limits: FrameLimits, field: str) -> None:
    if signals > limits.signals:
        raise too_many_signals(signals, limits.signals, field)


def _check_rows(rows: int, limits: FrameLimits, path: str) -> None:
    if rows == 0:
        raise InvalidFrameError("the frame has no rows; send at least one", field=path)
    if rows > limits.rows:
        raise LimitExceededError(
            f"the frame has {rows} rows; this server takes at most {limits.rows}",
            field=path,
            rows=rows,
            limit=limits.rows,
        )


def _placed(error: InvalidFrameError, shape: str, path: str) -> InvalidFrameError:
    """Return the error with the field's place in the request; the domain knows no messages."""
    head = error.field.partition("[")[0]
    if error.field.startswith(path):
        field = error.field
    elif head in _FIELDS:
        field = f"{path}.{_FIELDS[head][shape]}"
    else:
        field = ".".join(filter(None, (path, _ROW_FIELDS.get(head, head))))
    metadata: dict[str, Any] = dict(error.metadata)
    return InvalidFrameError(error.message, field=field, **metadata)
