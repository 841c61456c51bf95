from __future__ import annotations

import io
import json
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clarion.errors import (
    ArtifactCorruptError,
    InvalidFrameError,
    InvalidParameterError,
    LimitExceededError,
    MissingExtraError,
    TooFewRowsError,
)
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.inputs import scaled
from clarion.plugins import load_plugins
from clarion.state import State
from clarion_detectors import pyod_blob
from clarion_detectors.pyod_adapter import FittedPyod
from clarion_detectors.pyod_kinds import KINDS

REGISTRIES = load_plugins()


@pytest.fixture
def pyod() -> None:
    """Skip the test where the extra is not installed."""
    for library in ("pyod", "skops"):
        pytest.importorskip(library, reason="the extra 'pyod' is not installed")


@pytest.fixture
def frame(rng: np.random.Generator) -> Frame:
    return Frame.of(rng.normal(size=(120, 3)) * [1, 10, 0.1])


def fitted(name: str, frame: Frame, context: FitContext, **parameters: Any) -> FittedPyod:
    detector = REGISTRIES.detectors.build(f"pyod.{name}", parameters)
    result: FittedPyod = detector.fit(frame, None, context)
    return result


def test_every_kind_is_registered_under_its_name() -> None:
    names = {entry.name for entry in REGISTRIES.detectors if entry.name.startswith("pyod.")}
    assert names == {f"pyod.{name}" for name in KINDS}
    assert all(REGISTRIES.detectors.get(f"pyod.{name}").__name__ == name for name in KINDS)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("pyod")
