"""What a pipeline answers: scores with reasons, columnar, and a record for each explained row."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.errors import InvalidParameterError
from clarion.explainers import Attribution, Label
from clarion.explaining.cache import Hits
from clarion.explaining.players import Player, PlayerChoice
from clarion.pipeline.constraints import SignalConstraint
from clarion.pipeline.silence import Silence
from clarion.pipeline.watching import StreamReport

DEFAULT_EVALUATIONS = 2048
RELIABLE_FIT = 0.5
"""A cross-check with a smaller R² is called unreliable (SCIENCE: LIME on a step function)."""


class ExplainedRows(StrEnum):
    """Which rows get an explanation."""

    NONE = "none"
    ANOMALOUS = "anomalous"
    ALL = "all"


class View(StrEnum):
    """How much is built for each explained row."""

    COLUMNS = "columns"
    """Attributions only, no records."""
    BASIC = "basic"
    """Records with ranking, culprits, cross-checks and summary."""
    FULL = "full"
    """Also each raw cell's contribution."""


@dataclass(frozen=True, slots=True)
class ExplanationPolicy:
    """What to explain, and how.

    Attributes
    ----------
    rows
        Which rows; or, as a tuple, the very rows of the frame.
    explainer
        Name of the explainer; empty for the best label within the budget.
    cross_checks
        Names of cross-checks to lay beside it.
    max_evaluations
        Rows that may be scored to explain one row, in [0, 1 000 000]; None for
        `DEFAULT_EVALUATIONS`, or what the cheapest explainer needs where that is more.
    allow_unexplained
        Answer without explanations where no explainer fits, instead of raising.
    view
        How much each record holds. The full one explains features too, where they are not the
        players: both count as evaluations.
    players
        Among whom each score is shared out; the raw signals unless said.
    constraints
        What signals may become where it is said what would look normal.
    """

    rows: ExplainedRows | tuple[int, ...] = ExplainedRows.ANOMALOUS
    explainer: str = ""
    cross_checks: tuple[str, ...] = ()
    max_evaluations: int | None = None
    allow_unexplained: bool = False
    view: View = View.BASIC
    players: PlayerChoice = field(default_factory=PlayerChoice)
    constraints: tuple[SignalConstraint, ...] = ()

    def __post_init__(self) -> None:
        for index, constraint in enumerate(self.constraints):
            constraint.check(f"policy.constraints[{index}]")
        if self.max_evaluations is not None and not 0 <= self.max_evaluations <= 1_000_000:
            raise InvalidParameterError(
                f"max_evaluations must be in [0, 1000000], not {self.max_evaluations}",
                field="policy.max_evaluations",
            )


@dataclass(frozen=True, slots=True)
class SignalReason:
    """One signal's part in a score; ``value`` and ``expected`` in its unit, None where not a number.

    ``ranking_score``, >= 0 and unitless, is how far the signal departs from its own normal
    behaviour, whatever the detector made of it; it compares between the rows of one model.
    """

    signal: str
    value: float | None
    word: str
    expected: float | None
    unit: str
    contribution: float
    share: float
    standard_error: float | None
    ranking_score: float


@dataclass(frozen=True, slots=True)
class PlayerReason:
    """One player's part in a score, where players are not the raw signals themselves."""

    player: Player
    contribution: float
    share: float
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class Culprit:
    """A signal whose return to ``normal_value`` (or ``normal_word``) helps to clear the alarm.

    The fields are those of ``clarion.v1.Culprit``, which says what each means.
    """

    signal: str
    value: float | None
    word: str
    normal_value: float | None
    normal_word: str
    unit: str
    change_deviations: float | None = None
    still_anomalous_value: float | None = None
    span_rows: int = 0
    span_value: float | None = None
    span_normal_value: float | None = None
    normal_path: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """A local linear look at the score: one value a signal, with the R² of the fit.

    ``lows`` and ``highs`` are the ends of the values' 95 % intervals; empty where none were given.
    """

    method: str
    signals: tuple[str, ...]
    values: tuple[float, ...]
    fit_quality: float
    value_function: str
    lows: tuple[float, ...] = ()
    highs: tuple[float, ...] = ()

    @property
    def reliable(self) -> bool:
        """Whether R² reaches `RELIABLE_FIT`."""
        return self.fit_quality >= RELIABLE_FIT


@dataclass(frozen=True, slots=True)
class CellReason:
    """One raw cell's part in a score; ``lag`` rows of the asset before the explained one.

    ``value`` is in ``unit``, None where missing or not a number; ``word`` that of a coded signal.
    """

    signal: str
    lag: int
    time: int | None
    value: float | None
    contribution: float
    unit: str = ""
    word: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything about one explained row; times in int64 nanoseconds since 1970 UTC.

    The fields are those of ``clarion.v1.Explanation``, which says what each means.
    """

    id: str
    row: int
    row_id: str
    asset: str
    time: int | None
    since: int | None
    run_count: int
    anomalous: bool
    score: float
    p_value: float
    threshold: float
    base_value: float
    label: Label
    method: str
    signal_ranking: tuple[SignalReason, ...]
    culprits: tuple[Culprit, ...]
    cleared_score: float
    cleared_p_value: float
    cross_checks: tuple[CrossCheck, ...]
    cells: tuple[CellReason, ...]
    summary: str
    player_ranking: tuple[PlayerReason, ...] = ()
    cells_label: Label | None = None
    minimum_proven: bool = False
    semi_factual_score: float | None = None
    plausibility: float | None = None
    extrapolated: bool = False
    false_alarms_per_week: float | None = None

    @property
    def margin(self) -> float:
        """How far the score is below the threshold; negative for an anomalous row."""
        return self.threshold - self.score


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Scores with reasons for one frame.

    Attributes
    ----------
    scores, p_values, anomalous, extrapolated
        Shape ``(n,)``, one for each row that has a score; the last one says which p-values are smaller
        than the calibration rows can show.
    source_rows
        Shape ``(n,)``: the frame's row that each score stands for.
    threshold, false_alarm_rate
        The smallest anomalous score, and the rate that set it.
    class_thresholds
        Asset classes that are calibrated alone, and the smallest anomalous score of each.
    stream
        What is told of the stream; None for a batch. Where its rows met levels of their own, ``threshold``
        and ``false_alarm_rate`` are those of the last one.
    explained
        Shape ``(m,)``: indices into ``scores`` of the rows explained.
    attribution
        By player, shape ``(m, n_players)``: by raw signal, in the order of the model's signals,
        unless the policy chose other players. None where nothing was asked for or nothing fitted.
    explanations
        A record for each explained row; empty for ``View.COLUMNS``.
    signals
        Names of the model's signals.
    players
        The columns of ``attribution``; empty where they are the signals.
    hits
        Rows explained, and how many of them an earlier call had paid for.
    silence
        On a stream, what is known of its assets' silence; None where no cadence was learned.
    """

    scores: FloatArray
    p_values: FloatArray
    anomalous: BoolArray
    extrapolated: BoolArray
    source_rows: Int64Array
    threshold: float
    false_alarm_rate: float
    explained: Int64Array
    attribution: Attribution | None
    explanations: tuple[Explanation, ...]
    signals: tuple[str, ...]
    players: tuple[Player, ...] = ()
    hits: Hits = field(default_factory=Hits)
    class_thresholds: tuple[tuple[str, float], ...] = ()
    stream: StreamReport | None = None
    silence: Silence | None = None
