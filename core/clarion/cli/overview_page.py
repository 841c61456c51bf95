"""The page of an overview: every row's reasons, period by period, and pairs of signals."""

from __future__ import annotations

import numpy as np

from clarion.arrays import FloatArray
from clarion.cli import console
from clarion.evaluation.explanation_pictures import beeswarm, heat_map
from clarion.evaluation.page import card, page, section, table
from clarion.frames import Frame
from clarion_client import BulkExplanation, ExplanationPeriod


def overview_page(found: BulkExplanation, frame: Frame) -> str:
    """Return the whole page; ``frame`` are the rows that were explained."""
    told = found.overview
    sections = [_rows(found, frame)]
    sections += [_periods(found)] if told.periods else []
    sections += [_pairs(found)] if told.pairs else []
    return page(
        f"What {found.explained.model_version} looks at",
        f"{told.row_count:,} rows explained.",
        sections,
    )


def swarm(found: BulkExplanation, frame: Frame) -> str:
    """Draw every row's contributions, coloured by the signals' values."""
    names = [player.player for player in found.overview.players]
    attributions = found.explained.attributions
    if attributions is None:
        return beeswarm("contributions", names, *np.zeros((2, 0, len(names))))
    return beeswarm(
        "contributions of every row",
        names,
        attributions.contributions,
        _values(names, frame.take(attributions.rows)),
    )


def _values(names: list[str], frame: Frame) -> FloatArray:
    """Return the value of each signal in each row, ``(n, k)``; NaN where it is no number."""
    columns = {s.name: frame.values[:, j] for j, s in enumerate(frame.of_kind(numeric=True))}
    missing = np.full(len(frame), np.nan)
    return np.column_stack([columns.get(name, missing) for name in names]).astype(np.float64)


def _rows(found: BulkExplanation, frame: Frame) -> str:
    attributions = found.explained.attributions
    by = "" if attributions is None else f" By {attributions.method} ({attributions.label})."
    words = (
        "A dot a row: to the right where the signal pushed the score up. The signals with the "
        f"largest mean |contribution| are on top.{by}"
    )
    return section("Every row", words, card(swarm(found, frame)))


def _periods(found: BulkExplanation) -> str:
    told = found.overview
    names = [player.player for player in told.players]
    heads = [_since(period) for period in told.periods]
    sizes = np.array([period.mean_sizes for period in told.periods]).T
    cards = [
        card(heat_map("mean |contribution|", names, heads, sizes), heading="How much each matters")
    ]
    if told.periods[0].drifts:
        drifts = np.array([period.drifts for period in told.periods]).T
        cards.append(
            card(heat_map("drift", names, heads, drifts), heading="How far each has drifted")
        )
    words = (
        "Each column has equally many explained rows. Drift is the distance (Kolmogorov-Smirnov, 0 to "
        "1) between a signal's contributions here and those of the model's background rows."
    )
    return section("Period by period", words, *cards)


def _pairs(found: BulkExplanation) -> str:
    rows = [(p.first, p.second, f"{p.mean_size:.4g}") for p in found.overview.pairs[:15]]
    words = "What two signals add together beyond what each adds alone, mean size, in score units."
    return section(
        "Signals that act together", words, card(table(("signal", "signal", "size"), rows, [2]))
    )


def _since(period: ExplanationPeriod) -> str:
    moment = console.moment(period.start_time)
    return moment.partition(" ")[0] if moment else f"row {period.first_row}"
