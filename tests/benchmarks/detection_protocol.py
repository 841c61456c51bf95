"""What each data folder is for: the one file that says so, keyed by folder, never by file.

Sources, licences and splits are in the folders' own READMEs. Whatever files of the same layout lie
in a folder take part.
"""

from __future__ import annotations

from dataclasses import dataclass

FIT_ROWS = 20_000
"""Rows that a detector is fitted on, at most: drawn at random, or the last ones of a series."""
SCORED_ROWS = 50_000
"""Rows scored of a set, at most: drawn by stratum, or the first ones of a series."""
QUICK_FIT_ROWS = 2_000
QUICK_SCORED_ROWS = 4_000
"""The same for tables in a short run, which leaves controls out and draws once."""
QUICK_SERIES_ROWS = 5_000
"""Rows of a series fitted in a short run; they are scored whole."""


@dataclass(frozen=True, slots=True)
class Folder:
    """How the files of one folder are read, split and judged.

    Attributes
    ----------
    layout
        Name of the reader.
    candidates
        Which list of pipelines is compared.
    regimes
        Ways of fitting: ``one_class`` on rows known to be normal, ``unsupervised`` on rows that
        nobody has vetted, ``few_labels`` on rows of which 1 % of the anomalies are known.
    label
        Column that says which rows are anomalous.
    dropped
        Columns that tell the label, the time or the experiment, and are no features.
    train_rows
        Rows at the start of each file that train, where train and test share a file.
    seeds
        Draws of split and detector.
    false_alarm_rate
        What the threshold is set for, on held-out training rows. Twice that many rows must be had.
    headline
        Whether the folder has a key under ``figures``; the others are controls, in ``details``.
    """

    layout: str
    candidates: str
    regimes: tuple[str, ...] = ("one_class",)
    label: str = ""
    dropped: tuple[str, ...] = ()
    train_rows: int = 0
    seeds: int = 1
    false_alarm_rate: float = 0.01
    headline: bool = True


FOLDERS = {
    # Half of the normal rows train and the rest is scored; or all rows do both. Small sets have
    # some 80 training rows, of which few can be held out.
    "adbench": Folder(
        "table_npz",
        "table",
        regimes=("one_class", "unsupervised", "few_labels"),
        label="y",
        seeds=5,
        false_alarm_rate=0.1,
    ),
    # Fit on `train`, score `test`, one model a machine; the draws are of reference rows only.
    "smd": Folder("series_npz", "sensors", label="test_label"),
    "asd": Folder("series_npz", "sensors", label="test_label", headline=False),
    # The leaderboard's split: the first 400 rows of each experiment train, the rest is pooled. At a
    # rate of 1 % half of so few rows would be held out to set the threshold; at 2 % a quarter is.
    "skab": Folder(
        "experiments_csv",
        "sensors",
        label="anomaly",
        dropped=("datetime", "changepoint"),
        train_rows=400,
        false_alarm_rate=0.02,
    ),
    # The largest file trains (its normal rows), the second largest is the test; `difficulty`
    # counts how many classifiers got the row right, and tells the label.
    "nsl_kdd": Folder("kdd_txt", "flows", dropped=("difficulty",), seeds=5),
    # Files without an attack train, those with attacks are scored.
    "batadal": Folder("scada_csv", "sensors", label="ATT_FLAG", dropped=("DATETIME",)),
    # One pass: the probation (15 %, at most 750 rows) trains, unvetted; the rest is scored. NAB's
    # own threshold is the largest score held out: at any reachable rate there are too many alarms.
    "nab": Folder("nab_csv", "one_signal", regimes=("unsupervised",), false_alarm_rate=0.05),
    # The first rows train, unvetted; those behind them are scored.
    "tsb_uad_ecg": Folder("ecg_out", "one_signal", regimes=("unsupervised",)),
}
