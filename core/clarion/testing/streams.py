"""Streams: a frame in pieces, with one memory an asset, which may be stored in between."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.features import rows_by_asset
from clarion.frames import Frame
from clarion.state import State
from clarion.testing.answers import Answer, require_features, scored
from clarion.testing.errors import require


def stream(fitted: Any, frame: Frame, cuts: Sequence[int] = (), *, store: bool = False) -> Answer:
    """Return the scores of ``frame`` as a stream gives them: in pieces, one memory an asset.

    Parameters
    ----------
    cuts
        Rows before which the frame is cut.
    store
        Whether each memory is written to bytes and read again between the pieces.
    """
    memories: dict[int, State] = {}
    rows: list[Int64Array] = [np.empty(0, np.int64)]
    scores: list[FloatArray] = [np.empty((0, 1))]
    for piece in np.split(np.arange(len(frame)), list(cuts)):
        for inside in rows_by_asset(frame.take(piece)) or [np.empty(0, np.int64)]:
            part = piece[inside]
            asset = int(frame.asset_index()[part[0]]) if len(part) else -1
            memory = memories.get(asset) or fitted.start()
            features, after = fitted.unroll(stored(memory) if store else memory, frame.take(part))
            require_features(features, fitted.signals, len(part))
            memories[asset] = after
            rows.append(part[features.source_rows])
            scores.append(scored(rows[-1], fitted.score(features.frame), len(rows[-1])).values)
    order = np.argsort(np.concatenate(rows), kind="stable")
    return Answer(np.concatenate(rows)[order], np.concatenate(scores)[order], ("score",))


def stored(state: State) -> State:
    """Return ``state`` as it comes back from storage: JSON text, and arrays from their bytes."""
    for name, array in state.arrays.items():
        require(
            array.dtype.kind in "biuf", f"the state's array '{name}' is {array.dtype}, not numeric"
        )
    return replace(
        state,
        parameters=_from_json(state.parameters),
        arrays={
            name: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape).copy()
            for name, array in state.arrays.items()
        },
        blobs={name: bytes(blob) for name, blob in state.blobs.items()},
    )


def _from_json(parameters: Mapping[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(dict(parameters), allow_nan=False)
    except (TypeError, ValueError) as error:
        require(False, f"the state's parameters are not JSON values: {error}")
    loaded: dict[str, Any] = json.loads(text)
    require(
        loaded == _listed(parameters), "the state's parameters change when written as JSON text"
    )
    return loaded


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, (list, tuple)) else value
