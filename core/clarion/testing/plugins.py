"""Laws of every plugin, and of every one that fits: what it declares, learns and keeps."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from clarion import parameters
from clarion.detectors import FittedDetector, FittedSequenceDetector
from clarion.errors import InvalidParameterError
from clarion.features import FittedExtractor
from clarion.frames import Frame
from clarion.testing import data
from clarion.testing.answers import require_same
from clarion.testing.cases import DetectorCase, FitCase
from clarion.testing.errors import Case, law, refusal, require, works_or_refuses
from clarion.testing.streams import stored
from clarion.testing.threads import in_threads


@law
def check_parameters_are_described(case: Case) -> None:
    """Every parameter has a meaning and a range: its own value is taken, others are refused."""
    kind, own = type(case.plugin), parameters.values_of(case.plugin)
    require(kind.__dataclass_params__.frozen, "a plugin must be a frozen dataclass")
    parameters.build(kind, own)
    for name, described in parameters.schema(kind)["properties"].items():
        require(described.get("description"), f"the parameter '{name}' has no description")
        for value in _outside(described):
            build = partial(parameters.build, kind, own | {name: value})
            refusal(f"{name}={value!r}", build, InvalidParameterError, naming=name)


def _outside(described: dict[str, Any]) -> Iterator[Any]:
    """Yield values that the schema of a parameter excludes."""
    limits = described.get("items", described)
    outside: list[Any] = [object()]
    outside += [limits["minimum"] - 1] if "minimum" in limits else []
    outside += [limits["maximum"] + 1] if "maximum" in limits else []
    outside += [limits[name] for name in ("exclusiveMinimum", "exclusiveMaximum") if name in limits]
    outside += ["no such choice"] if "enum" in limits else []
    for value in outside:
        yield [value] if "items" in described else value


@law
def check_declares_what_it_is(case: FitCase) -> None:
    """``fit`` returns an instance of ``fitted``, which has all the methods of its kind."""
    fitted, declared = case.fitted, case.plugin.fitted
    require(
        type(fitted) is declared,
        f"'fitted' is {declared.__name__}, but fit returns a {type(fitted).__name__}",
    )
    if not isinstance(case, DetectorCase):
        require(isinstance(fitted, FittedExtractor), f"{declared.__name__} is no FittedExtractor")
        return
    wanted = FittedSequenceDetector if case.sequential else FittedDetector
    require(isinstance(fitted, wanted), f"{declared.__name__} is no {wanted.__name__}")
    require(
        case.sequential == isinstance(fitted, FittedSequenceDetector),
        "a detector that unrolls must declare the kind 'sequence'",
    )
    taken = fitted.inputs if case.sequential else fitted.signals
    require(taken == case.training.signals, f"it was fitted on other signals than {taken}")


@law
def check_fit_is_deterministic(case: FitCase) -> None:
    """Two fits with the same rows and seed give the same bytes."""
    wanted = case.answer(case.fitted, case.fresh)
    got = case.answer(case.fit(case.training), case.fresh)
    require_same("fitted a second time with the same seed", wanted, got)


@law
def check_state_round_trip(case: FitCase) -> None:
    """Restored from its stored state it answers with the same bytes, and has the same state."""
    state = case.fitted.state()
    restored = case.restore(stored(state))
    wanted = case.answer(case.fitted, case.fresh)
    require_same("restored from its state", wanted, case.answer(restored, case.fresh))
    again = restored.state()
    require(again.arrays.keys() == state.arrays.keys(), "restored, its state has other arrays")
    for name, array in state.arrays.items():
        require(
            (again.arrays[name].dtype, again.arrays[name].tobytes())
            == (array.dtype, array.tobytes()),
            f"restored, the array '{name}' of its state changes",
        )


@law
def check_inputs_are_left_alone(case: FitCase) -> None:
    """Fitting and answering neither change the caller's arrays nor keep hold of them."""
    values, codes = case.training.values.copy(), case.training.codes.copy()
    fitted = case.fit(data.changed(case.training, values, codes))
    require(np.array_equal(values, case.training.values), "fit changes the values it is given")
    asked = case.fresh.values.copy()
    wanted = case.answer(fitted, data.changed(case.fresh, asked))
    require(np.array_equal(asked, case.fresh.values), "answering changes the values it is given")
    values[:], codes[:] = 0.0, 0
    got = case.answer(fitted, case.fresh)
    require_same("after the caller wrote over the arrays of the fit", wanted, got)


@law
def check_threads_agree(case: FitCase) -> None:
    """One fitted object answers eight threads with different frames as it answers one."""
    rows = np.arange(len(case.fresh) - 32)  # few, for detectors that take a millisecond a row
    frames = [case.fresh.take(rows + 4 * i) for i in range(8)]
    wanted = [case.answer(case.fitted, frame) for frame in frames]
    asked = [partial(case.answer, case.fitted, frame) for frame in frames]
    for one, other in zip(wanted, in_threads(asked), strict=True):
        require_same("asked by eight threads at once", one, other)


@law
def check_few_rows(case: FitCase) -> None:
    """A fit on 0, 1, 2 or 5 rows works, or raises one of Clarion's own errors."""
    for n in (0, 1, 2, 5):
        _require_sound_fit(case, f"fitted on {n} rows", case.training.take(np.arange(n)))


@law
def check_constant_signals(case: FitCase) -> None:
    """Signals that never change in the fit do not spoil the answers."""
    _require_sound_fit(case, "fitted on constants", data.with_constant_signals(case.training))


@law
def check_duplicate_rows(case: FitCase) -> None:
    """A fit on rows of which nine in ten are equal does not spoil the answers."""
    _require_sound_fit(case, "fitted on duplicates", data.with_duplicate_rows(case.training))


def _require_sound_fit(case: FitCase, what: str, frame: Frame) -> None:
    """Require sound answers from a fit on ``frame``, on it and on others, or a typed error."""
    fitted = works_or_refuses(partial(case.fit, frame))
    if fitted is None:
        return
    for asked in (frame, case.fresh):
        case.require_sound(what, asked, case.answer(fitted, asked))
