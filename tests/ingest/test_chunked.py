"""Chunked volumes of second writers: voxels, order of the axes, places that are told, and what is refused."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from tests.ingest.chunked_writers import CHUNK, SHAPE, bare, n5, ome, precomputed, scale, voxels
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import open_source, placed
from emseg.ingest.chunked import volume as chunked_volume

WHOLE = Box.of_shape(SHAPE)
PARTS = (WHOLE, Box((3, 2, 1), (11, 9, 2)))


def _ome(version: str) -> Callable[[Path, np.ndarray], Path]:
    return lambda folder, array: ome(folder, {"s0": (array, scale(40, 4, 4))}, version=version)


@pytest.mark.parametrize(
    "write",
    [
        lambda folder, array: bare(folder, array, 2),
        lambda folder, array: bare(folder, array, 2, order="F", chunk_key_encoding={"name": "v2", "separator": "/"}),
        lambda folder, array: bare(folder, array, 3),
        lambda folder, array: bare(folder, array, 3, shards=(16, 8, 4)),
        _ome("0.4"),
        _ome("0.5"),
        lambda folder, array: n5(folder / "v.n5", array),
        lambda folder, array: n5(folder / "v.n5" / "s0", array).parent,
        precomputed,
        lambda folder, array: precomputed(folder, array, {"voxel_offset": [5, 6, 7]}),
    ],
    ids=[
        "zarr2",
        "zarr2 F",
        "zarr3",
        "sharded",
        "ome0.4",
        "ome0.5",
        "n5",
        "n5 group",
        "precomputed",
        "precomputed with offset",
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint64"])
def test_any_box_holds_what_another_program_wrote(
    tmp_path: Path, write: Callable[[Path, np.ndarray], Path], dtype: str
) -> None:
    """Kills turned axes, a swapped byte order, and an origin that is not the first voxel."""
    source = open_source(str(write(tmp_path, voxels(dtype))))
    assert (source.shape, source.dtype, source.info.chunk_vox) == (SHAPE, dtype, CHUNK)
    for box in PARTS:
        np.testing.assert_array_equal(source.read(box), voxels(dtype)[box.slices()])


@pytest.mark.parametrize(("axes", "turn"), [("xyz", (2, 1, 0)), ("yxz", (1, 2, 0)), ("czyx", None), ("tczyx", None)])
def test_axes_are_taken_by_name_and_those_of_length_one_are_told(
    tmp_path: Path, axes: str, turn: tuple[int, ...] | None
) -> None:
    """Kills taking the stored order for Z Y X, and sizes that stay behind when axes are turned."""
    array = voxels().transpose(turn) if turn else voxels().reshape((1,) * (len(axes) - 3) + SHAPE)
    sizes = {"z": 40.0, "y": 4.0, "x": 8.0, "c": 1.0, "t": 1.0}
    source = open_source(str(ome(tmp_path, {"0": (array, scale(*(sizes[axis] for axis in axes)))}, axes)))
    np.testing.assert_array_equal(source.read(WHOLE), voxels())
    assert source.info.voxel_size_nm == (40, 4, 8)
    assert [note.split()[1] for note in source.info.notes] == list(axes[:-3])


def test_channels_are_refused(tmp_path: Path) -> None:
    """Kills ingesting the first channel without a word."""
    array = np.stack([voxels(), voxels()])
    with refused(PermanentError, "c 2", "z 20"):
        open_source(str(ome(tmp_path, {"0": (array, scale(1, 40, 4, 4))}, "czyx")))
    with refused(PermanentError, 2):
        open_source(str(bare(tmp_path, array, chunks=(1, *CHUNK))))


def test_a_scale_is_chosen_by_name_and_the_finest_without_one(tmp_path: Path) -> None:
    coarse = voxels()[::2, ::2, ::2].copy()
    scales = {"s0": (voxels(), scale(40, 4, 4)), "s1": (coarse, scale(80, 8, 8, at=(20, 2, 2)))}
    folder = ome(tmp_path, scales)
    finest, second, by_path = (open_source(f"{folder}{name}") for name in ("", ":s1", "/s1"))
    assert (finest.info.voxel_size_nm, second.info.voxel_size_nm) == ((40, 4, 4), (80, 8, 8))
    assert "s0" in finest.info.format
    assert any("s1" in note for note in finest.info.notes)
    assert second.info.offset_nm == (0, 0, 0)
    assert by_path.info == second.info
    np.testing.assert_array_equal(second.read(Box.of_shape(coarse.shape)), coarse)
    with refused(PermanentError, "s7"):
        open_source(f"{folder}:s7")


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_transforms_of_ome_are_composed_in_their_units(tmp_path: Path, version: str) -> None:
    """By hand: (2 i + 10) * 3 + 1 micrometres. Kills a translation that is lost or not stretched by the outer scale."""
    folder = ome(
        tmp_path,
        {"0": (voxels(), scale(2, 2, 4, at=(10, 0, 20)))},
        version=version,
        unit="micrometer",
        after=scale(3, 3, 0.5, at=(1, 0, 0)),
    )
    info = open_source(str(folder)).info
    assert (info.voxel_size_nm, info.offset_nm) == ((6000, 6000, 2000), (31000, 0, 10000))


def test_a_coarser_scale_keeps_a_place_of_its_own(tmp_path: Path) -> None:
    """Kills giving every scale the place of the finest: a scale may hold a part of the volume only."""
    scales = {"0": (voxels(), scale(40, 4, 4)), "1": (voxels(), scale(80, 8, 8, at=(400, 2, 0)))}
    assert open_source(f"{ome(tmp_path, scales)}:1").info.offset_nm == (400, 0, 0)


def test_a_size_without_a_unit_is_told_and_not_used(tmp_path: Path) -> None:
    info = open_source(str(ome(tmp_path, {"0": (voxels(), scale(40, 4, 4))}, unit=None))).info
    assert info.voxel_size_nm is None
    assert "40.0" in info.notes[0]


@pytest.mark.parametrize(
    ("attributes", "size", "offset"),
    [
        ({"resolution": [4, 8, 40]}, (40, 8, 4), None),
        ({"resolution": [4, 8, 40], "offset": [0, 16, 400]}, (40, 8, 4), (400, 16, 0)),
        ({"pixelResolution": {"dimensions": [0.004, 0.008, 0.04], "unit": "um"}}, (40, 8, 4), None),
        ({"resolution": [4, 8, 40], "units": ["nm", "nm", "nm"], "downsamplingFactors": [2, 2, 1]}, (40, 16, 8), None),
        (
            {"transform": {"axes": ["z", "y", "x"], "scale": [40, 8, 4], "translate": [80, 0, 4], "units": ["nm"] * 3}},
            (40, 8, 4),
            (80, 0, 4),
        ),
        ({}, None, None),
    ],
    ids=["resolution", "offset", "pixelResolution", "factors", "transform", "nothing"],
)
def test_what_n5_tells_of_places_is_used_in_its_order(
    tmp_path: Path, attributes: dict[str, object], size: object, offset: object
) -> None:
    """Kills sizes that are read Z first, and a coarser scale with the voxels of the finest."""
    info = open_source(str(n5(tmp_path / "v.n5", voxels(), **attributes))).info
    assert (info.voxel_size_nm, info.offset_nm) == (
        size and pytest.approx(size),
        offset and pytest.approx(offset),
    )


def test_of_several_images_one_is_named(tmp_path: Path) -> None:
    """Kills advice that is refused like the address before it, and an image without scales as an IndexError."""
    folder = ome(tmp_path, {"a": (voxels(), scale(40, 4, 4)), "b": (voxels() + 1, scale(8, 8, 8))})
    document = json.loads((folder / "zarr.json").read_text())
    image = document["attributes"]["ome"]["multiscales"][0]
    images = [{**image, "datasets": [each]} for each in image["datasets"]]
    document["attributes"]["ome"]["multiscales"] = images
    (folder / "zarr.json").write_text(json.dumps(document))
    with refused(PermanentError, 2, "a, b", f"{folder}:NAME"):
        open_source(str(folder))
    source = open_source(f"{folder}:b")
    np.testing.assert_array_equal(source.read(WHOLE), voxels() + 1)
    assert source.info.voxel_size_nm == (8, 8, 8)
    images[0]["datasets"] = []
    (folder / "zarr.json").write_text(json.dumps(document))
    with refused(PermanentError, "datasets"):
        open_source(str(folder))


def test_axes_that_n5_names_are_believed(tmp_path: Path) -> None:
    """Kills turning what was stored Z first."""
    folder = n5(tmp_path / "v.n5", voxels().transpose(), axes=["z", "y", "x"], resolution=[40, 8, 4])
    # The writer turns what it is given, so the stored order is the Z Y X of the volume turned twice.
    source = open_source(str(folder))
    np.testing.assert_array_equal(source.read(WHOLE), voxels())
    assert source.info.voxel_size_nm == (40, 8, 4)


def test_scales_of_n5_take_size_and_factors_from_their_group(tmp_path: Path) -> None:
    for number in (0, 1):
        n5(tmp_path / "v.n5" / "raw" / f"s{number}", voxels())
    group = {"resolution": [4, 4, 40], "units": ["nm"] * 3, "scales": [[1, 1, 1], [2, 2, 1]]}
    (tmp_path / "v.n5" / "raw" / "attributes.json").write_text(json.dumps(group))
    assert open_source(f"{tmp_path / 'v.n5'}:raw").info.voxel_size_nm == (40, 4, 4)
    assert open_source(f"{tmp_path / 'v.n5'}:raw/s1").info.voxel_size_nm == (40, 8, 8)


def test_precomputed_tells_size_and_place_and_has_scales(tmp_path: Path) -> None:
    other = {"key": "16_16_40", "size": [4, 5, 20], "resolution": [16, 16, 40], "chunk_sizes": [[4, 4, 8]]}
    address = precomputed(tmp_path, voxels(), {"voxel_offset": [5, 6, 7]}, {**other, "encoding": "raw"})
    info = open_source(str(address)).info
    assert (info.voxel_size_nm, info.offset_nm) == ((40, 8, 8), (280, 48, 40))
    with refused(PermanentError, "1_1_1", "8_8_40"):
        open_source(f"{address}:1_1_1")
    coarse = open_source(f"{address}:16_16_40", "empty")
    assert (coarse.shape, coarse.info.offset_nm) == ((20, 5, 4), (0, 0, 0))


def test_plain_attributes_of_zarr_are_used(tmp_path: Path) -> None:
    bare(tmp_path, voxels(), attributes={"resolution": [40, 4, 8], "offset": [400, 0, 80]})
    info = open_source(str(tmp_path / "v.zarr")).info
    assert (info.voxel_size_nm, info.offset_nm) == ((40, 4, 8), (400, 0, 80))


@pytest.mark.parametrize(
    ("attributes", "size", "offset"),
    [
        ({"offset": [400, 40, 40]}, None, (400, 40, 40)),
        ({"offset": [0.4, 0.04, 0.04], "units": "um"}, None, (400, 40, 40)),
        (
            {"transform": {"axes": ["z", "y", "x"], "scale": [40, 4, 4], "translation": [400, 0, 0]}},
            (40, 4, 4),
            (400, 0, 0),
        ),
        ({"resolution": [40, 4, 4], "voxel_size": [40, 4, 4]}, (40, 4, 4), None),
    ],
)
def test_a_place_is_used_also_where_the_size_is_told_elsewhere(
    tmp_path: Path, attributes: dict[str, object], size: object, offset: tuple[float, ...] | None
) -> None:
    """Kills a volume at the origin whose offset stands without a resolution."""
    info = open_source(str(bare(tmp_path, voxels(), attributes=attributes))).info
    assert info.voxel_size_nm == (size and pytest.approx(size))
    assert info.offset_nm == (offset and pytest.approx(offset))
    if offset:
        assert placed(info, (40, 4, 4)).offset == tuple(np.round(np.divide(offset, (40, 4, 4))))


@pytest.mark.parametrize(
    ("attributes", "found"),
    [
        ({"offset": "400,40,40"}, ("offset", "400,40,40")),
        ({"offset": [400, 40]}, ("offset",)),
        ({"offset": [True, 0, 0]}, ("offset",)),
        ({"offset": [400, 40, 40], "units": ["pixel"] * 3}, ("offset", "pixel")),
        ({"resolution": "40,4,4"}, ("resolution", "40,4,4")),
        ({"resolution": {"z": 40, "y": 4, "x": 4}}, ("resolution",)),
        ({"resolution": [40, 4, 4], "voxel_size": [8, 8, 8]}, ("resolution", "voxel_size")),
        ({"transform": {"scale": [40, 4, 4], "translate": [400, 40, 40]}}, ("transform", 400)),
        ({"transform": {"axes": ["depth", "height", "width"], "scale": [40, 4, 4]}}, ("depth", "height", "width")),
        ({"transform": "affine"}, ("transform", "affine")),
    ],
)
@pytest.mark.parametrize("kind", ["zarr2", "zarr3", "n5"])
def test_a_place_that_is_told_in_another_way_is_refused(
    tmp_path: Path, kind: str, attributes: dict[str, object], found: tuple[object, ...]
) -> None:
    """Kills passing over what a file says because it does not say it as emseg expects."""
    if kind == "n5":
        folder = n5(tmp_path / "v.n5", voxels(), **attributes)
    else:
        folder = bare(tmp_path, voxels(), int(kind[-1]), attributes=attributes)
    with refused(PermanentError, *found):
        placed(open_source(str(folder)).info, (40, 4, 4))


def test_a_translation_without_a_unit_is_refused(tmp_path: Path) -> None:
    """Kills an OME-Zarr at the origin because nobody knows how far from it 400 is."""
    folder = ome(tmp_path, {"0": (voxels(), scale(40, 4, 4, at=(400, 0, 0)))}, unit=None)
    with refused(PermanentError, "(400.0, 0.0, 0.0)", "--overrule-file"):
        placed(open_source(str(folder)).info, (40, 4, 4))


NAMED = {
    "zarr2": lambda folder, names: bare(folder, voxels(), 2, attributes={"_ARRAY_DIMENSIONS": names}),
    "zarr3": lambda folder, names: bare(folder, voxels(), 3, dimension_names=names),
    "n5": lambda folder, names: n5(folder / "v.n5", voxels(), axes=names),
    "ome": lambda folder, names: ome(folder, {"0": (voxels(), scale(1, 1, 1))}, names),
    "funlib": lambda folder, names: bare(folder, voxels(), 2, attributes={"axis_names": names}),
}


@pytest.mark.parametrize(
    "names",
    [["x", "y", "section"], ["x", "y", ""], ["col", "row", "plane"], ["z", "y", "y"], ["dim_0", "dim_1", "dim_2"]],
)
@pytest.mark.parametrize("kind", NAMED)
def test_axes_of_unknown_names_are_refused(tmp_path: Path, kind: str, names: list[str]) -> None:
    """Kills a volume that is turned because its names are not exactly those that emseg knows."""
    with refused(PermanentError, names[0], names[1], "x, y and z"):
        open_source(str(NAMED[kind](tmp_path, names)))


@pytest.mark.parametrize("kind", NAMED)
def test_axes_are_known_in_capitals_and_with_spaces(tmp_path: Path, kind: str) -> None:
    """Kills 'z ' taken for no name: the order of these axes is X Y Z as they lie in the format."""
    source = open_source(str(NAMED[kind](tmp_path, ["X", " y", "z "])))
    stored = voxels().transpose() if kind == "n5" else voxels()  # the writer of N5 turns what it is given
    np.testing.assert_array_equal(source.read(Box.of_shape(source.shape)), stored.transpose())


def test_a_transform_names_the_axes_where_nothing_else_does(tmp_path: Path) -> None:
    """Kills X Y Z taken for Z Y X though the file says which is which; order F lists the fastest first."""
    transform = {"axes": ["x", "y", "z"], "scale": [4, 4, 40]}
    for order, expected in (("C", voxels().transpose()), ("F", voxels())):
        folder = tmp_path / order
        folder.mkdir()
        source = open_source(str(bare(folder, voxels(), attributes={"transform": {**transform, "order": order}})))
        np.testing.assert_array_equal(source.read(Box.of_shape(source.shape)), expected)
        assert source.info.voxel_size_nm == (40, 4, 4)


def test_names_of_an_array_that_contradict_its_image_are_refused(tmp_path: Path) -> None:
    folder = ome(tmp_path, {"0": (voxels(), scale(40, 4, 4))})
    document = json.loads((folder / "0" / "zarr.json").read_text())
    (folder / "0" / "zarr.json").write_text(json.dumps({**document, "dimension_names": ["x", "y", "z"]}))
    with refused(PermanentError, "z, y, x", "x, y, z"):
        open_source(str(folder))


WRITERS = {
    "zarr2": (lambda folder: bare(folder, voxels(), 2), "1.0.1"),
    "zarr3": (lambda folder: bare(folder, voxels(), 3), "c/1/0/1"),
    "n5": (lambda folder: n5(folder / "v.n5", voxels()), "1/0/1"),
    "precomputed": (lambda folder: precomputed(folder, voxels()), "8_8_40/4-7_0-4_8-16"),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_missing_chunks_are_refused_with_their_number_or_taken_as_empty(tmp_path: Path, kind: str) -> None:
    """Kills zeros in place of what a stopped writer did not write, and counting other files for chunks."""
    write, chunk = WRITERS[kind]
    folder = write(tmp_path)
    (folder / chunk).rename(folder / "not-a-chunk")
    with refused(PermanentError, "1 of 18", "--missing-chunks empty"):
        open_source(str(folder))
    source = open_source(str(folder), "empty")
    assert any("1 of 18" in note for note in source.info.notes)
    expected = voxels()
    expected[8:16, :4, 4:] = 0
    np.testing.assert_array_equal(source.read(WHOLE), expected)


def test_chunks_that_are_missing_in_a_shard_are_found_when_they_are_read(tmp_path: Path) -> None:
    array = voxels()
    array[8:16, :4, 4:] = 0
    address = str(bare(tmp_path, array, shards=(24, 12, 8)))
    with refused(PermanentError, "chunk", "(20, 9, 7)", "--missing-chunks empty"):
        open_source(address).read(WHOLE)
    np.testing.assert_array_equal(open_source(address, "empty").read(WHOLE), array)


@pytest.mark.parametrize("kind", WRITERS)
def test_a_torn_chunk_is_named_with_its_place(tmp_path: Path, kind: str) -> None:
    """Kills a traceback of the library, and half a chunk."""
    write, chunk = WRITERS[kind]
    folder = write(tmp_path)
    data = (folder / chunk).read_bytes()
    (folder / chunk).write_bytes(data[: len(data) // 2])
    with refused(PermanentError, chunk, "(20, 9, 7)"):
        open_source(str(folder)).read(WHOLE)


@pytest.mark.parametrize(
    ("write", "description", "compression", "name"),
    [
        (lambda folder: bare(folder, voxels(), 2), ".zarray", {"compressor": {"id": "jpegxl"}}, "jpegxl"),
        (lambda folder: bare(folder, voxels(), 3), "zarr.json", {"codecs": [{"name": "x.lz4"}]}, "x.lz4"),
        (lambda folder: n5(folder / "v.n5", voxels()), "attributes.json", {"compression": {"type": "lz4"}}, "lz4"),
    ],
    ids=["zarr2", "zarr3", "n5"],
)
def test_a_compression_that_is_not_read_is_named_and_another_advised(
    tmp_path: Path, write: Callable[[Path], Path], description: str, compression: dict[str, object], name: str
) -> None:
    """Kills the advice to copy a file that is whole."""
    folder = write(tmp_path)
    file = folder / description
    file.write_text(json.dumps(json.loads(file.read_text()) | compression))
    with refused(PermanentError, description, name, "gzip"):
        open_source(str(folder))


@pytest.mark.parametrize("head", [(0, 3, 4, 4, 3), (0, 3, 0, 4, 8), (1, 3, 4, 4, 8)])
def test_a_block_of_n5_that_does_not_fill_its_place_is_refused_by_name(tmp_path: Path, head: tuple[int, ...]) -> None:
    """Kills zeros in place of what a smaller block lacks; a block of an edge may be as large as any other."""
    folder = n5(tmp_path / "v.n5", voxels())
    block = folder / "0" / "1" / "1"
    block.write_bytes(struct.pack(">HH3I", *head) + gzip.compress(bytes(int(np.prod(head[2:])) * 2)))
    with refused(PermanentError, "v.n5/0/1/1", "4x4x8"):
        open_source(str(folder)).read(WHOLE)
    np.testing.assert_array_equal(open_source(str(folder)).read(Box((0, 0, 0), (8, 9, 7))), voxels()[:8])
    n5(folder, voxels())
    edge = np.zeros(CHUNK, ">u2")
    edge[:, :1, :3] = voxels()[8:16, 8:, 4:]
    (folder / "1" / "2" / "1").write_bytes(struct.pack(">HH3I", 0, 3, 4, 4, 8) + gzip.compress(edge.tobytes()))
    np.testing.assert_array_equal(open_source(str(folder)).read(WHOLE), voxels())


def _with_metadata(folder: Path, name: str, text: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return str(folder)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("zarr.json", "{"),
        ("zarr.json", "[1]"),
        ("zarr.json", "[" * 100_000),
        ("zarr.json", '{"node_type": "array"}'),
        ("zarr.json", '{"node_type": "group", "attributes": {"ome": {"multiscales": [{"datasets": 3}]}}}'),
        ("zarr.json", '{"node_type": "group", "attributes": {"ome": {"multiscales": 3}}}'),
        (".zarray", '{"shape": [true, 2, 3], "chunks": [1, 1, 1]}'),
        (".zarray", '{"shape": [1, 2, 3], "chunks": [1, 1]}'),
        (".zarray", '{"shape": [1, 2, 3], "chunks": [1, 1, 0], "zarr_format": 2}'),
        (".zarray", '{"shape": [1, 2, 3], "chunks": [1, 1, 1], "zarr_format": 2, "dtype": "|O"}'),
        ("attributes.json", '{"dimensions": [3, 4, 5]}'),
        ("attributes.json", '{"dimensions": "3"}'),
        ("attributes.json", '{"dimensions": [3, 4, 5], "blockSize": [1, 1, 1], "axes": 5}'),
        ("info", '{"scales": [{}]}'),
        ("info", '{"scales": [{"key": "../..", "resolution": [1, 1, 1]}]}'),
    ],
)
def test_damaged_descriptions_are_refused_by_the_place_of_the_file(tmp_path: Path, name: str, text: str) -> None:
    """Kills KeyError and RecursionError of a stranger's metadata."""
    with pytest.raises(PermanentError) as caught:
        open_source(_with_metadata(tmp_path / "v", name, text))
    assert str(tmp_path / "v") in caught.value.on


def test_a_scale_outside_of_its_group_is_refused(tmp_path: Path) -> None:
    """Kills metadata that leads to another folder of the reader's computer."""
    bare(tmp_path, voxels())
    folder = ome(tmp_path, {"0": (voxels(), scale(1, 1, 1))})
    text = (folder / "zarr.json").read_text().replace('"path": "0"', '"path": "../v.zarr"')
    (folder / "zarr.json").write_text(text)
    with refused(PermanentError, "'../v.zarr'"):
        open_source(str(folder))


def test_a_chunk_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunked_volume, "LARGEST_CHUNK_BYTES", 100)
    with refused(PermanentError, "8x4x4"):
        open_source(str(bare(tmp_path, voxels())))


def test_a_group_with_one_array_needs_no_name_and_with_two_it_does(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "g.zarr", mode="w")
    group.create_array("raw/s0", data=voxels())
    np.testing.assert_array_equal(open_source(str(tmp_path / "g.zarr")).read(WHOLE), voxels())
    shutil.copytree(tmp_path / "g.zarr" / "raw", tmp_path / "g.zarr" / "raw2")
    with refused(PermanentError, "raw/s0", "raw2/s0"):
        open_source(str(tmp_path / "g.zarr"))
