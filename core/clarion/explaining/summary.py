"""Summary: one deterministic paragraph for people; every number in it is a field of the record."""

from __future__ import annotations

from datetime import UTC, datetime

from clarion.explainers import Label
from clarion.pipeline.answer import Culprit, Explanation, PlayerReason, SignalReason

TOP_SIGNALS = 3

_TRUST = {
    Label.EXACT: "exact Shapley values",
    Label.ADDITIVE: "contributions that add up to the score, not its Shapley values",
    Label.SAMPLED: "sampled estimates",
}


def summarise(record: Explanation) -> str:
    """Return what, where, when, the signals that made the score, and what would look normal."""
    sentences = [_verdict(record), _signals(record)]
    if record.anomalous:
        sentences.append(_strangest(record))
    sentences.append(_counterfactual(record) if record.anomalous else _why_not(record))
    sentences.extend(_cross_checks(record))
    return " ".join(sentence for sentence in sentences if sentence)


def number(value: float) -> str:
    """Return ``value`` as the summary prints it: four significant digits."""
    return f"{value:.4g}"


def moment(nanoseconds: int) -> str:
    """Return a time as the summary prints it: ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _verdict(record: Explanation) -> str:
    where = f"asset {record.asset}, " if record.asset else ""
    where += f"row {record.row_id or record.row}"
    when = f" at {moment(record.time)}" if record.time is not None else ""
    verdict = "anomalous" if record.anomalous else "normal"
    since = ""
    if record.anomalous and record.run_count > 1:
        began = f" since {moment(record.since)}" if record.since is not None else ""
        since = f", row {record.run_count} of a run{began}"
    relation = "reaches" if record.anomalous else "is below"
    how = " (extrapolated)" if record.extrapolated else ""
    weekly = ""
    if record.false_alarms_per_week is not None:
        weekly = (
            f" At this threshold {number(record.false_alarms_per_week)} false alarms are expected in a "
            "week of one asset."
        )
    return (
        f"{where[0].upper()}{where[1:]}{when} is {verdict}{since}: score {number(record.score)} "
        f"{relation} the threshold {number(record.threshold)}, p = {number(record.p_value)}{how}."
        f"{weekly}"
    )


def _signals(record: Explanation) -> str:
    top = [_reason(r) for r in _makers(record)]
    top += [_part(r) for r in record.player_ranking[:TOP_SIGNALS] if r.contribution > 0]
    if not top:
        return "No signal raised the score above its base value."
    return f"It is made by {'; '.join(top)} ({record.method}: {_TRUST[record.label]})."


def _makers(record: Explanation) -> list[SignalReason]:
    """Return the signals that raised the score most, the strongest first."""
    ranked = sorted(record.signal_ranking, key=lambda reason: -reason.contribution)
    return [reason for reason in ranked[:TOP_SIGNALS] if reason.contribution > 0]


def _strangest(record: Explanation) -> str:
    """Return the signals that are furthest from their own normal behaviour, unless all were named."""
    top = [r for r in record.signal_ranking[:TOP_SIGNALS] if r.ranking_score > 0]
    if {r.signal for r in top} <= {r.signal for r in _makers(record)}:
        return ""
    named = "; ".join(f"{r.signal} ({number(r.ranking_score)} deviations)" for r in top)
    return f"Furthest from their own normal behaviour: {named}."


def _part(reason: PlayerReason) -> str:
    return f"{reason.player.name} ({number(100 * reason.share)} %)"


def _reason(reason: SignalReason) -> str:
    seen = _shown(reason.value, reason.word, reason.unit)
    normally = ""
    if reason.expected is not None:
        normally = f", normally {_shown(reason.expected, '', reason.unit)}"
    return f"{reason.signal} = {seen}{normally} ({number(100 * reason.share)} %)"


def _counterfactual(record: Explanation) -> str:
    if not record.culprits:
        return "No small set of signals was found whose return to normal clears it."
    changes = " and ".join(_change(culprit) for culprit in record.culprits)
    proven = "; no smaller set clears it" if record.minimum_proven else ""
    return (
        f"It would look normal if {changes} (score {number(record.cleared_score)}, "
        f"p = {number(record.cleared_p_value)}{proven}).{_still(record)}"
    )


def _change(culprit: Culprit) -> str:
    if culprit.span_rows > 1 and culprit.span_normal_value is not None:
        usual = _shown(culprit.span_normal_value, "", culprit.unit)
        return f"{culprit.signal} had averaged {usual} over its last {culprit.span_rows} rows"
    if culprit.normal_value is None and not culprit.normal_word:
        return f"{culprit.signal} had behaved as usual"
    return (
        f"{culprit.signal} were {_shown(culprit.normal_value, culprit.normal_word, culprit.unit)}"
    )


def _still(record: Explanation) -> str:
    """Return where it would still be anomalous; empty where no number says so."""
    where = [
        f"{culprit.signal} = {_shown(culprit.still_anomalous_value, '', culprit.unit)}"
        for culprit in record.culprits
        if culprit.still_anomalous_value is not None
    ]
    if not where or record.semi_factual_score is None:
        return ""
    return (
        f" It is still anomalous at {', '.join(where)} (score {number(record.semi_factual_score)})."
    )


def _why_not(record: Explanation) -> str:
    """Return how far a normal row is from an alarm, and which signals brought it closest."""
    top = [r.signal for r in _makers(record)]
    top += [r.player.name for r in record.player_ranking[:TOP_SIGNALS] if r.contribution > 0]
    closest = f", with {', '.join(top)} closest to one" if top else ""
    return f"It is {number(record.margin)} below an alarm{closest}."


def _cross_checks(record: Explanation) -> list[str]:
    return [
        f"{check.method}: R² = {number(check.fit_quality)}"
        + ("." if check.reliable else ", a local linear look is unreliable here.")
        for check in record.cross_checks
    ]


def _shown(value: float | None, word: str, unit: str) -> str:
    if value is None:
        return f"'{word}'" if word else "missing"
    return f"{number(value)} {unit}".rstrip()
