"""The recorded data of the demo: two files that the package river ships."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clarion.arrays import BoolArray
from clarion.cli.files import read
from clarion.cli.options import ReadOptions
from clarion.errors import MissingExtraError
from clarion.frames import Frame

SHUTTLE_SOURCE = (
    "NASA space shuttle telemetry (Statlog Shuttle, UCI; cast as anomaly detection by ODDS), "
    "as shipped by river: 9 sensors, 49,097 labelled rows, unordered"
)
WATER_SOURCE = (
    "Water flow through a pipeline branch, hourly, March to May 2022, donated by Tecnojest s.r.l., "
    "as shipped by river"
)


@dataclass(frozen=True, slots=True, eq=False)
class Shuttle:
    """The first quarter to fit on, with its labels, and the rest to stream, with the truth."""

    first: Frame
    first_labels: BoolArray
    rest: Frame
    truth: BoolArray


def folder() -> Path:
    """Return the folder of river's data sets, without importing river.

    Raises
    ------
    MissingExtraError
        river is not installed.
    """
    spec = importlib.util.find_spec("river")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            "the demo's data come with the package river: pip install 'clarion[stream]'",
            extra="stream",
        )
    return Path(spec.submodule_search_locations[0]) / "datasets"


def shuttle() -> Shuttle:
    """Read the shuttle telemetry."""
    rows = read([folder() / "shuttle.csv.gz"], ReadOptions(label="anomaly"))
    labels = rows.anomalous
    if labels is None:
        raise MissingExtraError("river's shuttle.csv.gz has no labels: pip install 'river>=0.22'")
    quarter = len(rows.frame) // 4
    first, rest = slice(0, quarter), slice(quarter, None)
    return Shuttle(rows.frame.take(first), labels[first], rows.frame.take(rest), labels[rest])


def water_flow() -> Frame:
    """Read the hourly flow, in l/s."""
    return read([folder() / "water-flow.csv"], ReadOptions(time="Time")).frame


def between(frame: Frame, start: str, end: str) -> Frame:
    """Return the rows observed in [start, end), ISO 8601 UTC."""
    stamps = frame.time
    if stamps is None:
        raise ValueError("the frame has no times")
    low, high = (np.datetime64(text, "ns").astype(np.int64) for text in (start, end))
    return frame.take(np.flatnonzero((stamps >= low) & (stamps < high)))
