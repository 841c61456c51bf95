"""Where things lie under the store's root, and how a folder appears or vanishes at once."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clarion.store.files import checked_name, corrupt, sync_folder


class Folders:
    """Paths under ``root``; names are checked, and links among them refused."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for name in ("tenants", "staging", "trash"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def models(self, tenant: str) -> Path:
        """Return the folder of a tenant's models."""
        return self._unlinked("tenants", checked_name(tenant, "tenant"), "models")

    def model(self, tenant: str, model: str) -> Path:
        """Return the folder of one model, there or not."""
        return self._unlinked("tenants", self.models(tenant).parent.name, "models", _named(model))

    def version(self, tenant: str, model: str, number: int) -> Path:
        """Return the folder of one version, there or not."""
        place = ("tenants", checked_name(tenant, "tenant"), "models", _named(model))
        return self._unlinked(*place, "versions", str(number))

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """Give a fresh folder to build in; what is left of it at the end is removed."""
        folder = self._root / "staging" / uuid.uuid4().hex
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def discard(self, folder: Path) -> None:
        """Remove a folder: gone at once for every reader, its files a moment later.

        Raises
        ------
        FileNotFoundError
            Another was faster.
        """
        grave = self._root / "trash" / uuid.uuid4().hex
        folder.rename(grave)
        sync_folder(folder.parent)
        shutil.rmtree(grave, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a crash left in staging and trash; for the only process that writes."""
        for name in ("staging", "trash"):
            for left in (self._root / name).iterdir():
                shutil.rmtree(left, ignore_errors=True)

    def _unlinked(self, *parts: str) -> Path:
        path = self._root
        for part in parts:
            path /= part
            if path.is_symlink():
                raise corrupt(path, "is a link")
        return path


def _named(model: str) -> str:
    return checked_name(model, "model")
