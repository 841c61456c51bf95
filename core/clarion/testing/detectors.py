"""Laws of detectors: what a score must not depend on, and what it must show."""

from __future__ import annotations

import numpy as np

from clarion.arrays import Int64Array
from clarion.frames import Frame
from clarion.testing import capabilities, cells, data, plugins, sequences
from clarion.testing.answers import Answer, require_same
from clarion.testing.cases import DetectorCase
from clarion.testing.errors import Check, law, require


@law
def check_rows_are_independent(case: DetectorCase) -> None:
    """A row's score has the same bytes alone, in any batch, at any place, beside any row."""
    rows = case.scorable_rows(case.fresh)
    everything = np.arange(len(rows))
    wanted = _scores(case, rows, everything)
    shuffled = np.random.default_rng(7).permutation(everything)
    batches = {
        "asked a second time": [everything],
        "in reverse": [everything[::-1]],
        "shuffled": [shuffled],
        "in two batches": [everything[:5], everything[5:]],
        "beside a copy of every row": [np.repeat(everything, 2)],
        "alone": [everything[i : i + 1] for i in range(0, len(rows), 5)],
    }
    for name, parts in batches.items():
        for part in parts:
            require_same(f"{name}, of {part[:4]}...", wanted.take(part), _scores(case, rows, part))
    beside = case.scorable_rows(data.hostile(case.fresh))
    kept = everything[_same_rows(rows, beside)]
    got = _scores(case, beside, np.arange(len(beside))).take(kept)
    require_same("beside huge rows", wanted.take(kept), got)


def _scores(case: DetectorCase, rows: Frame, part: Int64Array) -> Answer:
    scores = case.fitted.score(rows.take(part))
    return Answer(np.arange(len(part)), np.asarray(scores)[:, None], ("score",))


def _same_rows(one: Frame, other: Frame) -> Int64Array:
    return np.flatnonzero((one.values == other.values).all(axis=1))


@law
def check_spike_scores_highest(case: DetectorCase) -> None:
    """A row far from normal scores higher than the normal ones before it; in a sequence, a shift.

    Some sequence detectors only see what lasts: for them it lasts, and the highest score may fall
    on any row of it.
    """
    first = data.SPIKE_ROW + case.warm_up
    last = first + 20 + case.warm_up if case.sequential else first
    frame = case.normal(last + 1, seed=2, assets=False)
    for row in range(first, last + 1):
        frame = data.spiked(frame, row)
    answer = case.answer(case.fitted, frame)
    scores, strange = answer.values[:, 0], answer.rows >= first
    calm = int(np.argmax(np.where(strange, -np.inf, scores)))
    require(
        scores[strange].max() > scores[calm],
        f"row {first} is the spike and scores {scores[strange].max():.6g}, but row "
        f"{answer.rows[calm]} is normal and scores {scores[calm]:.6g}",
    )


def detector_checks() -> tuple[Check[DetectorCase], ...]:
    """Return the laws of both kinds of detectors; those of sequences let row detectors pass."""
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
        check_rows_are_independent,
        check_spike_scores_highest,
        capabilities.check_additive_terms,
        capabilities.check_quadratic_form,
        capabilities.check_product_kernel,
        capabilities.check_tree_ensemble,
        capabilities.check_neighbours,
        capabilities.check_gradient,
        capabilities.check_feed_forward,
        capabilities.check_linked_sum,
        sequences.check_any_cut_gives_the_same_scores,
        sequences.check_memory_can_be_stored,
        sequences.check_memory_is_not_changed,
        sequences.check_memory_is_bounded,
        sequences.check_unrolled_rows_lead_back,
        sequences.check_unrolled_signals_read_what_they_say,
    )
