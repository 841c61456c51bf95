"""Ensemble: detectors of different kinds, each on the scale of its own p-values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Self

import numpy as np

from clarion.arrays import BoolArray, FloatArray, Int64Array
from clarion.detectors import Detector, DetectorKind, DetectorTraits, FittedDetector, Paradigm
from clarion.errors import ArtifactCorruptError, InvalidParameterError
from clarion.features import FitContext, rows_by_asset
from clarion.frames import Frame, Signal
from clarion.inputs import narrowed, require_rows
from clarion.parameters import parameter
from clarion.plugins import load_plugins
from clarion.registry import Registries
from clarion.state import State, nested, signal_values, unnested
from clarion_detectors.conformal_link import ConformalLink

_VERSION = 1
_FEWEST_CALIBRATION_ROWS = 20
_MOST_PATTERNS = 64
"""Names that a member may list: each is compared with every signal."""


@dataclass(frozen=True, slots=True, eq=False)
class FittedEnsemble:
    """Fitted members, by plugin name, and the link of each."""

    signals: tuple[Signal, ...]
    plugins: tuple[str, ...]
    detectors: tuple[FittedDetector, ...]
    links: tuple[ConformalLink, ...]

    def score(self, frame: Frame) -> FloatArray:
        """Return the mean of the members' -log p, shape ``(n,)``: >= 0, in nats.

        Raises
        ------
        SignalMismatchError, InvalidFrameError
            Other signals than those fitted, or a missing cell.
        """
        rows = frame.aligned_to([signal.name for signal in self.signals])
        total = np.zeros(len(frame))
        for member, detector in enumerate(self.detectors):
            total += self.linked(member, detector.score(narrowed(rows, detector.signals)))
        return total

    def members(self) -> tuple[FittedDetector, ...]:
        """Return the fitted detectors."""
        return self.detectors

    def linked(self, member: int, scores: FloatArray) -> FloatArray:
        """Return what ``scores`` (n,) of a member add to the score: their -log p, by the members."""
        linked: FloatArray = self.links[member](scores) / len(self.links)
        return linked

    def state(self) -> State:
        """Return all that was learned."""
        parameters = {"signals": signal_values(self.signals), "plugins": list(self.plugins)}
        parts = {"ensemble": State(_VERSION, parameters)}
        for i, (detector, link) in enumerate(zip(self.detectors, self.links, strict=True)):
            parts |= {f"member{i}": detector.state(), f"link{i}": link.state()}
        return nested(parts)

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Return the fitted detector that ``state`` describes.

        Members are found by the names of installed plugins, never by an import path.

        Raises
        ------
        PluginNotFoundError
            A member's plugin is not installed.
        """
        parts = unnested(state)
        try:
            own = parts["ensemble"].require(_VERSION)
            plugins = tuple(str(name) for name in own.parameter("plugins", list))
            registry = load_plugins().detectors
            detectors = tuple(
                registry.get(name).fitted.from_state(parts[f"member{i}"])
                for i, name in enumerate(plugins)
            )
            links = tuple(ConformalLink.from_state(parts[f"link{i}"]) for i in range(len(plugins)))
        except KeyError as error:
            raise ArtifactCorruptError(f"the state of the ensemble lacks {error}") from error
        return cls(own.signals(), plugins, detectors, links)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ensemble:
    """Mean of -log p over detectors of different kinds.

    The default suits sensor streams; for tables and flows add ``isolation_forest``, which only
    does harm on streams. Members are calibrated on held-out rows: the context's, else random (or the
    last) rows of each asset, which they do not learn from. Without the last ones members know less
    of the present: that cost 0.015 of average precision on SMD, and nothing on ASD.
    """

    traits: ClassVar[DetectorTraits] = DetectorTraits(
        paper="Vovk et al. (2005), Algorithmic Learning in a Random World, for the p-values; "
        "their combination by Fisher (1932), Statistical Methods for Research Workers, § 21.1"
    )
    fitted: ClassVar[type[FittedEnsemble]] = FittedEnsemble

    members: tuple[dict[str, Any], ...] = parameter(
        ({"plugin": "mahalanobis"}, {"plugin": "knn"}),
        "Detectors of the row kind: the 'plugin', its 'parameters' where not the defaults, and the "
        "'signals' where not all: a list of at most 64 names, in which * stands for any text.",
    )
    calibration_share: float = parameter(
        0.25,
        "Share of the rows that calibrate the members, if the context holds none out.",
        minimum=0.05,
        maximum=0.5,
    )
    calibrate_on: str = parameter(
        "random", "Which rows of each asset those are.", choices=("random", "last")
    )

    def __post_init__(self) -> None:
        """Check that every member names a plugin and nothing unknown."""
        if not self.members:
            raise InvalidParameterError(
                "an ensemble needs at least one member", field="parameters.members"
            )
        for i, member in enumerate(self.members):
            if not _is_member(member):
                raise InvalidParameterError(
                    "a member is an object with 'plugin' and, if need be, 'parameters' and a list "
                    f"of at most {_MOST_PATTERNS} 'signals'",
                    field=f"parameters.members[{i}]",
                )

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> FittedEnsemble:
        """Fit the members on normal rows, and calibrate them on others.

        Raises
        ------
        TooFewRowsError
            Fewer than 20 rows to calibrate on, or fewer than a member needs.
        InvalidParameterError, PluginNotFoundError
            A member that is no detector of the row kind.
        """
        members = [self._built(i, context.registries) for i in range(len(self.members))]
        signals = [self._signals(i, frame) for i in range(len(self.members))]
        fitting, held_out = self._split(frame, context)
        require_rows(len(held_out), _FEWEST_CALIBRATION_ROWS, "the calibration of an ensemble")
        detectors, links = [], []
        for i, member in enumerate(members):
            context.check_cancelled()
            name = self.members[i]["plugin"]
            context.progress(i / len(members), f"fitting {name}")
            rows = narrowed(fitting, signals[i])
            detectors.append(member.fit(rows, None, replace(context, held_out=None)))
            links.append(ConformalLink.of(detectors[-1].score(narrowed(held_out, signals[i]))))
        plugins = tuple(member["plugin"] for member in self.members)
        return FittedEnsemble(frame.signals, plugins, tuple(detectors), tuple(links))

    def _signals(self, i: int, frame: Frame) -> tuple[Signal, ...]:
        """Return the signals of ``frame`` that a member reads."""
        patterns = self.members[i].get("signals", ["*"])
        chosen = [s for s in frame.signals if any(fnmatchcase(s.name, p) for p in patterns)]
        if not chosen:
            raise InvalidParameterError(
                f"none of the {len(frame.signals)} signals has a name like {patterns}",
                field=f"parameters.members[{i}].signals",
            )
        return tuple(chosen)

    def _built(self, i: int, registries: Registries) -> Detector:
        step = self.members[i]
        path = f"parameters.members[{i}]"
        member: Detector = registries.detectors.build(
            step["plugin"], step.get("parameters", {}), path=f"{path}.parameters"
        )
        traits = member.traits
        if traits.kind is not DetectorKind.ROW or traits.paradigm is not Paradigm.UNSUPERVISED:
            raise InvalidParameterError(
                f"'{step['plugin']}' cannot be a member: members score each row on its own, and "
                "learn without labels",
                field=f"{path}.plugin",
            )
        return member

    def _split(self, frame: Frame, context: FitContext) -> tuple[Frame, Frame]:
        """Return rows to fit on and rows to calibrate on, which do not overlap."""
        if context.held_out is not None:
            return frame, context.held_out
        kept = [np.empty(0, np.int64)]
        for rows in rows_by_asset(frame):
            ordered = rows if self.calibrate_on == "last" else context.rng.permutation(rows)
            kept.append(ordered[len(rows) - round(self.calibration_share * len(rows)) :])
        calibrating: Int64Array = np.sort(np.concatenate(kept))
        fitting = np.setdiff1d(np.arange(len(frame)), calibrating)
        return frame.take(fitting), frame.take(calibrating)


def _is_member(member: Mapping[str, Any]) -> bool:
    signals = member.get("signals", ["*"])
    return (
        isinstance(member.get("plugin"), str)
        and isinstance(member.get("parameters", {}), Mapping)
        and isinstance(signals, (list, tuple))
        and len(signals) <= _MOST_PATTERNS
        and all(isinstance(pattern, str) for pattern in signals)
        and not member.keys() - {"plugin", "parameters", "signals"}
    )
