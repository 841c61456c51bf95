from dataclasses import replace

from clarion.frames import SignalKind
from clarion.pipeline.answer import ExplanationPolicy, View
from clarion.pipeline.fit import fit
from clarion.pipeline.spec import PipelineSpec, Step
from clarion.plugins import load_plugins
from clarion.testing import data
from explanations_pull_back import DETECTORS, _error, _gap


def test_a_pair_adds_up_and_a_lost_cell_is_seen() -> None:
    registries = load_plugins()
    assert _error(registries, Step("standardize"), "ecod") <= 1e-9
    frame = data.normal({SignalKind.NUMERIC}, 200, seed=5, assets=False, numeric_signals=3)
    fitted = fit(PipelineSpec(Step("ecod")), frame, registries=registries)
    policy = ExplanationPolicy(rows=(7,), view=View.FULL)
    [record] = fitted.run(data.spiked(frame, 7), policy)[0].explanations
    assert _gap(record) <= 1e-9
    assert _gap(replace(record, cells=record.cells[1:])) > 0.01


def test_the_families_are_detectors_that_exist() -> None:
    known = {entry.name for entry in load_plugins().detectors}
    assert set(DETECTORS.values()) <= known