def test_it_scores_as_pyod(name: str, frame: Frame, context: FitContext) -> None:
    ours = fitted(name, frame, context)
    arguments = REGISTRIES.detectors.build(f"pyod.{name}", {}).arguments()
    points = scaled(frame.numeric(), ours.center, ours.scale)
    cls = pyod_blob.pyod_class(KINDS[name])
    seed = np.random.default_rng(11).integers(2**31)  # what the fit drew from its context
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seeded = {"random_state": int(seed)} if KINDS[name].seeded else {}
        theirs = cls(**arguments, **seeded).fit(points)
    fresh = Frame.of(np.random.default_rng(3).normal(size=(1100, 3)) * [2, 20, 0.2])
    wanted = theirs.decision_function(scaled(fresh.numeric(), ours.center, ours.scale))
    np.testing.assert_allclose(ours.score(fresh), wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("pyod")
def test_the_unit_of_a_signal_does_not_matter(
    name: str, frame: Frame, rng: np.random.Generator
) -> None:
    values = frame.numeric()
    other = Frame.of(values * [1024.0, 1.0, 2.0**-20])
    one, two = (
        fitted(name, f, FitContext(np.random.default_rng(5), REGISTRIES)) for f in (frame, other)
    )
    np.testing.assert_array_equal(one.score(frame), two.score(other))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("pyod")
def test_a_blob_holds_all_its_types_and_no_more(
    name: str, frame: Frame, context: FitContext
) -> None:
    schema = schema_of(fitted(name, frame, context).blob)
    common = {"builtins.dict", "builtins.list", "builtins.str", "builtins.tuple"}
    assert types_in(schema) | common == KINDS[name].types


def schema_of(blob: bytes) -> Any:
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        return json.loads(archive.read("schema.json"))


def types_in(part: Any) -> set[str]:
    if isinstance(part, list):
        return set().union(*map(types_in, part))
    if not isinstance(part, dict):
        return set()
    own = {f"{part['__module__']}.{part['__class__']}"} if "__class__" in part else set()
    return own.union(*map(types_in, part.values()))


def rewritten(
    blob: bytes, change: Callable[[Any], None], method: int = zipfile.ZIP_STORED
) -> bytes:
    """Return the blob with its schema changed; checksums are right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(blob)) as old, zipfile.ZipFile(out, "w", method) as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "schema.json":
                schema = json.loads(data)
                change(schema)
                data = json.dumps(schema).encode()
            new.writestr(name, data)
    return out.getvalue()


def restored(whole: FittedPyod, blob: bytes) -> FittedPyod:
    return FittedPyod.from_state(replace(whole.state(), blobs={"detector": blob}))


def estimator(**fields: Any) -> Callable[[Any], None]:
    """Return a change that puts another type where a stored detector keeps its ``neigh_``."""

    def change(schema: Any) -> None:
        schema["content"]["content"]["neigh_"].update(fields)

    return change


def without_memory(schema: Any) -> None:
    """Put in a type that skops itself trusts: the lists here are narrower."""
    estimator(__module__="sklearn.linear_model._base", __class__="LinearRegression")(schema)


BAD_TYPES = {
    "one that runs commands": estimator(__module__="os", __class__="system"),
    "one that skops trusts": without_memory,
    "a tree": estimator(__module__="sklearn.neighbors._ball_tree", __class__="BallTree"),
    "another way to make it": estimator(__loader__="ConstructorFromReduceNode"),
    "an unknown way": estimator(__loader__="NoSuchNode"),
    "a way without a type": lambda schema: schema["content"].update({"x": {"__loader__": "y"}}),
}


@pytest.mark.parametrize("change", BAD_TYPES.values(), ids=BAD_TYPES)
@pytest.mark.usefixtures("pyod")
def test_an_unlisted_type_is_refused_before_skops_reads_it(
    change: Callable[[Any], None], frame: Frame, context: FitContext, monkeypatch: Any
) -> None:
    import skops.io

    whole = fitted("KNN", frame, context)
    tampered = rewritten(whole.blob, change)
    monkeypatch.setattr(skops.io, "loads", lambda *args, **kwargs: pytest.fail("skops read it"))
    with pytest.raises(ArtifactCorruptError, match=r"pyod\.KNN.*it holds a .*fit the model again"):
        restored(whole, tampered)


@pytest.mark.usefixtures("pyod")
def test_a_compressed_blob_is_refused(frame: Frame, context: FitContext) -> None:
    whole = fitted("KNN", frame, context)
    packed = rewritten(whole.blob, lambda schema: None, zipfile.ZIP_DEFLATED)
    with pytest.raises(ArtifactCorruptError, match="compressed"):
        restored(whole, packed)


@pytest.mark.parametrize("cut", [0, 30, -1])
@pytest.mark.usefixtures("pyod")
def test_a_cut_blob_is_refused(cut: int, frame: Frame, context: FitContext) -> None:
    whole = fitted("LOF", frame, context)
    with pytest.raises(ArtifactCorruptError, match=r"pyod\.LOF"):
        restored(whole, whole.blob[:cut])


@pytest.mark.parametrize("name", ["HBOS", "KNN", "OCSVM"])
@pytest.mark.usefixtures("pyod")
def test_a_changed_byte_is_refused_or_changes_nothing(
    name: str, frame: Frame, context: FitContext, rng: np.random.Generator
) -> None:
    whole = fitted(name, frame, context)
    wanted, refused = whole.score(frame), 0
    for place in rng.integers(len(whole.blob), size=40):
        blob = bytearray(whole.blob)
        blob[place] ^= 0x55
        try:
            np.testing.assert_array_equal(restored(whole, bytes(blob)).score(frame), wanted)
        except ArtifactCorruptError:
            refused += 1
    assert refused > 20


@pytest.mark.usefixtures("pyod")
def test_a_blob_of_another_kind_is_refused(frame: Frame, context: FitContext) -> None:
    knn, lof = (fitted(name, frame, context) for name in ("KNN", "LOF"))
    with pytest.raises(ArtifactCorruptError, match=r"holds a (pyod\.models|sklearn)"):
        restored(knn, lof.blob)


SHAPES: list[tuple[str, Callable[[Any], None]]] = [
    ("CBLOF", lambda d: setattr(d.clustering_estimator_, "cluster_centers_", np.zeros((8, 1)))),
    ("CBLOF", lambda d: setattr(d, "cluster_sizes_", np.ones(11, int))),
    ("LODA", lambda d: setattr(d, "histograms_", np.ones((100, 9)))),
    ("LOF", lambda d: setattr(d.detector_, "_lrd", np.ones(119))),
    ("HBOS", lambda d: setattr(d, "hist_", np.zeros((10, 1)))),
    ("HBOS", lambda d: setattr(d, "n_bins", 11)),
    ("KNN", lambda d: setattr(d, "n_neighbors", 1000)),
    ("MCD", lambda d: setattr(d.detector_, "precision_", np.eye(2))),
    ("OCSVM", lambda d: setattr(d.detector_, "_dual_coef_", np.ones((1, 1)))),
    ("OCSVM", lambda d: setattr(d.detector_, "_n_support", np.ones(1, np.int32))),
    ("GMM", lambda d: setattr(d.detector_, "means_", np.full((1, 3), np.nan))),
]


@pytest.mark.parametrize(("name", "spoil"), SHAPES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.usefixtures("pyod")
def test_arrays_that_do_not_fit_are_refused(
    name: str, spoil: Callable[[Any], None], frame: Frame, context: FitContext
) -> None:
    import skops.io

    whole = fitted(name, frame, context)
    detector = skops.io.loads(whole.blob, trusted=sorted(KINDS[name].types))
    spoil(detector)
    with pytest.raises(ArtifactCorruptError, match=f"pyod.{name}"):
        restored(whole, skops.io.dumps(detector))


@pytest.mark.usefixtures("pyod")
def test_a_blob_over_the_limit_is_neither_kept_nor_read(
    frame: Frame, context: FitContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted("KNN", frame, context)
    monkeypatch.setattr(pyod_blob, "MAX_BLOB_BYTES", len(whole.blob) - 1)
    with pytest.raises(ArtifactCorruptError, match=f"may have {len(whole.blob) - 1}"):
        restored(whole, whole.blob)
    with pytest.raises(LimitExceededError, match="lower max_fit_rows"):
        fitted("KNN", frame, context)


BAD_STATES: list[dict[str, Any]] = [
    {"kind": "no such"},
    {"kind": 3},
    {"versions": {}},
    {"versions": {"pyod": "1.0.0", "scikit-learn": "1.0.0"}},
]


@pytest.mark.parametrize("change", BAD_STATES)
@pytest.mark.usefixtures("pyod")
def test_a_state_of_something_else_is_refused(
    change: dict[str, Any], frame: Frame, context: FitContext
) -> None:
    state = fitted("KNN", frame, context).state()
    with pytest.raises(ArtifactCorruptError):
        FittedPyod.from_state(replace(state, parameters={**state.parameters, **change}))


@pytest.mark.usefixtures("pyod")
def test_a_state_without_its_blob_is_refused(frame: Frame, context: FitContext) -> None:
    state = fitted("KNN", frame, context).state()
    with pytest.raises(ArtifactCorruptError, match="adapted"):
        FittedPyod.from_state(State(1, state.parameters, state.arrays))


@pytest.mark.parametrize("library", ["pyod", "skops"])
@pytest.mark.usefixtures("pyod")
def test_a_missing_library_names_its_extra(
    library: str, frame: Frame, context: FitContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = fitted("KNN", frame, context).state()
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'clarion\[pyod\]'"):
        fitted("KNN", frame, context)
    with pytest.raises(MissingExtraError, match=f"^{library} is not installed"):
        FittedPyod.from_state(state)


@pytest.mark.parametrize(
    ("name", "parameters", "needed"),
    [
        ("CBLOF", {"n_clusters": 121}, 121),
        ("GMM", {"n_components": 121}, 121),
        ("KNN", {"n_neighbors": 120}, 121),
        ("LOF", {"n_neighbors": 200}, 201),
        ("Sampling", {"subset_size": 121}, 121),
        ("Sampling", {"max_fit_rows": 19}, 20),
    ],
)
@pytest.mark.usefixtures("pyod")
def test_too_few_rows_are_refused(
    name: str, parameters: dict[str, Any], needed: int, frame: Frame, context: FitContext
) -> None:
    with pytest.raises(TooFewRowsError, match=f"pyod.{name}' .* at least {needed} rows"):
        fitted(name, frame, context, **parameters)


GREEDY: list[tuple[str, dict[str, Any], int, int]] = [
    ("CBLOF", {"n_clusters": 100}, 900, 2),
    ("GMM", {"n_components": 100}, 900, 2),
    ("HBOS", {"n_bins": 10_000}, 20, 2),
    ("KDE", {}, 40, 400),
    ("KNN", {"n_neighbors": 100}, 900, 2),
    ("LODA", {"n_bins": 10_000}, 20, 2),
    ("LOF", {"n_neighbors": 100}, 900, 2),
    ("Sampling", {"subset_size": 200}, 900, 2),
]
"""A detector and its parameters, and the rows and signals of a fit that asks for over 1 MiB."""


@pytest.mark.parametrize(
    ("name", "parameters", "rows", "signals"), GREEDY, ids=[case[0] for case in GREEDY]
)
@pytest.mark.usefixtures("pyod")
def test_what_would_exhaust_the_memory_is_refused_before_the_fit(
    name: str,
    parameters: dict[str, Any],
    rows: int,
    signals: int,
    context: FitContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = Frame.of(np.random.default_rng(0).normal(size=(rows, signals)))
    cls = pyod_blob.pyod_class(KINDS[name])
    monkeypatch.setattr(cls, "fit", lambda self, points: pytest.fail("it was fitted"))
    monkeypatch.setattr("os.sysconf", lambda key: 1 << 10)  # 1 MiB: 1,024 pages of 1 KiB
    with pytest.raises(LimitExceededError, match=rf"fitting 'pyod\.{name}' needs about .* GiB"):
        fitted(name, frame, context, **parameters)


@pytest.mark.usefixtures("pyod")
def test_few_rows_are_scored_at_once(frame: Frame, context: FitContext) -> None:
    whole = fitted("Sampling", frame, context)
    asked: list[int] = []

    class Counting:
        def decision_function(self, points: Any) -> Any:
            asked.append(len(points))
            return np.zeros(len(points))

    object.__setattr__(whole, "detector", Counting())
    whole.score(frame.take(np.arange(2500) % len(frame)))
    assert sum(asked) == 2500
    assert max(asked) <= 1024


@pytest.mark.parametrize(
    ("name", "parameters", "named"),
    [
        ("KNN", {"neighbours": 3}, "neighbours"),
        ("KNN", {"method": "smallest"}, "method"),
        ("LOF", {"n_neighbors": 0}, "n_neighbors"),
        ("CBLOF", {"beta": 1.0}, "beta"),
        ("MCD", {"support_fraction": 0.2}, "support_fraction"),
    ],
)
def test_a_wrong_parameter_is_named(name: str, parameters: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidParameterError, match=named) as caught:
        REGISTRIES.detectors.build(f"pyod.{name}", parameters)
    assert caught.value.field == f"parameters.{named}"


@pytest.mark.parametrize(
    ("name", "parameters", "blamed"),
    [
        ("PCA", {"n_components": 4}, "n_components"),
        ("CBLOF", {"n_clusters": 2}, "n_clusters"),
        ("CBLOF", {"n_clusters": 3, "alpha": 0.4}, "n_clusters"),
    ],
)
@pytest.mark.usefixtures("pyod")
def test_what_pyod_refuses_names_the_parameter(
    name: str, parameters: dict[str, Any], blamed: str, context: FitContext
) -> None:
    rows = np.random.default_rng(2).permutation(np.repeat(np.eye(3)[:2], 50, axis=0))
    with pytest.raises(InvalidParameterError, match=f"'pyod.{name}' cannot be fitted") as caught:
        fitted(name, Frame.of(rows), context, **parameters)
    assert caught.value.field == f"parameters.{blamed}"


@pytest.mark.usefixtures("pyod")
def test_axes_without_variance_are_refused_where_they_would_count(
    frame: Frame, context: FitContext
) -> None:
    values = frame.numeric()
    dependent = Frame.of(np.column_stack([values, values[:, 0] + values[:, 1] / 3]))
    with pytest.raises(InvalidParameterError, match="explains no variance") as caught:
        fitted("PCA", dependent, context)
    assert caught.value.field == "parameters.n_components"
    for parameters in ({"n_components": 3}, {"weighted": False}):
        assert np.isfinite(fitted("PCA", dependent, context, **parameters).score(dependent)).all()


@pytest.mark.parametrize("error", [ValueError, AssertionError, ZeroDivisionError])
@pytest.mark.usefixtures("pyod")
def test_rows_that_pyod_refuses_get_a_typed_error(
    error: type[Exception], frame: Frame, context: FitContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, points: Any) -> None:
        raise error("bins of no width")

    monkeypatch.setattr(pyod_blob.pyod_class(KINDS["HBOS"]), "fit", refuse)
    with pytest.raises(InvalidFrameError, match=r"'pyod\.HBOS' .*: bins of no width") as caught:
        fitted("HBOS", frame, context)
    assert caught.value.field == "frame"


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("pyod")
def test_fitting_and_scoring_say_nothing(name: str, context: FitContext) -> None:
    # A signal that never changes, and duplicates: what scikit-learn warns of.
    values = np.random.default_rng(4).normal(size=(40, 3)) * [1, 10, 0]
    frame = Frame.of(np.repeat(values, 3, axis=0))
    parameters = {"weighted": False} if name == "PCA" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(name, frame, context, **parameters).score(frame)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.usefixtures("pyod")
def test_scoring_leaves_the_warnings_of_the_process_alone(
    name: str, frame: Frame, context: FitContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fitted(name, frame, context)
    monkeypatch.setattr(warnings, "resetwarnings", lambda: pytest.fail("threads would race"))
    whole.score(frame)
