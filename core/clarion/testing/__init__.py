"""The conformance kit: every law that a plugin must keep, as a function that needs no test runner.

From the command line, ``clarion plugins check NAME``. From a test::

    @pytest.mark.parametrize("check", detector_checks(), ids=attrgetter("__name__"))
    def test_my_detector_keeps_its_contract(check):
        check(DetectorCase(MyDetector()))

A check returns if the plugin keeps the law, else it raises `ContractError`, which names the check,
the plugin, the row or column, and the numbers. `run` tries every configuration of a registered
plugin: its defaults, both values of each boolean, each choice.
"""

from clarion.testing.cases import DetectorCase, ExtractorCase
from clarion.testing.detectors import detector_checks
from clarion.testing.errors import Check, ContractError
from clarion.testing.explainers import explainer_checks
from clarion.testing.extractors import extractor_checks
from clarion.testing.report import Result, configurations, run
from clarion.testing.sources import SourceCase, source_checks
from clarion.testing.subjects import ExplainerCase, Subject, subjects_of

__all__ = [
    "Check",
    "ContractError",
    "DetectorCase",
    "ExplainerCase",
    "ExtractorCase",
    "Result",
    "SourceCase",
    "Subject",
    "configurations",
    "detector_checks",
    "explainer_checks",
    "extractor_checks",
    "run",
    "source_checks",
    "subjects_of",
]
