"""Parameters of plugins: declared once as dataclass fields, described as JSON Schema, checked on build.

A plugin is a frozen dataclass whose fields are made by `parameter`::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Knn:
        neighbours: int = parameter(5, "Neighbours averaged over.", minimum=1, maximum=1000)
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from clarion.errors import InvalidParameterError

T = TypeVar("T")

_JSON_TYPES: dict[object, str] = {int: "integer", float: "number", bool: "boolean", str: "string"}


def parameter(
    default: T,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    exclusive_minimum: float | None = None,
    exclusive_maximum: float | None = None,
    choices: tuple[str, ...] = (),
    unit: str = "",
) -> T:
    """Declare one field of a plugin: its default, meaning, unit and range.

    Types known are ``int``, ``float``, ``bool``, ``str``, their ``X | None``, ``tuple[X, ...]`` of
    them, and ``tuple[dict[str, Any], ...]`` for nested plugin steps; ``minimum`` and its kin bound
    numbers, or each item of a tuple of numbers.
    """
    limits = {
        "description": description,
        "minimum": minimum,
        "maximum": maximum,
        "exclusiveMinimum": exclusive_minimum,
        "exclusiveMaximum": exclusive_maximum,
        "enum": list(choices) or None,
        "x-unit": unit or None,
    }
    metadata = {key: value for key, value in limits.items() if value is not None}
    field: T = dataclasses.field(default=default, metadata=metadata)
    return field


def schema(plugin: type) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a plugin's parameters."""
    hints = get_type_hints(plugin)
    properties: dict[str, Any] = {}
    for field in _fields(plugin):
        described = dict(field.metadata)
        limits = {k: v for k, v in described.items() if k not in ("description", "x-unit")}
        entry = _schema_of(hints[field.name], limits)
        entry |= {k: described[k] for k in ("description", "x-unit") if k in described}
        if field.default is not dataclasses.MISSING:
            entry["default"] = _plain(field.default)
        properties[field.name] = entry
    required = [f.name for f in _fields(plugin) if f.default is dataclasses.MISSING]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": plugin.__name__,
        "description": (plugin.__doc__ or "").strip().partition("\n")[0],
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def build(plugin: type[T], values: Mapping[str, Any], *, path: str = "parameters") -> T:
    """Make a plugin from ``values``, each checked against its declaration.

    Raises
    ------
    InvalidParameterError
        An unknown name, a wrong type or a value out of range; ``field`` is ``path.name``.
    """
    hints = get_type_hints(plugin)
    fields = {field.name: field for field in _fields(plugin)}
    for name in values:
        if name not in fields:
            known = ", ".join(sorted(fields)) or "none"
            raise InvalidParameterError(
                f"{plugin.__name__} has no parameter '{name}'; it has: {known}",
                field=f"{path}.{name}",
                parameter=name,
            )
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in values:
            raise InvalidParameterError(
                f"{plugin.__name__} needs the parameter '{name}'",
                field=f"{path}.{name}",
                parameter=name,
            )
    checked = {
        name: _checked(hints[name], value, fields[name].metadata, f"{path}.{name}")
        for name, value in values.items()
    }
    with under(path):
        return plugin(**checked)


@contextmanager
def under(path: str) -> Iterator[None]:
    """Let an error that a plugin raises about its ``parameters`` name the ``path`` they came by."""
    try:
        yield
    except InvalidParameterError as error:
        if error.field.partition(".")[0] in ("", "parameters"):
            error.field = path + error.field.removeprefix("parameters")
        raise


def values_of(plugin: object) -> dict[str, Any]:
    """Return every parameter of a built plugin, defaults included, as JSON values."""
    return {field.name: _plain(getattr(plugin, field.name)) for field in _fields(type(plugin))}


def _fields(plugin: type) -> tuple[dataclasses.Field[Any], ...]:
    if not dataclasses.is_dataclass(plugin):
        raise TypeError(f"{plugin.__qualname__} must be a dataclass to have parameters")
    return dataclasses.fields(plugin)


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _schema_of(hint: Any, limits: Mapping[str, Any]) -> dict[str, Any]:
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (arg for arg in get_args(hint) if arg is not type(None))
        described = _schema_of(inner, limits)
        described["type"] = [described["type"], "null"]
        if "enum" in described:
            described["enum"] = [*described["enum"], None]
        return described
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _schema_of(get_args(hint)[0], limits)}
    if get_origin(hint) is dict:
        return {"type": "object"}
    return {"type": _JSON_TYPES[hint], **limits}


def _checked(hint: Any, value: Any, limits: Mapping[str, Any], path: str) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        if value is None:
            return None
        (hint,) = (arg for arg in get_args(hint) if arg is not type(None))
    if get_origin(hint) is tuple:
        if not isinstance(value, (list, tuple)):
            raise _wrong(path, value, "a list")
        item = get_args(hint)[0]
        return tuple(_checked(item, v, limits, f"{path}[{i}]") for i, v in enumerate(value))
    if get_origin(hint) is dict:
        if not isinstance(value, Mapping):
            raise _wrong(path, value, "an object")
        return dict(value)
    return _in_range(_scalar(hint, value, path), limits, path)


def _scalar(hint: Any, value: Any, path: str) -> Any:
    if hint is bool and isinstance(value, bool):
        return value
    if hint is str and isinstance(value, str):
        return value
    if hint in (int, float) and isinstance(value, (int, float)) and not isinstance(value, bool):
        if hint is float and math.isfinite(_as_float(value)):
            return float(value)
        # JSON and protobuf's Struct carry whole numbers as doubles.
        if hint is int and math.isfinite(_as_float(value)) and value == int(value):
            return int(value)
    names = {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}
    raise _wrong(path, value, names[hint])


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # JSON's whole numbers have no end
        return math.inf


def _in_range(value: Any, limits: Mapping[str, Any], path: str) -> Any:
    too_low = value < limits["minimum"] if "minimum" in limits else False
    too_high = value > limits["maximum"] if "maximum" in limits else False
    if "exclusiveMinimum" in limits:
        too_low = too_low or value <= limits["exclusiveMinimum"]
    if "exclusiveMaximum" in limits:
        too_high = too_high or value >= limits["exclusiveMaximum"]
    if too_low or too_high:
        raise _wrong(path, value, f"a number in {_interval(limits)}")
    if "enum" in limits and value not in limits["enum"]:
        raise _wrong(path, value, "one of " + ", ".join(limits["enum"]))
    return value


def _interval(limits: Mapping[str, Any]) -> str:
    low = f"({limits['exclusiveMinimum']}" if "exclusiveMinimum" in limits else ""
    low = low or (f"[{limits['minimum']}" if "minimum" in limits else "(-inf")
    high = f"{limits['exclusiveMaximum']})" if "exclusiveMaximum" in limits else ""
    high = high or (f"{limits['maximum']}]" if "maximum" in limits else "inf)")
    return f"{low}, {high}"


def _wrong(path: str, value: object, wanted: str) -> InvalidParameterError:
    name = path.rpartition(".")[2]
    shown = repr(value) if len(repr(value)) <= 80 else repr(value)[:77] + "..."
    return InvalidParameterError(
        f"{name} must be {wanted}, not {shown}", field=path, parameter=name, value=shown
    )
