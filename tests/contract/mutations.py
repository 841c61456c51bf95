"""For each law, one line of a correct plugin changed so that this law alone is broken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutation:
    """``line`` of ``broken/{module}.py`` becomes ``broken``, and ``plugin`` breaks ``check`` alone."""

    check: str
    module: str
    plugin: str
    line: str
    broken: str


_ORDER = "check_signal_order_does_not_matter"
_TYPICAL = "typical = values[len(values) // 2].copy()"
_SCALE = "scale = robust_scale(chosen)[1]"
_ROWS = 'require_rows(len(frame), 2, "a scale")'
_MAD = "np.median(np.abs(values - np.median(values, axis=0)), axis=0)"


def _shared(kept: str, expression: str) -> str:
    """Return a line that lays ``expression`` where all threads write, and takes it from there."""
    return (
        f"import time; memo = globals(); memo['last'] = {expression}; "
        f"time.sleep(0.001); {kept} = memo['last']"
    )


def _fitting(module: str, plugin: str, signals: str) -> list[Mutation]:
    """Return the mutations that detector and extractor share; ``signals`` holds those fitted."""
    ask, names = f"values = complete(frame, {signals})", f"[s.name for s in {signals}]"
    picked = f"frame.numeric()[:, [frame.names.index(name) for name in {names}]]"
    coded = "np.column_stack([frame.codes, frame.values]), [Signal(n) for n in frame.names]"
    lines = {
        "check_parameters_are_described": ('"Rows drawn to learn the scale from."', '""'),
        "check_fit_is_deterministic": ("rng = context.rng", "rng = np.random.default_rng()"),
        "check_inputs_are_left_alone": (_TYPICAL, _TYPICAL.removesuffix(".copy()")),
        "check_few_rows": (_ROWS, _ROWS.replace("2", "0")),
        "check_constant_signals": (_SCALE, "scale = chosen.std(axis=0)"),
        "check_duplicate_rows": (
            _SCALE,
            f"scale = np.where(np.ptp(values, axis=0) > 0, {_MAD}, 1.0)",
        ),
        _ORDER: (ask, f"values = (frame.aligned_to({names}), complete(frame, frame.signals))[1]"),
        "check_wrong_signals_are_named": (
            ask,
            f"values = complete(frame.with_numeric({picked}, {signals}), {signals})",
        ),
        "check_wrong_kinds_are_refused": (
            ask,
            f"values = complete(frame.with_numeric({coded}), {signals})",
        ),
        "check_empty_frame": (ask, f"{ask} + 0.0 * frame.values.max()"),
        "check_missing_cells": (ask, f"values = frame.aligned_to({names}).numeric()"),
        "check_state_round_trip": (
            '"scale": self.scale}',
            '"scale": self.scale.astype(np.float32).astype(np.float64)}',
        ),
    }
    return [Mutation(check, module, plugin, *pair) for check, pair in lines.items()]


def _all(module: str, plugin: str, lines: dict[str, tuple[str, str]]) -> list[Mutation]:
    return [Mutation(check, module, plugin, *pair) for check, pair in lines.items()]


_SQUARES = "squares = np.square(scaled(values, self.typical, self.scale))"

DETECTORS = [
    *_fitting("correct_detector", "TypicalRow", "self.signals"),
    *_all(
        "correct_detector",
        "TypicalRow",
        {
            "check_declares_what_it_is": (
                "return FittedTypicalRow(signals, typical, scale)",
                "return FittedTypicalRow(tuple(Signal(s.name) for s in signals), typical, scale)",
            ),
            "check_threads_agree": (_SQUARES, _shared(*_SQUARES.split(" = ", 1))),
            "check_float32_cells": (
                _SQUARES,
                (
                    "squares = np.square(scaled(values, self.typical, self.scale)"
                    ".astype(frame.values.dtype))"
                ),
            ),
            "check_huge_values": (
                _SQUARES,
                "squares = np.square((values - self.typical) / self.scale)",
            ),
            "check_rows_are_independent": (_SQUARES, f"{_SQUARES} + 1e-12 * len(frame)"),
            "check_spike_scores_highest": ("return total", "return -total"),
        },
    ),
    Mutation(
        "check_words_count_not_codes",
        "correct_rarity",
        "Rarity",
        "vocabulary = ordered.signals[column].vocabulary",
        "vocabulary = self.signals[column].vocabulary",
    ),
    *_all(
        "correct_capable",
        "Distance",
        {
            "check_additive_terms": (
                "return np.square(values)",
                "return np.square(values) * np.square(values).mean(axis=1, keepdims=True)",
            ),
            "check_quadratic_form": (
                "return Quadratic(np.zeros(d), np.eye(d))",
                "return Quadratic(np.zeros(d), np.eye(d) / d)",
            ),
            "check_neighbours": (
                "return np.zeros((len(frame), 1, len(self.signals)))",
                "return np.full((len(frame), 1, len(self.signals)), 0.1)",
            ),
        },
    ),
    Mutation(
        "check_product_kernel",
        "correct_capable",
        "Bump",
        "np.full(d, _GAMMA), offset=1.0)",
        "np.full(d, _GAMMA))",
    ),
    Mutation(
        "check_gradient",
        "correct_capable",
        "Bump",
        "return 2.0 * _GAMMA * points * bump[:, None]",
        "return 2.0 * _GAMMA * np.abs(points) * bump[:, None]",
    ),
    Mutation(
        "check_feed_forward",
        "correct_capable",
        "Hinges",
        "return Layers(weights, (np.zeros(2 * d), np.zeros(1)), _LEAK)",
        "return Layers(weights, (np.zeros(2 * d), np.zeros(1)), 0.0)",
    ),
    Mutation(
        "check_linked_sum",
        "correct_capable",
        "Roots",
        "factor = 0.5 if member else 2.0",
        "factor = 1.5 if member else 2.0",
    ),
    Mutation(
        "check_tree_ensemble",
        "correct_capable",
        "Stumps",
        "zero + self.rows, self.rows - self.above, self.above",
        "zero + self.rows, self.above, self.above",
    ),
    *_all(
        "correct_sequence",
        "Jumps",
        {
            "check_any_cut_gives_the_same_scores": (
                'last = memory.arrays["last"]',
                "last = np.zeros(len(self.inputs))",
            ),
            "check_memory_can_be_stored": (
                'rows = memory.parameters["rows"] + len(frame)',
                'rows = np.int64(memory.parameters["rows"] + len(frame))',
            ),
            "check_memory_is_not_changed": (
                'after = {"last": path[-1].copy()}',
                'last[:] = path[-1]; after = {"last": last}',
            ),
            "check_memory_is_bounded": (
                'after = {"last": path[-1].copy()}',
                (
                    'after = {"last": path[-1].copy(), '
                    '"seen": np.append(memory.arrays.get("seen", []), points)}'
                ),
            ),
            "check_unrolled_rows_lead_back": (
                "signs = np.array([1.0, -1.0])[: 1 + len(before)]",
                "signs = np.array([1.0, 1.0])[: 1 + len(before)]",
            ),
            "check_unrolled_signals_read_what_they_say": (
                'return {f"{signal.name}.jump": (signal.name,) for signal in self.inputs}',
                'return {f"{s.name}.jump": (self.inputs[0].name,) for s in self.inputs}',
            ),
        },
    ),
]

_POINTS = "points = scaled(values, self.center, self.scale)"
_PICKED = "picked = np.stack([rows[:-2], rows[1:-1], rows[2:]], axis=1)"
_MEAN = "mean = (points[picked[:, 0]] + points[picked[:, 1]] + points[picked[:, 2]]) / 3"
_FITTED = "fitted: ClassVar[type[FittedTrailingMean]] = FittedTrailingMean"

FEATURES = [
    *_fitting("correct_extractor", "TrailingMean", "self.inputs"),
    *_all(
        "correct_extractor",
        "TrailingMean",
        {
            "check_declares_what_it_is": (
                _FITTED,
                'fitted = type("Another", (FittedTrailingMean,), {})',
            ),
            "check_threads_agree": (_POINTS, _shared(*_POINTS.split(" = ", 1))),
            "check_float32_cells": (
                _POINTS,
                "points = scaled(values, self.center, self.scale).astype(frame.values.dtype)",
            ),
            "check_huge_values": (_POINTS, "points = (values - self.center) / self.scale"),
            "check_rows_with_history_have_features": ("        return 2", "        return 3"),
            "check_any_cut_gives_the_same_features": (
                _MEAN,
                (
                    "sums = np.cumsum(np.vstack([np.zeros(points.shape[1]), points[rows]]), axis=0); "
                    "mean = (sums[3:] - sums[:-3]) / 3"
                ),
            ),
            "check_windows_never_cross_assets": (
                _PICKED,
                "picked = np.stack([rows[2:] - 2, rows[2:] - 1, rows[2:]], axis=1)",
            ),
            "check_reads_are_real": (
                'return {f"{signal.name}.mean": (signal.name,) for signal in self.inputs}',
                'return {f"{s.name}.mean": (self.inputs[0].name,) for s in self.inputs}',
            ),
            "check_traces_fit_the_frame": (
                "np.ones(d, np.bool_))",
                "np.ones(d + 1, np.bool_))",
            ),
            "check_linear_weights_are_derivatives": (
                "1.0 / self.scale[feature] / 3",
                "1.0 / self.scale[feature]",
            ),
            "check_untraced_cells_do_not_matter": (
                "rows = self.windows[index]",
                "rows = self.windows[index][[0, 2]]",
            ),
        },
    ),
    Mutation(
        "check_words_count_not_codes",
        "correct_words",
        "CommonWord",
        "vocabulary = ordered.signals[column].vocabulary",
        "vocabulary = self.inputs[column].vocabulary",
    ),
]

_PARTS = "contributions = np.ascontiguousarray(parts)"
_PRESENT = "present = detector.terms(frame)"
_SWAPPED = "contributions = np.ascontiguousarray(parts[:, [1, 0, *range(2, parts.shape[1])]])"

EXPLAINERS = [
    *_all(
        "correct_explainers",
        "Exact",
        {
            "check_supports_and_explain_agree": (
                'raise UnsupportedPairError("there are no terms")',
                'raise TypeError("there are no terms")',
            ),
            "check_exact_is_shapley": (
                "absent = detector.terms(scorable.background).mean(axis=0)",
                "absent = np.median(detector.terms(scorable.background), axis=0)",
            ),
            "check_rows_are_explained_alone": (_PRESENT, f"{_PRESENT} + 1e-13 * len(frame)"),
            "check_threads_explain_alike": (_PRESENT, _shared(*_PRESENT.split(" = ", 1))),
        },
    ),
    Mutation(
        "check_exact_is_shapley",
        "correct_explainers",
        "Exact",
        "scorable.by_player(np.ascontiguousarray(present - absent))",
        "scorable.by_player(present - absent) / (1 + (scorable.players is not None))",
    ),
    *_all(
        "correct_explainers",
        "Frozen",
        {
            "check_attributions_are_well_formed": (
                'value_function="distance zero"',
                "value_function=''",
            ),
            "check_contributions_add_up": (
                "base = np.zeros(len(frame))",
                "base = np.full(len(frame), scorable.mean_score())",
            ),
            "check_culprit_is_named": (_PARTS, _SWAPPED),
            "check_ignored_signal_gets_nothing": (
                _PARTS,
                "contributions = 0.99 * parts + 0.01 * parts[:, ::-1]",
            ),
        },
    ),
    *_all(
        "correct_explainers",
        "Sampled",
        {
            "check_parameters_are_described": ('"Pairs of orders that are always drawn."', '""'),
            "check_standard_errors_are_honest": ("/ np.sqrt(pairs)", "/ pairs**2"),
            "check_evaluations_are_kept": (
                "pairs = evaluations // self._cost(scorable)",
                "pairs = 2 * evaluations // self._cost(scorable)",
            ),
        },
    ),
    *_all(
        "correct_explainers",
        "Occlusion",
        {
            "check_additivity_error_is_honest": (
                "additivity_error=honest",
                "additivity_error=np.zeros(len(frame))",
            ),
            "check_fit_quality_is_given": ("quality = 1.0 - honest", "quality = 2.0 - honest"),
        },
    ),
]

SOURCES = _all(
    "correct_source",
    "Numbers",
    {
        "check_parameters_are_described": ('"Power of the second signal."', '""'),
        "check_batches_are_well_formed": (
            "yield Batch(frame, str(first + len(rows)), labels)",
            "yield Batch(frame, str(first + len(rows)), labels[1:])",
        ),
        "check_reading_again_gives_the_same": (
            'labels = tuple("odd" if row % 2 else "even" for row in rows)',
            "labels = tuple(str(_READS.append(0) or len(_READS)) if first == 0 else '' for _ in rows)",
        ),
        "check_positions_resume": ("start = int(after or 0)", "start = min(int(after or 0), 20)"),
        "check_acknowledging_loses_nothing": ("_READS.clear()", "_ROWS.pop()"),
        "check_strange_positions_are_refused": (
            "raise InvalidParameterError(f\"'{after}' is no position of this source\")",
            'after = ""',
        ),
        "check_unreadable_input_is_refused": (
            'raise InvalidFrameError("row 0 is no number")',
            'raise ValueError("row 0 is no number")',
        ),
    },
)
