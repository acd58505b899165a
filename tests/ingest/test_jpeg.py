"""A JPEG that is cut or blanked is refused, in a folder and in a TIFF, and a whole one gives what viewers show."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import open_source

NOISE = np.random.default_rng(7).normal(120, 30, (64, 96)).clip(0, 255).astype(np.uint8)
END = b"\xff\xd9"


def _encoded(**settings: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, "JPEG", quality=90, **settings)
    return file.getvalue()


def _read(path: Path) -> np.ndarray:
    source = open_source(str(path))
    return np.asarray(source.read(Box.of_shape(source.shape)))


DAMAGES = {
    "cut, with an end": lambda data: data[: len(data) // 2] + END,
    "cut": lambda data: data[: len(data) // 2],
    "zeros": lambda data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2 - 2) + END,
}


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"restart_marker_rows": 1}], ids=str)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_torn_section_of_a_folder_is_refused_by_name(
    tmp_path: Path, damage: Callable[[bytes], bytes], settings: dict[str, object]
) -> None:
    """Kills gray 128 in half of a section: libjpeg only warns of it, and Pillow does not tell."""
    for z in range(3):
        (tmp_path / f"z{z}.jpg").write_bytes(_encoded(**settings))
    with Image.open(tmp_path / "z1.jpg") as image:
        np.testing.assert_array_equal(_read(tmp_path)[1], np.asarray(image))
    (tmp_path / "z1.jpg").write_bytes(damage(_encoded(**settings)))
    with refused(PermanentError, "z1.jpg"):
        _read(tmp_path)


@pytest.mark.parametrize("tile", [None, (32, 48)])
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_torn_strip_or_tile_of_a_tiff_is_refused_with_its_section(
    tmp_path: Path, damage: Callable[[bytes], bytes], tile: tuple[int, int] | None
) -> None:
    """Kills the same behind tifffile, where tables are kept apart from the data."""
    file = tmp_path / "v.tif"
    tifffile.imwrite(file, np.stack([NOISE] * 3), compression="jpeg", photometric="minisblack", tile=tile)
    assert np.abs(_read(file).astype(int) - NOISE).mean() < 8
    with tifffile.TiffFile(file) as opened:
        at, count = opened.pages[1].dataoffsets[0], opened.pages[1].databytecounts[0]
    data = file.read_bytes()
    torn = damage(data[at : at + count])
    file.write_bytes(data[:at] + torn + bytes(count - len(torn)) + data[at + count :])
    with refused(PermanentError, "v.tif"):
        _read(file)


def test_a_tiff_of_which_no_damage_would_be_told_is_refused(tmp_path: Path) -> None:
    """Kills JPEG XR, whose decoder gives half a section of a cut file without a word."""
    tifffile.imwrite(tmp_path / "v.tif", NOISE, compression="jpegxr", photometric="minisblack")
    with refused(PermanentError, "JPEGXR"):
        open_source(str(tmp_path / "v.tif"))
