"""Parameters: what the schema says and what `build` takes are the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clarion.errors import InvalidParameterError
from clarion.parameters import build, parameter, schema, values_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """One of each. And a second sentence."""

    count: int = parameter(5, "A count.", minimum=1, maximum=10, unit="rows")
    share: float = parameter(0.5, "A share.", exclusive_minimum=0.0, exclusive_maximum=1.0)
    free: float = parameter(0.0, "Any number.")
    on: bool = parameter(True, "A switch.")
    word: str = parameter("b", "A choice.", choices=("a", "b"))
    text: str = parameter("", "Any text.")
    maybe: float | None = parameter(None, "A number or null.", minimum=0.0)
    which: str | None = parameter(None, "A choice or null.", choices=("a", "b"))
    sizes: tuple[int, ...] = parameter((1, 2), "Several counts.", minimum=1, maximum=10)
    words: tuple[str, ...] = parameter(("a",), "Several choices.", choices=("a", "b"))
    steps: tuple[dict[str, Any], ...] = parameter((), "Nested steps.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Needy:
    """Has a parameter without a default."""

    path: str = field(metadata={"description": "A path."})


NUMBERS = st.one_of(st.integers(-3, 13), st.floats(-3, 13), st.sampled_from([1.0, 2.5, 10**400]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.sampled_from(["a", "b", "c", ""])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
    ),
    max_leaves=4,
)
VALIDATOR = jsonschema.Draft202012Validator(schema(Everything))


def test_the_schema_is_valid_json_schema() -> None:
    described = schema(Everything)
    jsonschema.Draft202012Validator.check_schema(described)
    assert json.loads(json.dumps(described)) == described
    assert described["title"] == "Everything"
    assert described["description"] == "One of each. And a second sentence."
    assert described["required"] == []
    assert described["properties"]["count"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 10,
        "description": "A count.",
        "x-unit": "rows",
        "default": 5,
    }
    assert described["properties"]["sizes"]["items"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 10,
    }


def test_defaults_are_valid() -> None:
    values = values_of(Everything())
    assert json.loads(json.dumps(values)) == values
    VALIDATOR.validate(values)
    assert build(Everything, values) == Everything() == build(Everything, {})


@given(st.dictionaries(st.sampled_from([*values_of(Everything()), "other"]), VALUES, max_size=2))
@example({"count": 10**400})
@example({"free": 10**400})
@example({"free": -(10**400)})
@example({"count": 3.0})
@example({"count": True})
@example({"which": None})
def test_build_takes_what_the_schema_takes(values: dict[str, Any]) -> None:
    beyond_float = any(abs(v) > 1e308 for v in flat(values) if type(v) is int)
    if VALIDATOR.is_valid(values) and not beyond_float:
        plugin = build(Everything, values)
        assert values_of(plugin) == values_of(Everything()) | values
        assert all(type(size) is int for size in (plugin.count, *plugin.sizes))
        assert type(plugin.share) is type(plugin.free) is float
    else:
        with pytest.raises(InvalidParameterError) as caught:
            build(Everything, values, path="spec.detector.parameters")
        name = caught.value.metadata["parameter"]
        assert caught.value.field.startswith("spec.detector.parameters.")
        assert name in caught.value.message
        assert len(caught.value.message) < 300


def flat(value: Any) -> list[Any]:
    if isinstance(value, (list, dict)):
        inner = value.values() if isinstance(value, dict) else value
        return [leaf for item in inner for leaf in flat(item)]
    return [value]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_are_finite(value: float) -> None:
    for name in ("count", "free", "maybe"):
        with pytest.raises(InvalidParameterError, match=f"{name} must be"):
            build(Everything, {name: value})


@pytest.mark.parametrize(
    ("values", "said", "at"),
    [
        ({"cuont": 1}, "Everything has no parameter 'cuont'; it has: count, free", "p.cuont"),
        ({"count": 0}, r"count must be a number in \[1, 10\], not 0", "p.count"),
        ({"share": 1.0}, r"share must be a number in \(0.0, 1.0\), not 1.0", "p.share"),
        ({"maybe": -1.0}, r"maybe must be a number in \[0.0, inf\), not -1.0", "p.maybe"),
        ({"count": 1.5}, "count must be a whole number, not 1.5", "p.count"),
        ({"on": 1}, "on must be true or false, not 1", "p.on"),
        ({"text": 1}, "text must be text, not 1", "p.text"),
        ({"word": "c"}, "word must be one of a, b, not 'c'", "p.word"),
        ({"sizes": 3}, "sizes must be a list, not 3", "p.sizes"),
        ({"sizes": [1, 11]}, r"sizes\[1\] must be a number in \[1, 10\], not 11", "p.sizes[1]"),
        ({"steps": [{}, 1]}, r"steps\[1\] must be an object, not 1", "p.steps[1]"),
        ({"text": ["x" * 10_000]}, r"text must be text, not \['xxx.*\.\.\.", "p.text"),
    ],
)
def test_a_wrong_value_is_named_with_its_path(values: dict[str, Any], said: str, at: str) -> None:
    with pytest.raises(InvalidParameterError, match=said) as caught:
        build(Everything, values, path="p")
    assert caught.value.field == at


def test_a_parameter_without_a_default_is_required() -> None:
    assert schema(Needy)["required"] == ["path"]
    assert build(Needy, {"path": "x"}).path == "x"
    with pytest.raises(InvalidParameterError, match="Needy needs the parameter 'path'") as caught:
        build(Needy, {})
    assert caught.value.field == "parameters.path"


def test_a_plugin_that_is_no_dataclass_is_told() -> None:
    with pytest.raises(TypeError, match="int must be a dataclass"):
        schema(int)


def test_a_plugins_own_check_keeps_the_path() -> None:
    @dataclass(frozen=True)
    class Picky:
        size: int = parameter(1, "A size.")

        def __post_init__(self) -> None:
            if self.size == 2:
                raise InvalidParameterError("not 2", field="parameters.size")

    with pytest.raises(InvalidParameterError, match="not 2") as caught:
        build(Picky, {"size": 2}, path="spec.detector.parameters")
    assert caught.value.field == "spec.detector.parameters.size"
