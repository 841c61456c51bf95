"""The manifest of a model version: all of it but the arrays; its SHA-256 is the version's identity."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clarion.errors import ClarionError
from clarion.frames import Signal
from clarion.pipeline.choose import Choice
from clarion.pipeline.run import FittedPipeline
from clarion.pipeline.spec import PipelineSpec
from clarion.state import State, signal_values
from clarion.store.files import canonical_json, corrupt
from clarion.store.stored_state import Description, description_from_json

FORMAT = 1
_LIBRARIES = ("clarion", "numba", "numpy", "scikit-learn", "scipy")


@dataclass(frozen=True, slots=True)
class Facts:
    """What lists say of a version without loading it; the fields are those of `FittedPipeline`.

    ``explainer`` and ``explainer_label`` are the default ones, empty where there is none.
    """

    spec: PipelineSpec
    signals: tuple[Signal, ...]
    history: int
    fitted_rows: int
    background_id: str
    background_rows: int
    explainer: str
    explainer_label: str
    choice: Choice | None

    @classmethod
    def of(cls, pipeline: FittedPipeline) -> Facts:
        """Return the facts of a fitted pipeline."""
        explainer, label = pipeline.default_explainer() or ("", "")
        return cls(
            pipeline.spec,
            pipeline.signals,
            pipeline.history,
            pipeline.fitted_rows,
            pipeline.background.id,
            len(pipeline.background),
            explainer,
            str(label),
            pipeline.choice,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        values = {name: getattr(self, name) for name in _PLAIN}
        return values | {
            "spec": self.spec.to_json(),
            "signals": signal_values(self.signals),
            "choice": None if self.choice is None else self.choice.to_json(),
        }


_PLAIN: dict[str, type[int] | type[str]] = {
    "history": int,
    "fitted_rows": int,
    "background_id": str,
    "background_rows": int,
    "explainer": str,
    "explainer_label": str,
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a version is.

    Attributes
    ----------
    create_time
        When it was stored, nanoseconds since 1970 UTC.
    libraries
        Versions of the libraries that fitted it.
    state
        Its arrays and blobs, described; their bytes are in files of their own.
    """

    create_time: int
    facts: Facts
    libraries: Mapping[str, str]
    state: Description

    @property
    def groups(self) -> int:
        """Assets or classes of assets that it keeps apart; 0 where all rows are one group."""
        center = self.state.arrays.get("partition/center")
        return 0 if center is None else center.shape[0] - 1

    def to_bytes(self) -> bytes:
        """Return the manifest as it is stored."""
        return canonical_json(
            {
                "format": FORMAT,
                "create_time": self.create_time,
                "pipeline": self.facts.to_json(),
                "libraries": dict(self.libraries),
                "state": self.state.to_json(),
            }
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: Path) -> Manifest:
        """Return the manifest that the JSON values at ``path`` hold.

        Raises
        ------
        ArtifactCorruptError
            Another format, or a field that is missing or of another type.
        """
        if values.get("format") != FORMAT:
            raise corrupt(path, f"has the format {values.get('format')!r:.20}, not {FORMAT}")
        try:
            libraries = {str(k): str(v) for k, v in values["libraries"].items()}
            facts = _facts(values["pipeline"])
            create_time = values["create_time"]
            if type(create_time) is not int:
                raise TypeError("create_time is no whole number")
        except (KeyError, TypeError, ValueError, AttributeError, ClarionError) as error:
            raise corrupt(path, f"describes no model version: {error}") from error
        state = description_from_json(values.get("state"), "state", path)
        return cls(create_time, facts, libraries, state)


def library_versions() -> dict[str, str]:
    """Return the installed versions of what a fit rests on."""
    return {name: importlib.metadata.version(name) for name in _LIBRARIES}


def _facts(values: Mapping[str, Any]) -> Facts:
    plain = {name: values[name] for name in _PLAIN}
    for name, kind in _PLAIN.items():
        if type(plain[name]) is not kind:
            raise TypeError(f"{name} is not of type {kind.__name__}")
    signals = State(1, {"signals": values["signals"]}).signals()
    choice = None if values["choice"] is None else Choice.from_json(values["choice"])
    spec = PipelineSpec.from_json(values["spec"])
    return Facts(spec=spec, signals=signals, choice=choice, **plain)
