"""A plugin that misbehaves is named, and takes nobody else along."""

from __future__ import annotations

import os
import time
from typing import Any

import grpc
import numpy as np
import pytest

from clarion_api.v1 import detection_pb2 as pb
from clarion_api.v1 import models_pb2, plugins_pb2

Code = grpc.StatusCode
SECRET = "swordfish"
OVER = np.array([[0.0, 0.0, 2000.0]])
"""A row on which the plugins misbehave."""


def fitted_in_vain(server: Any, wire: Any, detector: str) -> Any:
    """Fit, which must fail; return the error, with the details by type in ``found``."""
    done = server.wait(server.start_fit("trouble", detector=detector).name)
    assert done.HasField("error")
    assert not list(server.data_dir.rglob("trouble"))
    server.score(wire.normal_rows(2))
    return done.error, wire.unpacked(done.error.details)


def test_a_package_that_cannot_be_imported_is_kept_out_and_reported(troubled: Any) -> None:
    listed = troubled.plugins.ListPlugins(plugins_pb2.ListPluginsRequest()).plugins
    assert listed[-1].name == "plugins/quarantined/trouble_on_import"
    assert "libtrouble.so" in listed[-1].error
    assert listed[-1].distribution == "clarion-trouble"
    assert all(not plugin.error for plugin in listed[:-1])
    assert any(plugin.name == "plugins/detectors/mahalanobis" for plugin in listed)


def test_a_plugin_that_fails_to_import_is_named(troubled: Any, wire: Any) -> None:
    error, found = fitted_in_vain(troubled, wire, "raises_on_import")
    assert error.code == Code.INTERNAL.value[0]
    assert found["ErrorInfo"].reason == "PLUGIN_ERROR"
    assert found["ErrorInfo"].metadata["plugin"] == "raises_on_import"
    name = plugins_pb2.GetPluginRequest(name="plugins/detectors/raises_on_import")
    assert wire.failure(lambda: troubled.plugins.GetPlugin(name)).reason == "PLUGIN_ERROR"


def test_a_plugin_that_raises_on_fit_is_named(troubled: Any, wire: Any) -> None:
    error, found = fitted_in_vain(troubled, wire, "raises_on_fit")
    assert error.code == Code.INTERNAL.value[0]
    assert found["ErrorInfo"].metadata["plugin"] == "raises_on_fit"


def test_a_plugin_that_exits_on_fit_ends_its_operation_only(troubled: Any, wire: Any) -> None:
    error, found = fitted_in_vain(troubled, wire, "exits_on_fit")
    assert error.code == Code.INTERNAL.value[0]
    assert found["ErrorInfo"].reason in ("PLUGIN_ERROR", "INTERNAL")
    assert SECRET not in error.message
    assert troubled.process.poll() is None


def test_a_model_that_cannot_be_loaded_again_is_not_kept(troubled: Any, wire: Any) -> None:
    error, _ = fitted_in_vain(troubled, wire, "raises_on_load")
    assert error.code == Code.INTERNAL.value[0]
    name = models_pb2.GetModelRequest(name="models/trouble")
    assert wire.failure(lambda: troubled.models.GetModel(name)).code is Code.NOT_FOUND


@pytest.mark.parametrize("detector", ["raises_on_score", "returns_nan"])
def test_a_plugin_that_fails_on_score_is_named(troubled: Any, wire: Any, detector: str) -> None:
    model = detector.replace("_", "-")
    troubled.fit(model, detector=detector)
    failure = wire.failure(lambda: troubled.score(OVER, model))
    assert (failure.code, failure.reason) == (Code.INTERNAL, "PLUGIN_ERROR")
    assert failure.metadata["plugin"] == detector
    troubled.score(wire.normal_rows(2), model)


@pytest.mark.parametrize("warm", [0, 20])
def test_a_plugin_that_exits_on_score_does_not_end_the_server(
    troubled: Any, wire: Any, warm: int
) -> None:
    model = f"exits-{warm}"
    troubled.fit(model, detector="exits_on_score")
    for _ in range(warm):  # then it runs on the event loop
        troubled.score(wire.normal_rows(1) * 0.1, model)
    failure = wire.failure(lambda: troubled.score(OVER, model))
    assert failure.code is Code.INTERNAL
    assert troubled.process.poll() is None
    troubled.score(wire.normal_rows(2))


def policy(explainer: str) -> pb.ExplanationPolicy:
    return pb.ExplanationPolicy(
        rows=pb.EXPLAINED_ROWS_ALL, explainer=explainer, max_evaluations=4096
    )


def test_a_plugin_that_raises_in_the_explaining_process_is_named(troubled: Any, wire: Any) -> None:
    rows = wire.normal_rows(2)
    failure = wire.failure(lambda: troubled.score(rows, policy=policy("raises_on_explain")))
    assert (failure.code, failure.reason) == (Code.INTERNAL, "PLUGIN_ERROR")
    assert failure.metadata["plugin"] == "raises_on_explain"


def test_a_plugin_that_kills_its_process_twice_is_told_and_the_next_call_served(
    troubled: Any, wire: Any
) -> None:
    rows = wire.normal_rows(2)
    failure = wire.failure(lambda: troubled.score(rows, policy=policy("kills_its_process")))
    assert (failure.code, failure.reason) == (Code.INTERNAL, "PLUGIN_ERROR")
    assert "died twice" in failure.message
    request = {"policy": policy("permutation_shap")}
    response, trailer = troubled.scored(wire.matrix(wire.normal_rows(50)), **request)
    assert trailer["clarion-where"] == "process"
    assert int(trailer["clarion-worker-pid"]) != troubled.process.pid
    assert len(response.explanations) == 50


def test_the_deadline_of_a_slow_call_holds_and_others_are_served_meanwhile(
    troubled: Any, wire: Any
) -> None:
    troubled.fit("sleeps", detector="sleeps")
    slow = pb.ScoreRequest(model="models/sleeps", frame=wire.matrix(OVER - [0, 0, 997]))
    call = troubled.detection.Score.future(slow, timeout=0.5)
    begun = time.monotonic()
    for _ in range(20):
        troubled.score(wire.normal_rows(2))
    assert time.monotonic() - begun < 2.5
    with pytest.raises(grpc.RpcError) as caught:
        call.result()
    assert caught.value.code() is Code.DEADLINE_EXCEEDED


def test_the_log_holds_what_callers_are_not_told(troubled: Any, wire: Any) -> None:
    fitted_in_vain(troubled, wire, "raises_on_fit")
    assert SECRET in troubled.logged()
    assert "Traceback" in troubled.logged()
    assert os.getpid() != troubled.process.pid
