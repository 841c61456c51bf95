"""Models, versions and plugins are listed, described and deleted."""

from __future__ import annotations

from typing import Any

import grpc
import jsonschema
import pytest
from google.longrunning import operations_pb2 as ops
from google.protobuf import json_format

from clarion.server.paging import token_of
from clarion_api.v1 import frame_pb2, models_pb2, plugins_pb2

Code = grpc.StatusCode


@pytest.fixture(scope="module")
def shelf(start_server: Any) -> Any:
    """A server with three models, one of which has three versions."""
    server = start_server()
    server.fit("b", display_name="Boiler")
    for _ in range(3):
        server.fit("a")
    server.fit("c")
    return server


def test_models_come_in_pages_by_name(shelf: Any) -> None:
    first = shelf.models.ListModels(models_pb2.ListModelsRequest(page_size=2))
    assert [m.name for m in first.models] == ["models/a", "models/b"]
    second = shelf.models.ListModels(
        models_pb2.ListModelsRequest(page_size=2, page_token=first.next_page_token)
    )
    assert [m.name for m in second.models] == ["models/c"]
    assert second.next_page_token == ""
    everything = shelf.models.ListModels(models_pb2.ListModelsRequest(page_size=10**9))
    assert list(everything.models) == [*first.models, *second.models]


def test_a_model_tells_its_newest_version(shelf: Any) -> None:
    model = shelf.models.GetModel(models_pb2.GetModelRequest(name="models/a"))
    assert (model.latest_version, model.version_count) == ("models/a/versions/3", 3)
    assert model.update_time.ToNanoseconds() > model.create_time.ToNanoseconds()
    boiler = shelf.models.GetModel(models_pb2.GetModelRequest(name="models/b"))
    assert boiler.display_name == "Boiler"


def test_versions_come_in_pages_newest_first(shelf: Any) -> None:
    request = models_pb2.ListModelVersionsRequest(parent="models/a", page_size=2)
    first = shelf.models.ListModelVersions(request)
    request.page_token = first.next_page_token
    second = shelf.models.ListModelVersions(request)
    names = [v.name for v in (*first.model_versions, *second.model_versions)]
    assert names == [f"models/a/versions/{n}" for n in (3, 2, 1)]
    assert second.next_page_token == ""


def test_a_version_describes_what_was_fitted(shelf: Any, wire: Any) -> None:
    frame = wire.matrix(
        wire.normal_rows(500), signals=[frame_pb2.SignalInfo(name="flow", unit="l/s")]
    )
    spec = {"false_alarm_rate": 0.02, "seed": 5, "background_row_count": 50}
    version = shelf.fit("described", frame=frame, features=("standardize",), spec=spec)
    got = shelf.models.GetModelVersion(
        models_pb2.GetModelVersionRequest(name="models/described/versions/1")
    )
    assert got == version
    assert [(s.name, s.unit) for s in got.signals] == [
        ("pressure", ""),
        ("flow", "l/s"),
        ("speed", ""),
    ]
    assert [step.plugin for step in got.spec.features] == ["standardize"]
    assert got.spec.features[0].parameters["centered"] is True
    assert (got.spec.false_alarm_rate, got.spec.seed) == (0.02, 5)
    assert (got.background_row_count, got.explainer, got.explainer_label) == (
        50,
        "quadratic",
        "exact",
    )
    assert got.fitted_row_count + got.calibration.row_count == 500
    assert got.calibration.smallest_p_value == 1 / (got.calibration.row_count + 1)
    assert "numpy" in got.library_versions


@pytest.mark.parametrize(
    "token", ["x", "AAAA", "////", token_of("a"), token_of("9" * 40), token_of("9" * 40, "a")]
)
def test_a_token_that_no_list_gave_is_refused(shelf: Any, wire: Any, token: str) -> None:
    for call in (
        lambda: shelf.models.ListModelVersions(
            models_pb2.ListModelVersionsRequest(parent="models/a", page_token=token)
        ),
        lambda: shelf.operations.ListOperations(ops.ListOperationsRequest(page_token=token)),
        lambda: shelf.plugins.ListPlugins(plugins_pb2.ListPluginsRequest(page_token=token)),
    ):
        failure = wire.failure(call)
        assert (failure.code, failure.fields) == (Code.INVALID_ARGUMENT, ["page_token"])


