"""Running the kit: its configurations, its report, and its independence of test runners."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from clarion.arrays import BoolArray, FloatArray
from clarion.detectors import DetectorTraits
from clarion.errors import InvalidParameterError, MissingExtraError, PluginNotFoundError
from clarion.features import FitContext
from clarion.frames import Frame
from clarion.parameters import parameter
from clarion.plugins import load_plugins
from clarion.registry import Registries
from clarion.testing import (
    ContractError,
    DetectorCase,
    configurations,
    detector_checks,
    explainer_checks,
    extractor_checks,
    run,
    source_checks,
)
from clarion.testing.detectors import check_spike_scores_highest


@dataclass(frozen=True, kw_only=True)
class Switches:
    """Has some of each."""

    on: bool = parameter(True, "A switch.")
    off: bool = parameter(False, "Another.")
    word: str = parameter("a", "A choice.", choices=("a", "b", "c"))
    words: tuple[str, ...] = parameter(("a", "b"), "Choices.", choices=("a", "b"))
    count: int = parameter(3, "A number.", minimum=1)
    path: str = parameter("", "A text.")


def test_each_switch_is_turned_and_each_choice_taken() -> None:
    assert list(configurations(Switches)) == [
        {},
        {"on": False},
        {"off": True},
        {"word": "b"},
        {"word": "c"},
        {"words": ["a"]},
        {"words": ["b"]},
    ]


def test_what_is_set_stays_set() -> None:
    fixed = {"path": "x", "on": False, "word": "c", "words": ["a"]}
    assert list(configurations(Switches, fixed)) == [fixed, fixed | {"off": True}]


@dataclass(frozen=True)
class Unfit:
    """Cannot be fitted, with or without its library."""

    traits: ClassVar[DetectorTraits] = DetectorTraits()
    fitted: ClassVar[type[Any]] = object

    library: bool = parameter(True, "Whether its library is installed.")

    def __post_init__(self) -> None:
        if not self.library:
            raise InvalidParameterError("it needs its library")

    def fit(self, frame: Frame, labels: BoolArray | None, context: FitContext) -> Any:
        raise MissingExtraError("run: pip install 'clarion[deep]'")


@pytest.fixture
def registries() -> Registries:
    registries = Registries()
    registries.detectors.add("unfit", f"{__name__}:Unfit")
    return registries


def test_a_report_has_each_check_of_each_configuration(registries: Registries) -> None:
    results = list(run("detectors", "unfit", registries))
    assert [result.check for result in results if not result.parameters] == [
        check.__name__ for check in detector_checks()
    ]
    described, *others = results
    assert described.passed
    assert others[0].failure == (
        "check_declares_what_it_is: unfit: raised MissingExtraError: "
        "run: pip install 'clarion[deep]'"
    )
    (unbuilt,) = (result for result in results if result.parameters)
    assert (unbuilt.check, unbuilt.failure) == ("build", "it needs its library")
    assert not unbuilt.passed


def test_an_unknown_plugin_is_no_report(registries: Registries) -> None:
    with pytest.raises(PluginNotFoundError):
        next(run("detectors", "absent", registries))


@pytest.mark.parametrize(
    "checks", [detector_checks(), extractor_checks(), explainer_checks(), source_checks()]
)
def test_every_check_says_what_its_law_is(checks: tuple[Any, ...]) -> None:
    names = [check.__name__ for check in checks]
    assert len(set(names)) == len(names)
    for check in checks:
        assert check.__name__.startswith("check_")
        assert check.__doc__
        assert check.__doc__.split("\n")[0].endswith((".", ":"))


def test_a_failure_names_check_plugin_row_and_numbers() -> None:
    detector = load_plugins().detectors.get("robust_zscore")

    @dataclass(frozen=True)
    class FittedBackwards:
        forwards: Any

        def score(self, frame: Frame) -> FloatArray:
            scores: FloatArray = -self.forwards.score(frame)
            return scores

    class Backwards:
        traits = detector.traits

        def fit(self, *args: Any) -> FittedBackwards:
            return FittedBackwards(detector().fit(*args))

    said = r"^check_spike_scores_highest: Backwards: row 40 is the spike and scores -\d.*, but row"
    with pytest.raises(ContractError, match=said):
        check_spike_scores_highest(DetectorCase(Backwards()))


WITHOUT_PYTEST = """
import sys
sys.modules.update(dict.fromkeys(["pytest", "_pytest", "hypothesis", "pandas"]))  # unimportable
from clarion.plugins import load_plugins
from clarion.testing import run
assert all(result.passed for result in run("detectors", "zscore", load_plugins()))
"""


def test_the_kit_needs_no_test_runner() -> None:
    subprocess.run([sys.executable, "-c", WITHOUT_PYTEST], check=True)
