"""A typo in the list of packages builds without a word: what a wheel holds is compared with the disk."""

import configparser
import zipfile
from pathlib import Path
from typing import Any

import pytest

FOLDERS_OF_PACKAGES = ("core", "plugins", "explainers")


def test_the_wheel_holds_every_module_on_disk(root: Path, wheel: Path) -> None:
    assert modules_in(wheel) == {
        name for folder in FOLDERS_OF_PACKAGES for name in modules_on_disk(root / folder)
    }


def test_the_client_wheel_holds_every_module_on_disk(root: Path, client_wheel: Path) -> None:
    assert modules_in(client_wheel) == modules_on_disk(root / "clients" / "python")


def test_every_package_is_typed_and_the_licence_is_in(wheel: Path, client_wheel: Path) -> None:
    for path in (wheel, client_wheel):
        names = zipfile.ZipFile(path).namelist()
        for package in packages_in(path):
            assert f"{package}/py.typed" in names
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_every_plugin_package_has_its_entry_point(root: Path, wheel: Path) -> None:
    entries = entry_points_of(wheel)
    families = {
        path.parent.name
        for folder in ("plugins", "explainers")
        for path in (root / folder).glob("*/__init__.py")
    }
    assert dict(entries["clarion"]) == {
        family.removeprefix("clarion_"): family for family in families
    }
    assert dict(entries["console_scripts"]) == {"clarion": "clarion.cli.main:main"}


def test_both_distributions_have_one_version(
    manifest: dict[str, Any], client_manifest: dict[str, Any]
) -> None:
    version = manifest["project"]["version"]
    assert client_manifest["project"]["version"] == version
    assert f"clarion-client=={version}" in manifest["project"]["dependencies"]


def test_the_extra_all_names_every_other_extra(manifest: dict[str, Any]) -> None:
    extras = manifest["project"]["optional-dependencies"]
    assert extras["all"] == [f"clarion[{','.join(sorted(extras.keys() - {'all'}))}]"]


def test_every_package_obeys_the_import_law(
    manifest: dict[str, Any], wheel: Path, client_wheel: Path
) -> None:
    law = manifest["tool"]["importlinter"]
    assert set(law["root_packages"]) == packages_in(wheel) | packages_in(client_wheel)


@pytest.mark.parametrize(
    "folder", ["", "core", "plugins", "explainers", "proto", "clients", "clients/python", "tests"]
)
def test_a_folder_of_packages_is_no_package(root: Path, folder: str) -> None:
    assert not (root / folder / "__init__.py").exists()


def modules_on_disk(folder: Path) -> set[str]:
    packages = [path.parent for path in folder.glob("*/__init__.py")]
    return {
        path.relative_to(folder).as_posix()
        for package in packages
        for path in package.rglob("*.py")
    }


def modules_in(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}


def packages_in(wheel: Path) -> set[str]:
    return {name.split("/")[0] for name in modules_in(wheel)}


def entry_points_of(wheel: Path) -> configparser.ConfigParser:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
    entries = configparser.ConfigParser()
    entries.read_string(archive.read(name).decode())
    return entries