def test_what_is_deleted_is_gone_and_the_rest_stays(shelf: Any, wire: Any) -> None:
    shelf.fit("gone")
    shelf.fit("gone")
    name = "models/gone/versions/2"
    shelf.models.DeleteModelVersion(models_pb2.DeleteModelVersionRequest(name=name))
    assert shelf.score(wire.normal_rows(1), "gone").scores.model_version == "models/gone/versions/1"
    shelf.models.DeleteModel(models_pb2.DeleteModelRequest(name="models/gone"))
    for call in (
        lambda: shelf.score(wire.normal_rows(1), "gone"),
        lambda: shelf.models.GetModel(models_pb2.GetModelRequest(name="models/gone")),
        lambda: shelf.models.DeleteModel(models_pb2.DeleteModelRequest(name="models/gone")),
        lambda: shelf.models.DeleteModelVersion(models_pb2.DeleteModelVersionRequest(name=name)),
        lambda: shelf.models.ListModelVersions(
            models_pb2.ListModelVersionsRequest(parent="models/gone")
        ),
    ):
        failure = wire.failure(call)
        assert (failure.code, failure.reason) == (Code.NOT_FOUND, "MODEL_NOT_FOUND")
    shelf.score(wire.normal_rows(1), "a")


# Plugins ------------------------------------------------------------------------------------------


def test_plugins_come_in_pages_by_family_and_name(shelf: Any) -> None:
    every = shelf.plugins.ListPlugins(plugins_pb2.ListPluginsRequest(page_size=1000)).plugins
    paged: list[Any] = []
    token = ""
    while True:
        page = shelf.plugins.ListPlugins(
            plugins_pb2.ListPluginsRequest(page_size=7, page_token=token)
        )
        paged += page.plugins
        token = page.next_page_token
        if not token:
            break
    assert paged == list(every)
    detectors = shelf.plugins.ListPlugins(
        plugins_pb2.ListPluginsRequest(family=plugins_pb2.PLUGIN_FAMILY_DETECTOR, page_size=1000)
    ).plugins
    names = [plugin.name for plugin in detectors]
    assert names == sorted(names)
    assert "plugins/detectors/mahalanobis" in names
    assert {plugin.family for plugin in detectors} == {plugins_pb2.PLUGIN_FAMILY_DETECTOR}


def test_every_plugin_describes_itself_with_a_schema_its_defaults_keep(shelf: Any) -> None:
    every = shelf.plugins.ListPlugins(plugins_pb2.ListPluginsRequest(page_size=1000)).plugins
    for listed in every:
        family = listed.name.split("/")[1]
        if family not in ("detectors", "features", "explainers", "sources"):
            continue
        plugin = shelf.plugins.GetPlugin(plugins_pb2.GetPluginRequest(name=listed.name))
        schema = json_format.MessageToDict(plugin.parameters_schema)
        jsonschema.Draft202012Validator.check_schema(schema)
        defaults = {k: v["default"] for k, v in schema["properties"].items() if "default" in v}
        jsonschema.validate(
            {**dict.fromkeys(schema["required"]), **defaults}, schema | {"required": []}
        )
        assert plugin.description, listed.name
        assert plugin.distribution == "clarion"
    mahalanobis = shelf.plugins.GetPlugin(
        plugins_pb2.GetPluginRequest(name="plugins/detectors/mahalanobis")
    )
    assert list(mahalanobis.capabilities) == ["quadratic_form"]
    assert mahalanobis.traits["kind"] == "row"
    assert "Mahalanobis" in mahalanobis.traits["paper"]


def test_an_unknown_plugin_is_not_found(shelf: Any, wire: Any) -> None:
    name = plugins_pb2.GetPluginRequest(name="plugins/detectors/crystal_ball")
    failure = wire.failure(lambda: shelf.plugins.GetPlugin(name))
    assert (failure.code, failure.reason) == (Code.NOT_FOUND, "PLUGIN_NOT_FOUND")
