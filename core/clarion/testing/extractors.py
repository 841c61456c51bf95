"""Laws of feature extractors: windows, and the lineage that leads back to the cells."""

from __future__ import annotations

import itertools

import numpy as np

from clarion.features import rows_by_asset
from clarion.frames import Frame
from clarion.testing import cells, lineage, plugins
from clarion.testing.answers import Answer, require_same
from clarion.testing.cases import ExtractorCase
from clarion.testing.errors import Check, law, require


@law
def check_rows_with_history_have_features(case: ExtractorCase) -> None:
    """Every row with ``history`` rows of its asset before it has features, in the frame's order."""
    frame, history = case.fresh, case.fitted.history
    wanted = np.sort(np.concatenate([rows[history:] for rows in rows_by_asset(frame)]))
    got = case.fitted.transform(frame).source_rows
    require(
        np.array_equal(wanted, got),
        f"with a history of {history}, features are due of {len(wanted)} rows, {wanted[:8]}...; "
        f"source_rows has {len(got)}, {got[:8]}...",
    )


@law
def check_any_cut_gives_the_same_features(case: ExtractorCase) -> None:
    """Rows of an asset sent in any pieces, each behind its history, get the same bytes."""
    frame = case.normal(len(case.fresh) // 2, seed=4, assets=False)
    wanted, n = case.answer(case.fitted, frame), len(frame)
    cuts = {"cut in two": [n // 2], "cut in four": [1, n // 3, n - 2]}
    for name, places in (cuts | {"sent row by row": [*range(n - 20, n)]}).items():
        require_same(name, wanted, _in_pieces(case, frame, places))


def _in_pieces(case: ExtractorCase, frame: Frame, cuts: list[int]) -> Answer:
    """Return the features of one asset's rows, sent in pieces behind the rows that they need."""
    rows, values = [], []
    for start, stop in itertools.pairwise([0, *cuts, len(frame)]):
        first = max(0, start - case.fitted.history)
        answer = case.answer(case.fitted, frame.take(slice(first, stop)))
        new = answer.rows + first >= start
        rows.append(answer.rows[new] + first)
        values.append(answer.values[new])
    return Answer(np.concatenate(rows), np.concatenate(values), answer.names)


@law
def check_windows_never_cross_assets(case: ExtractorCase) -> None:
    """An asset's rows get the same bytes alone as interleaved with another's."""
    together = case.answer(case.fitted, case.fresh)
    for rows in rows_by_asset(case.fresh):
        name = case.fresh.asset_of(int(rows[0])).name
        alone = case.answer(case.fitted, case.fresh.take(rows))
        require_same(f"with '{name}' alone", together.take(rows), alone)


def extractor_checks() -> tuple[Check[ExtractorCase], ...]:
    """Return the laws of feature extractors."""
    return (
        plugins.check_parameters_are_described,
        plugins.check_declares_what_it_is,
        plugins.check_fit_is_deterministic,
        plugins.check_state_round_trip,
        plugins.check_inputs_are_left_alone,
        plugins.check_threads_agree,
        plugins.check_few_rows,
        plugins.check_constant_signals,
        plugins.check_duplicate_rows,
        cells.check_signal_order_does_not_matter,
        cells.check_wrong_signals_are_named,
        cells.check_wrong_kinds_are_refused,
        cells.check_words_count_not_codes,
        cells.check_empty_frame,
        cells.check_float32_cells,
        cells.check_huge_values,
        cells.check_missing_cells,
        check_rows_with_history_have_features,
        check_any_cut_gives_the_same_features,
        check_windows_never_cross_assets,
        lineage.check_reads_are_real,
        lineage.check_traces_fit_the_frame,
        lineage.check_linear_weights_are_derivatives,
        lineage.check_untraced_cells_do_not_matter,
    )
