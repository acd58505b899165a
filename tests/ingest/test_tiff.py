"""A TIFF gives all of its sections as a viewer shows them, or is refused with what is missing or strange."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.ingest.tiffs import as_libtiff_writes, ome_set, overwrite
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import open_source

STACK = np.random.default_rng(1).integers(0, 255, (12, 40, 30), np.uint8)


def _whole(path: Path) -> np.ndarray:
    source = open_source(str(path))
    return np.asarray(source.read(Box.of_shape(source.shape)))


def _write(path: Path, *parts: np.ndarray, **settings: object) -> Path:
    with tifffile.TiffWriter(path) as writer:
        for part in parts:
            writer.write(part, **settings)
    return path


@pytest.mark.parametrize("settings", [{}, {"metadata": None}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_all_sections_of_several_series_are_read(tmp_path: Path, settings: dict) -> None:
    """Kills taking the first series: 1 or 7 of 12 sections."""
    settings = {"photometric": "minisblack", **settings}
    for parts in (list(STACK), [STACK[:7], STACK[7:]], [STACK]):
        np.testing.assert_array_equal(_whole(_write(tmp_path / "v.tif", *parts, **settings)), STACK)


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ((STACK[:7], STACK[7:, :, :28]), ("7 of (40, 30)", "5 of (40, 28)")),
        ((STACK[:7], STACK[7:].astype(np.uint16)), ("7 of (40, 30) uint8", "5 of (40, 30) uint16")),
        ((STACK[:4], STACK[4:5, :20, :20], STACK[5:]), ("4 of", "1 of (20, 20)", "7 of")),
        ((np.stack([STACK[:3]] * 2, 1),), ("Q of 3", "Q of 2")),
        ((np.stack([STACK[:3]] * 3, -1),), ("RGB",)),
    ],
    ids=["two sizes", "two types", "one odd", "channels", "colour"],
)
def test_sections_that_are_not_alike_are_refused_by_number_and_shape(
    tmp_path: Path, parts: tuple[np.ndarray, ...], found: tuple[str, ...]
) -> None:
    """Kills the part of a file that happens to be first, and a check of the first and the last page alone."""
    with refused(PermanentError, "v.tif", *found):
        photometric = "rgb" if parts[0].shape[-1] == 3 else "minisblack"
        open_source(str(_write(tmp_path / "v.tif", *parts, photometric=photometric)))


@pytest.mark.parametrize("kind", ["ome", "imagej"])
@pytest.mark.parametrize(("axes", "count"), [("CYX", "C of 6"), ("TYX", "T of 6")])
def test_channels_and_times_are_no_sections(tmp_path: Path, kind: str, axes: str, count: str) -> None:
    """Kills six channels of one section ingested as six sections; as Z they are sections."""
    for said in (axes, "ZYX"):
        settings = {kind: True, "metadata": {"axes": said}, "photometric": "minisblack"}
        tifffile.imwrite(tmp_path / f"{said}.tif", STACK[:6], **settings)
    with refused(PermanentError, "CYX.tif" if axes == "CYX" else "TYX.tif", count):
        open_source(str(tmp_path / f"{axes}.tif"))
    np.testing.assert_array_equal(_whole(tmp_path / "ZYX.tif"), STACK[:6])


def test_a_tiff_that_says_its_axes_are_turned_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", STACK, metadata={"axes": "XYZ"}, photometric="minisblack")
    with refused(PermanentError, "X, Y, Z"):
        open_source(str(tmp_path / "v.tif"))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: tifffile.imwrite(path, STACK, photometric="minisblack"),
        lambda path: tifffile.imwrite(path, STACK, photometric="minisblack", compression="zlib", metadata=None),
        lambda path: tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "ZYX"}),
        lambda path: tifffile.imwrite(path, STACK, bigtiff=True, photometric="minisblack"),
        lambda path: _write(path, *STACK, contiguous=False, metadata=None, photometric="minisblack"),
        lambda path: as_libtiff_writes(path, STACK),
    ],
    ids=["contiguous", "zlib", "imagej", "big", "page by page", "libtiff"],
)
@pytest.mark.parametrize("kept", [0.55, 0.9, 0.999])
def test_a_copy_that_was_cut_off_is_refused(tmp_path: Path, write: Callable[[Path], None], kept: float) -> None:
    """Kills a stack of fewer sections, and zeros in place of the last strip."""
    write(tmp_path / "v.tif")
    data = (tmp_path / "v.tif").read_bytes()
    assert len(_whole(tmp_path / "v.tif")) == 12
    (tmp_path / "v.tif").write_bytes(data[: int(len(data) * kept)])
    with refused(PermanentError, "v.tif"):
        open_source(str(tmp_path / "v.tif"))


def test_large_files_of_imagej_have_one_page_and_all_their_sections(tmp_path: Path) -> None:
    """ImageJ writes one directory for a stack above 4 GB. Kills one section, and big-endian voxels read as they lie."""
    for dtype in (np.uint8, np.uint16):
        volume = STACK.astype(dtype) * dtype(1 if dtype is np.uint8 else 200)
        tifffile.imwrite(tmp_path / "v.tif", volume, imagej=True, metadata={"axes": "ZYX"})
        with tifffile.TiffFile(tmp_path / "v.tif") as file:
            link, order = file.pages[0].offset, file.byteorder
            count = int.from_bytes(
                (tmp_path / "v.tif").read_bytes()[link : link + 2], "little" if order == "<" else "big"
            )
        with (tmp_path / "v.tif").open("r+b") as raw:
            raw.seek(link + 2 + 12 * count)
            raw.write(bytes(4))
        np.testing.assert_array_equal(_whole(tmp_path / "v.tif"), volume)
        data = (tmp_path / "v.tif").read_bytes()
        (tmp_path / "v.tif").write_bytes(data[: len(data) // 2])
        with refused(PermanentError, "12 sections"):
            open_source(str(tmp_path / "v.tif"))


@pytest.mark.parametrize("how", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd", "jpeg"])
def test_compressed_stacks_and_folders_are_read(tmp_path: Path, how: str) -> None:
    smooth = np.tile(np.arange(0, 240, 6, dtype=np.uint8), (3, 40, 1))
    pages = [Image.fromarray(page) for page in smooth]
    pages[0].save(tmp_path / "v.tif", save_all=True, append_images=pages[1:], compression=how)
    (tmp_path / "f").mkdir()
    for z, page in enumerate(pages):
        page.save(tmp_path / "f" / f"z{z}.tif", compression=how)
    for source in (tmp_path / "v.tif", tmp_path / "f"):
        assert np.abs(_whole(source).astype(int) - smooth).max() <= (4 if how == "jpeg" else 0)


def test_white_as_zero_and_palettes_of_grays_are_read_as_viewers_show_them(tmp_path: Path) -> None:
    """Oracle: Pillow. Kills the negative, and indices of a palette taken for grays."""
    tifffile.imwrite(tmp_path / "w.tif", STACK, photometric="miniswhite")
    source = open_source(str(tmp_path / "w.tif"))
    with Image.open(tmp_path / "w.tif") as image:
        np.testing.assert_array_equal(source.read(Box((0, 0, 0), (1, 40, 30)))[0], np.asarray(image))
    assert source.info.altered
    assert "inverted" in str(source.info.notes)
    grays = np.repeat(np.arange(255, -1, -1, dtype=np.uint16)[None] * 257, 3, 0)
    tifffile.imwrite(tmp_path / "p.tif", STACK, photometric="palette", colormap=grays)
    np.testing.assert_array_equal(_whole(tmp_path / "p.tif"), 255 - STACK)
    tifffile.imwrite(tmp_path / "i.tif", STACK, photometric="palette", colormap=grays[:, ::-1])
    assert not open_source(str(tmp_path / "i.tif")).info.altered
    grays[0, 7] = 3
    tifffile.imwrite(tmp_path / "c.tif", STACK, photometric="palette", colormap=grays)
    with refused(PermanentError, "c.tif", "palette of colours"):
        open_source(str(tmp_path / "c.tif"))


def test_bilevel_masks_are_what_is_white(tmp_path: Path) -> None:
    mask = STACK > 200
    for photometric, stored in (("minisblack", mask), ("miniswhite", ~mask)):
        tifffile.imwrite(tmp_path / "m.tif", stored, photometric=photometric)
        np.testing.assert_array_equal(_whole(tmp_path / "m.tif"), mask)


def test_an_image_that_viewers_turn_is_refused(tmp_path: Path) -> None:
    as_libtiff_writes(tmp_path / "v.tif", STACK, orientation=6)
    with refused(PermanentError, "Orientation", 6):
        open_source(str(tmp_path / "v.tif"))


def test_a_set_is_read_whole_by_any_member_and_by_its_folder(tmp_path: Path) -> None:
    """Kills sections in the order of the directory, and a set of one section."""
    files = ome_set(tmp_path / "set", STACK)
    for source in (files[0], files[7], tmp_path / "set"):
        np.testing.assert_array_equal(_whole(source), STACK)
    assert open_source(str(files[3])).info.voxel_size_nm == (30, 8, 8)
    files[7].rename(files[7].with_name("copy.tif"))
    np.testing.assert_array_equal(_whole(files[7].with_name("copy.tif")), STACK)


def test_a_set_with_missing_members_is_refused_naming_them(tmp_path: Path) -> None:
    """Kills zeros in place of the sections of files that were not copied."""
    files = ome_set(tmp_path / "set", STACK)
    files[11].unlink()
    for source in (files[0], tmp_path / "set"):
        with refused(PermanentError, "12 files", "em_z11.ome.tif"):
            open_source(str(source))


def test_a_member_of_a_set_that_another_file_describes_is_refused(tmp_path: Path) -> None:
    header = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:1">'
        '<BinaryOnly MetadataFile="em.companion.ome" UUID="urn:uuid:2"/></OME>'
    )
    (tmp_path / "set").mkdir()
    for z, page in enumerate(STACK):
        tifffile.imwrite(tmp_path / "set" / f"z{z}.ome.tif", page, description=header, metadata=None)
    with refused(PermanentError, "em.companion.ome"):
        open_source(str(tmp_path / "set" / "z0.ome.tif"))
    np.testing.assert_array_equal(_whole(tmp_path / "set"), STACK)


def test_strips_that_are_damaged_or_were_never_written_are_told(tmp_path: Path) -> None:
    """Kills a traceback of a decoder, and blank voxels for an empty strip."""
    tifffile.imwrite(tmp_path / "v.tif", STACK, photometric="minisblack", compression="zlib", metadata=None)
    with tifffile.TiffFile(tmp_path / "v.tif") as file:
        at = file.pages[9].dataoffsets[0] + 20
        counts = file.pages[4].tags["StripByteCounts"]
    overwrite(tmp_path / "v.tif", at)
    source = open_source(str(tmp_path / "v.tif"))
    np.testing.assert_array_equal(source.read(Box((0, 3, 2), (9, 40, 30))), STACK[:9, 3:, 2:])
    with refused(PermanentError, "v.tif", "(9, 0, 0) to (10, 40, 30)"):
        source.read(Box((9, 0, 0), (10, 40, 30)))
    with tifffile.TiffFile(tmp_path / "v.tif", mode="r+") as file:
        file.pages[4].tags["StripByteCounts"].overwrite([0] * counts.count)
    with refused(PermanentError, "page 5 of 12"):
        open_source(str(tmp_path / "v.tif"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"imagej": True, "resolution": (250, 250), "metadata": {"axes": "ZYX", "spacing": 0.04, "unit": "um"}},
            (40, 4, 4),
        ),
        ({"imagej": True, "resolution": (0.25, 0.125), "metadata": {"axes": "ZYX", "unit": "nm"}}, (None, 8, 4)),
        ({"imagej": True, "resolution": (72, 72), "metadata": {"axes": "ZYX"}}, None),
        ({"resolution": (2.5e6, 2.5e6), "resolutionunit": "CENTIMETER"}, (None, 4, 4)),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, None),
        ({"resolution": (1, 1), "resolutionunit": "NONE"}, None),
        (
            {
                "ome": True,
                "metadata": {
                    "axes": "ZYX",
                    "PhysicalSizeX": 4,
                    "PhysicalSizeXUnit": "nm",
                    "PhysicalSizeY": 0.005,
                    "PhysicalSizeZ": 400,
                    "PhysicalSizeZUnit": "Å",
                },
            },
            (40, 5, 4),
        ),
        ({"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel"}}, None),
    ],
)
def test_a_tiff_says_the_size_of_its_voxels_where_its_unit_is_real(
    tmp_path: Path, settings: dict, said: tuple[float | None, ...] | None
) -> None:
    """Kills 72 dots an inch taken for a size, X for Y, and micrometres for nanometres."""
    tifffile.imwrite(tmp_path / "v.tif", STACK, **{"photometric": "minisblack", **settings})
    assert open_source(str(tmp_path / "v.tif")).info.voxel_size_nm == said
