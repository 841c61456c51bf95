"""Pictures as files: SVG as it is, PNG through the library resvg."""

from __future__ import annotations

from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from clarion.errors import InvalidParameterError
from clarion.evaluation.page import standalone
from clarion.inputs import missing_extra

_SCALE = 2
"""Pixels of a PNG for each of the picture's own."""


def check_picture(path: Path) -> None:
    """Refuse a file that is neither ``.svg`` nor ``.png``, before any work is done.

    Raises
    ------
    InvalidParameterError
        It is another kind of file.
    MissingExtraError
        PNG, and the library that draws it is not installed.
    """
    if path.suffix not in (".svg", ".png"):
        raise InvalidParameterError(
            f"a picture is written as .svg or .png, not as '{path.name}'", field="picture"
        )
    if path.suffix == ".png":
        for module, library in (("resvg_py", "resvg-py"), ("matplotlib", "matplotlib")):
            if find_spec(module) is None:
                raise missing_extra(library, "explain")


def write_picture(path: Path, svg: str) -> None:
    """Write a picture; `check_picture` has let the file pass."""
    whole = standalone(svg)
    if path.suffix == ".svg":
        path.write_text(whole, encoding="utf-8")
        return
    import resvg_py

    fonts = files("matplotlib") / "mpl-data" / "fonts" / "ttf"  # a server may have none of its own
    drawn = resvg_py.svg_to_bytes(
        svg_string=whole,
        zoom=_SCALE,
        font_files=[str(fonts / "DejaVuSans.ttf"), str(fonts / "DejaVuSans-Bold.ttf")],
        skip_system_fonts=True,
        sans_serif_family="DejaVu Sans",
        font_family="DejaVu Sans",
    )
    path.write_bytes(bytes(drawn))
