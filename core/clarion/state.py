"""State: what a fitted object is, as plain data that no loader has to trust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from clarion.arrays import frozen
from clarion.errors import ArtifactCorruptError, InvalidParameterError
from clarion.frames import Signal, SignalKind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class State:
    """The whole of a fitted object.

    Attributes
    ----------
    version
        Layout of this plugin's state; raise it when the meaning of a field changes.
    parameters
        JSON values only.
    arrays
        Numeric arrays of any shape (bool, integer, float32 or float64).
    blobs
        Opaque bytes, for adapted estimators; never unpickled.
    """

    version: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    blobs: Mapping[str, bytes] = field(default_factory=dict)

    def require(self, version: int, *arrays: str) -> State:
        """Return self if it has this ``version`` and these ``arrays``, as `from_state` should ask.

        Raises
        ------
        ArtifactCorruptError
            Another version, or an array is missing.
        """
        if self.version != version:
            raise ArtifactCorruptError(
                f"the state has version {self.version}, this plugin reads version {version}; "
                "fit the model again, or install the release that wrote it",
                state_version=self.version,
            )
        missing = [name for name in arrays if name not in self.arrays]
        if missing:
            raise ArtifactCorruptError(
                f"the state lacks the array(s) {', '.join(missing)}", array=missing[0]
            )
        return self

    def parameter(self, name: str, kind: type[T]) -> T:
        """Return a parameter of the type ``kind`` (a whole number passes for a float).

        Raises
        ------
        ArtifactCorruptError
            It is missing or of another type.
        """
        value = self.parameters.get(name)
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, kind) or (type(value) is bool and kind is not bool):
            raise ArtifactCorruptError(
                f"the state's parameter '{name}' is {value!r:.80}, not of type {kind.__name__}",
                parameter=name,
            )
        return value

    def array(
        self, name: str, shape: tuple[int, ...], dtype: type[np.generic] = np.float64
    ) -> np.ndarray[Any, Any]:
        """Return an array of that ``shape`` (-1 where any length will do), C-contiguous, read-only.

        Raises
        ------
        ArtifactCorruptError
            It is missing, of another shape or type, or holds a number that is not finite.
        """
        array = self.require(self.version, name).arrays[name]
        fits = array.ndim == len(shape) and all(
            want in (-1, have) for want, have in zip(shape, array.shape, strict=True)
        )
        if not fits or array.dtype != dtype:
            raise ArtifactCorruptError(
                f"the state's array '{name}' is {array.dtype} of shape {array.shape}, "
                f"not {np.dtype(dtype).name} of shape {shape}",
                array=name,
            )
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ArtifactCorruptError(f"the state's array '{name}' is not finite", array=name)
        return frozen(array)

    def signals(self, name: str = "signals") -> tuple[Signal, ...]:
        """Return the signals that `signal_values` put under ``name``.

        Raises
        ------
        ArtifactCorruptError
            They are missing or no signals.
        """
        try:
            return tuple(
                Signal(
                    str(entry["name"]),
                    SignalKind(entry["kind"]),
                    str(entry["unit"]),
                    tuple(str(word) for word in entry["vocabulary"]),
                )
                for entry in self.parameter(name, list)
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactCorruptError(
                f"the state's '{name}' are no signals: {error}", parameter=name
            ) from error


def signal_values(signals: Sequence[Signal]) -> list[dict[str, Any]]:
    """Return ``signals`` as JSON values, for the parameters of a state."""
    return [
        {"name": s.name, "kind": s.kind.value, "unit": s.unit, "vocabulary": list(s.vocabulary)}
        for s in signals
    ]


def nested(states: Mapping[str, State]) -> State:
    """Pack named states into one, each array and blob under ``name/``.

    Raises
    ------
    InvalidParameterError
        A name holds a slash: what is packed under it could be taken for another's.
    """
    for name in states:
        if "/" in name:
            raise InvalidParameterError(f"the name '{name}' must not hold a slash", name=name)
    return State(
        version=1,
        parameters={
            n: {"version": s.version, "parameters": dict(s.parameters)} for n, s in states.items()
        },
        arrays={f"{n}/{k}": a for n, s in states.items() for k, a in s.arrays.items()},
        blobs={f"{n}/{k}": b for n, s in states.items() for k, b in s.blobs.items()},
    )


def unnested(state: State) -> dict[str, State]:
    """Undo `nested`.

    Raises
    ------
    ArtifactCorruptError
        ``state`` was not made by `nested`.
    """
    state.require(1)
    parts: dict[str, State] = {}
    for name, entry in state.parameters.items():
        fields = entry if isinstance(entry, Mapping) else {}
        version, values = fields.get("version"), fields.get("parameters")
        if type(version) is not int or not isinstance(values, Mapping):
            raise ArtifactCorruptError(f"the state of '{name}' has no version and parameters")
        head = f"{name}/"
        parts[name] = State(
            version=version,
            parameters=values,
            arrays={k[len(head) :]: a for k, a in state.arrays.items() if k.startswith(head)},
            blobs={k[len(head) :]: b for k, b in state.blobs.items() if k.startswith(head)},
        )
    return parts
