"""Laws of whatever is fitted, for every frame that may come: signals, kinds and kinds of cells."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from clarion.errors import InvalidFrameError, SignalMismatchError
from clarion.frames import Frame, Signal, SignalKind
from clarion.testing import data
from clarion.testing.answers import require_same
from clarion.testing.cases import FitCase
from clarion.testing.errors import law, refusal, require


@law
def check_signal_order_does_not_matter(case: FitCase) -> None:
    """A frame with the same signals in another order gets the same bytes."""
    wanted = case.answer(case.fitted, case.fresh)
    turned = case.fresh.aligned_to(case.fresh.names[::-1])
    require_same("with its signals in reverse", wanted, case.answer(case.fitted, turned))


@law
def check_wrong_signals_are_named(case: FitCase) -> None:
    """A missing and an unexpected signal are refused, and named."""
    names = case.fresh.names
    extra = _renamed(case.fresh, {}, Signal("stranger"))
    cases = [(_renamed(case.fresh, {names[0]: "alias"}), names[0]), (extra, "stranger")]
    if len(names) > 1:
        cases.append((_without_first(case.fresh), names[0]))
    for frame, named in cases:
        ask = partial(case.answer, case.fitted, frame)
        refusal(f"a frame with {frame.names}", ask, SignalMismatchError, naming=named)


def _renamed(frame: Frame, names: dict[str, str], *more: Signal) -> Frame:
    """Return ``frame`` with signals renamed, and ``more`` numeric ones holding zeros."""
    signals = tuple(replace(s, name=names.get(s.name, s.name)) for s in frame.signals)
    values = np.column_stack([frame.values, np.zeros((len(frame), len(more)))])
    return replace(frame, signals=signals + more, values=values)


def _without_first(frame: Frame) -> Frame:
    first = frame.signals[0]
    numeric = first.kind is SignalKind.NUMERIC
    return replace(
        frame,
        signals=frame.signals[1:],
        values=frame.values[:, 1:] if numeric else frame.values,
        codes=frame.codes if numeric else frame.codes[:, 1:],
    )


@law
def check_wrong_kinds_are_refused(case: FitCase) -> None:
    """A signal that comes with words where numbers were fitted is refused, and named."""
    if SignalKind.NUMERIC not in case.accepts:
        return
    first = case.fresh.signals[0]
    worded = replace(first, kind=SignalKind.CATEGORICAL, unit="", vocabulary=("low", "high"))
    n = len(case.fresh)
    frame = replace(
        case.fresh,
        signals=(worded, *case.fresh.signals[1:]),
        values=np.ascontiguousarray(case.fresh.values[:, 1:]),
        codes=np.column_stack([np.zeros(n, np.int32), case.fresh.codes]),
    )
    ask = partial(case.answer, case.fitted, frame)
    refusal("words for numbers", ask, InvalidFrameError, SignalMismatchError, naming=first.name)


@law
def check_words_count_not_codes(case: FitCase) -> None:
    """The same words under other codes get the same bytes: vocabularies may come in any order."""
    coded = case.fresh.of_kind(numeric=False)
    if not coded:
        return
    wanted = case.answer(case.fitted, case.fresh)
    last = len(coded[0].vocabulary) - 1
    signals = tuple(replace(s, vocabulary=s.vocabulary[::-1]) for s in case.fresh.signals)
    codes = np.where(case.fresh.codes < 0, -1, last - case.fresh.codes).astype(np.int32)
    turned = replace(case.fresh, signals=signals, codes=codes)
    require_same("with its vocabulary in reverse", wanted, case.answer(case.fitted, turned))


@law
def check_empty_frame(case: FitCase) -> None:
    """A frame without rows gets an answer without rows."""
    answer = case.answer(case.fitted, case.fresh.take(np.arange(0)))
    require(answer.values.shape[0] == 0, f"no rows get {answer.values.shape[0]} answers")


@law
def check_float32_cells(case: FitCase) -> None:
    """Cells sent as float32 get the same bytes as the same numbers sent as float64."""
    single = case.fresh.values.astype(np.float32)
    wanted = case.answer(case.fitted, data.changed(case.fresh, single.astype(np.float64)))
    got = case.answer(case.fitted, data.changed(case.fresh, single))
    require_same("sent as float32", wanted, got)


@law
def check_huge_values(case: FitCase) -> None:
    """Cells up to the largest double get sound answers."""
    frame = data.hostile(case.fresh)
    case.require_sound("with cells up to 1.8e308", frame, case.answer(case.fitted, frame))


@law
def check_missing_cells(case: FitCase) -> None:
    """Missing cells are taken where the traits say so; else they are refused, the signal named."""
    if case.plugin.traits.missing_values:
        _require_missing_taken(case)
        return
    for signal in case.fresh.signals:
        frame = data.with_one_missing(case.fresh, 5, signal)
        ask = partial(case.answer, case.fitted, frame)
        refusal(f"'{signal.name}' missing", ask, InvalidFrameError, naming=signal.name)
    holes = data.with_missing_cells(case.training)
    refusal("a fit on missing cells", partial(case.fit, holes), InvalidFrameError)


def _require_missing_taken(case: FitCase) -> None:
    asked = data.with_missing_cells(case.fresh)
    whole: Any = case.fitted
    holed: Any = case.fit(data.with_missing_cells(case.training))
    for what, fitted in (("fitted on whole rows", whole), ("fitted on missing cells", holed)):
        case.require_sound(f"{what}, asked about missing cells", asked, case.answer(fitted, asked))
