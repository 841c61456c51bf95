"""What is drawn at random comes from the row's seed alone: another process gives the same bytes."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np

from clarion.explainers import Scorable
from clarion.frames import Frame
from clarion_explainers.lime import Lime
from clarion_explainers.permutation_shap import PermutationShap


def digest() -> str:
    rng = np.random.default_rng(0)
    normal, frame = Frame.of(rng.normal(size=(30, 6))), Frame.of(rng.normal(size=(3, 6)))
    case = Scorable(lambda f: np.abs(f.numeric()).sum(axis=1) ** 1.5, normal)
    seeds = np.array([0, 1, 2**64 - 1], np.uint64)
    found = hashlib.sha256()
    for explainer in (Lime(), PermutationShap()):
        answer = explainer.explain(case, frame, evaluations=1024, seeds=seeds)
        for array in (
            answer.contributions,
            answer.base_value,
            answer.standard_error,
            answer.interval,
        ):
            found.update(b"" if array is None else array.tobytes())
    return found.hexdigest()


def test_a_fresh_process_gives_the_same_bytes() -> None:
    run = subprocess.run(
        [sys.executable, str(Path(__file__))],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert run.stdout.strip() == digest()


if __name__ == "__main__":
    sys.stdout.write(digest())
