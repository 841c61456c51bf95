"""What a plugin does wrong is named as its own: nothing it raises or returns goes on unchecked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from clarion.arrays import FloatArray, Int64Array
from clarion.errors import ClarionError, InvalidFrameError, PluginError
from clarion.features import Features, Lineage, Trace


@contextmanager
def plugin_errors(family: str, name: str, doing: str) -> Iterator[None]:
    """Turn whatever a plugin raises, other than Clarion's own errors, into a PluginError."""
    try:
        yield
    except ClarionError:
        raise
    except Exception as error:  # a stranger may raise anything
        raise PluginError(
            f"the plugin '{name}' ({family}) raised {type(error).__name__} while {doing}: {error}",
            plugin=name,
            family=family,
        ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _NamedLineage:
    """A lineage that names its plugin when it fails, which is long after the features were made."""

    lineage: Lineage
    family: str
    name: str

    def rows(self, index: int) -> Trace:
        with plugin_errors(self.family, self.name, "leading features back"):
            return self.lineage.rows(index)


def checked_features(features: object, rows: int, family: str, name: str) -> Features:
    """Return ``features`` made of ``rows`` rows, their lineage guarded.

    Raises
    ------
    PluginError
        They are none, or their source rows are not one a row, strictly increasing.
    """
    if isinstance(features, Features):
        sources = features.source_rows
        ends = np.concatenate([[-1], sources, [rows]])
        if len(sources) == len(features.frame) and (np.diff(ends) > 0).all():
            return replace(features, lineage=_NamedLineage(features.lineage, family, name))
    raise PluginError(
        f"the plugin '{name}' ({family}) returned features whose source rows do not fit its rows; "
        "run 'clarion plugins check' on it",
        plugin=name,
        family=family,
    )


@contextmanager
def row_numbers(rows: Int64Array) -> Iterator[None]:
    """Let an error about row ``i`` of what a plugin is given name ``rows[i]``, where it came from."""
    try:
        yield
    except InvalidFrameError as error:
        given = error.metadata.get("row", "")
        if not given.isdecimal() or int(given) >= len(rows):
            raise
        sent = str(rows[int(given)])
        message = re.sub(rf"\brow {given}\b", f"row {sent}", error.message)
        metadata: dict[str, object] = {**error.metadata, "row": sent}
        raise InvalidFrameError(message, field=error.field, **metadata) from error


def are_finite(array: object, shape: tuple[int, ...]) -> bool:
    """Return whether ``array`` holds finite float64 numbers in that ``shape``."""
    return (
        isinstance(array, np.ndarray)
        and array.shape == shape
        and array.dtype == np.float64
        and bool(np.isfinite(array).all())
    )


def checked_scores(scores: FloatArray, rows: int, name: str) -> FloatArray:
    """Return ``scores`` if they are finite float64 of shape ``(rows,)``, else raise PluginError."""
    if not are_finite(scores, (rows,)):
        raise PluginError(
            f"the detector '{name}' returned scores that are not {rows} finite float64 numbers; "
            "run 'clarion plugins check' on it",
            plugin=name,
            family="detectors",
        )
    return scores
