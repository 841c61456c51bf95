"""PyOD's detectors as bytes: skops, never pickle, and of frozen lists of types only.

A stored detector is a zip of ``schema.json``, which names the type of every part, and arrays. Each
type is compared with the list of its kind before skops makes one; skops' own list, of whatever
scikit-learn offers, is not relied on. Ball trees and metrics are stored as what they are built from.
"""

from __future__ import annotations

import copy
import importlib
import io
import json
import zipfile
from typing import Any

import numpy as np

from clarion.arrays import FloatArray
from clarion.errors import ArtifactCorruptError, LimitExceededError
from clarion.inputs import missing_extra
from clarion_detectors.pyod_kinds import Kind

MAX_BLOB_BYTES = 2**30
"""Of one stored detector; nothing is compressed, so it takes no more memory than that unpacked."""
_LOADERS = frozenset(
    {
        "DictNode",
        "JsonNode",
        "ListNode",
        "NdArrayNode",
        "ObjectNode",
        "TupleNode",
        "TypeNode",
    }
)
"""Ways of making an object that skops may go."""


def pyod_class(kind: Kind) -> type[Any]:
    """Return PyOD's class.

    Raises
    ------
    MissingExtraError
        PyOD or skops is not installed.
    """
    for library in ("pyod", "skops"):
        try:
            importlib.import_module(library)
        except ModuleNotFoundError as error:
            raise missing_extra(library, "pyod") from error
    found: type[Any] = getattr(importlib.import_module(kind.module), kind.name)
    return found


def dumped(detector: Any, kind: Kind) -> bytes:
    """Return a fitted detector of PyOD as bytes; it is left as it is.

    Raises
    ------
    LimitExceededError
        They are more than `MAX_BLOB_BYTES`.
    """
    import skops.io

    whole = copy.copy(detector)
    vars(whole).pop("tree_", None)  # PyOD's second name for the tree, which scoring does not use
    if kind.tree:
        owner, attribute = _own(whole, kind.tree)
        setattr(owner, attribute, np.asarray(getattr(owner, attribute).data))
    if kind.metric:
        setattr(whole, kind.metric, None)
    blob: bytes = skops.io.dumps(whole)
    if len(blob) > MAX_BLOB_BYTES:
        raise LimitExceededError(
            f"the fitted pyod.{kind.name} takes {len(blob)} bytes, and {MAX_BLOB_BYTES} are stored "
            "at most; lower max_fit_rows",
            parameter="max_fit_rows",
        )
    return blob


def _own(whole: Any, path: str) -> tuple[Any, str]:
    """Give ``whole`` its own copy of the part that ``path`` leads through; return it, and its end."""
    part, attribute = path.split(".")
    owner = copy.copy(getattr(whole, part))
    setattr(whole, part, owner)
    return owner, attribute


def loaded(blob: bytes, kind: Kind, d: int) -> Any:
    """Return the fitted detector for ``d`` signals that `dumped` wrote.

    Raises
    ------
    ArtifactCorruptError
        The bytes are too many, no such detector, hold a type that its list does not, or do not
        score a row.
    MissingExtraError
        PyOD or skops is not installed.
    """
    cls = pyod_class(kind)
    import skops.io

    try:
        _check_names(blob, kind)
        detector = skops.io.loads(blob, trusted=sorted(kind.types))
        _complete(detector, kind)
        _check_scores(detector, cls, kind, d)
    except Exception as error:
        raise ArtifactCorruptError(
            f"the stored pyod.{kind.name} cannot be read: {type(error).__name__}: {error!s:.200}; "
            "fit the model again",
            plugin=f"pyod.{kind.name}",
        ) from error
    return detector


def _check_names(blob: bytes, kind: Kind) -> None:
    """Raise ValueError unless every type and every way of making it is on the lists."""
    if len(blob) > MAX_BLOB_BYTES:
        raise ValueError(f"it has {len(blob)} bytes, and may have {MAX_BLOB_BYTES}")
    with zipfile.ZipFile(io.BytesIO(blob)) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ValueError("it is compressed")
        parts = [json.loads(archive.read("schema.json"))]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            _check_part(part, kind)
            parts += part.values()
        elif isinstance(part, list):
            parts += part


def _check_part(part: dict[str, Any], kind: Kind) -> None:
    named = {"__class__", "__module__", "__loader__"} & part.keys()
    if not named:
        return
    name = f"{part.get('__module__')}.{part.get('__class__')}"
    if name not in kind.types or part.get("__loader__") not in _LOADERS:
        raise ValueError(f"it holds a {name:.80}, made by {part.get('__loader__')!r:.80}")


def _complete(detector: Any, kind: Kind) -> None:
    """Build what was not stored."""
    from sklearn.metrics import DistanceMetric
    from sklearn.neighbors import BallTree

    if kind.tree:
        owner, attribute = _own(detector, kind.tree)
        rows: FloatArray = getattr(owner, attribute)
        tree = BallTree(rows, leaf_size=owner.leaf_size)
        setattr(owner, attribute, tree)
        # scikit-learn's own resets the whole process's warnings, which threads leave so.
        owner.kneighbors = lambda points, n_neighbors, **_: tree.query(points, n_neighbors)
    if kind.metric:
        setattr(detector, kind.metric, DistanceMetric.get_metric("euclidean"))


def _check_scores(detector: Any, cls: type[Any], kind: Kind, d: int) -> None:
    """Raise ValueError unless it is one of its kind, and gives a row of ``d`` signals a score."""
    if type(detector) is not cls or not kind.fits(detector, d):
        raise ValueError(f"it is no whole {cls.__name__} of {d} signals")
    score = np.asarray(detector.decision_function(np.zeros((1, d))))
    if score.shape != (1,) or not np.isfinite(score).all():
        raise ValueError(f"an ordinary row gets the score {score!r:.80}")
