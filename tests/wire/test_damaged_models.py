"""A model folder that was cut or edited is refused, and named, and nothing else suffers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import grpc

from clarion_api.v1 import models_pb2

DAMAGE = {
    "manifest.json": "manifest.json",
    "manifest.sha256": "manifest.json",
    "state.safetensors": "state.safetensors",
    "calibrations/current.json": "calibrations/current.json",
}
"""What is damaged, and what is found to be."""


def test_a_damaged_model_is_data_loss_until_it_is_restored(
    start_server: Any, server: Any, wire: Any
) -> None:
    server = start_server(models_of=server)
    server.fit("fan", wire.normal_rows(seed=8))
    server.stop()
    models = server.data_dir / "models/tenants/default/models"
    damaged: dict[str, Path] = {}
    for how in ("cut", "edited"):
        for i, name in enumerate(DAMAGE):
            version = f"models/{how}-{i}/versions/1"
            shutil.copytree(models / "pump", models / f"{how}-{i}")
            damaged[version] = models.parent / version / name
    good = {version: path.read_bytes() for version, path in damaged.items()}
    for version, path in damaged.items():
        data = good[version]
        cut = data[: len(data) // 2]
        path.write_bytes(cut if "cut" in version else data.replace(data[9:12], b"xyz"))
    server.start()

    rows = wire.normal_rows(3)
    for version, path in damaged.items():
        model = version.removeprefix("models/")
        failure = wire.failure(lambda model=model: server.score(rows, model))
        assert (failure.code, failure.reason) == (grpc.StatusCode.DATA_LOSS, "ARTIFACT_CORRUPT")
        inside = path.relative_to(models.parent / version)
        assert failure.metadata["file"] == f"{version}/{DAMAGE[str(inside)]}"
        assert str(server.data_dir) not in failure.message
        assert len(server.score(rows, "fan").scores.values) == 24
    listed = server.models.ListModels(models_pb2.ListModelsRequest()).models
    assert {f"{model.name}/versions/1" for model in listed} >= damaged.keys()

    for version, path in damaged.items():
        path.write_bytes(good[version])
        answer = server.score(rows, version.removeprefix("models/"))
        assert answer.scores.values == server.score(rows, "pump/versions/1").scores.values
    assert server.stop() == 0
