"""What is drawn at random comes from the row's seed alone: another process gives the same bytes."""

import hashlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from clarion.arrays import FloatArray
from clarion.explainers import Explainer, Scorable
from clarion.frames import Frame
from clarion_detectors.dnn import FittedDnn
from clarion_explainers.deep_shap import DeepShap
from clarion_explainers.expected_gradients import ExpectedGradients
from clarion_explainers.integrated_gradients import IntegratedGradients
from clarion_explainers.kernel_shap import KernelShap
from clarion_explainers.lime import Lime
from clarion_explainers.permutation_shap import PermutationShap

_LIBRARIES = find_spec("shap") is not None and find_spec("torch") is not None


def _weights(rng: np.random.Generator) -> dict[str, FloatArray]:
    return {name: rng.normal(size=shape) for name, shape in FittedDnn.shapes(6, (8,)).items()}


def digest() -> str:
    rng = np.random.default_rng(0)
    normal, frame = Frame.of(rng.normal(size=(30, 6))), Frame.of(rng.normal(size=(3, 6)))
    case = Scorable(lambda f: np.abs(f.numeric()).sum(axis=1) ** 1.5, normal)
    seeds = np.array([0, 1, 2**64 - 1], np.uint64)
    found = hashlib.sha256()
    network = FittedDnn(normal.signals, np.zeros(6), np.ones(6), (8,), _weights(rng))
    own = Scorable(network.score, normal, network)
    asked: list[tuple[Explainer, Scorable]] = [(Lime(), case), (PermutationShap(), case)]
    asked += [(ExpectedGradients(), own), (IntegratedGradients(), own)]
    if _LIBRARIES:
        asked += [(KernelShap(masks=1), case), (DeepShap(), own)]
    for explainer, explained in asked:
        answer = explainer.explain(explained, frame, evaluations=1024, seeds=seeds)
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
