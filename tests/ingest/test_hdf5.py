"""An HDF5 array is read under every name that h5py knows it by, whole, or refused with what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
from tests.ingest.tiffs import overwrite
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import open_source, placed

VOLUME = np.random.default_rng(9).integers(0, 40, (8, 24, 20)).astype(np.uint8)


def _whole(address: str, missing_chunks: str = "refuse") -> np.ndarray:
    source = open_source(address, missing_chunks)  # type: ignore[arg-type]
    return np.asarray(source.read(Box.of_shape(source.shape)))


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "part.h5", "w") as file:
        file["data"] = VOLUME
    with h5py.File(tmp_path / "master.h5", "w") as file:
        file["volumes/raw"] = VOLUME
        file["soft"] = h5py.SoftLink("/volumes/raw")
        file["group"] = h5py.SoftLink("/volumes")
        file["outside"] = h5py.ExternalLink("part.h5", "/data")
        file["hard"] = file["volumes/raw"]
        file["volumes/circle"] = h5py.SoftLink("/")
        file["lost"] = h5py.ExternalLink("absent.h5", "/data")
    return tmp_path


@pytest.mark.parametrize("name", ["volumes/raw", "/volumes/raw", "soft", "group/raw", "outside", "hard"])
def test_links_lead_to_arrays(linked: Path, name: str) -> None:
    np.testing.assert_array_equal(_whole(f"{linked / 'master.h5'}:{name}"), VOLUME)


def test_a_link_that_leads_nowhere_is_refused_with_the_file_that_is_missing(linked: Path) -> None:
    with refused(PermanentError, "absent.h5"):
        open_source(f"{linked / 'master.h5'}:lost")
    with refused(PermanentError, "hard", "outside", "soft", "volumes/raw"):
        open_source(str(linked / "master.h5"))
    (linked / "part.h5").unlink()
    with h5py.File(linked / "only.h5", "w") as file:
        file["raw"] = h5py.ExternalLink("part.h5", "/data")
    with refused(PermanentError, "raw", "part.h5"):
        open_source(str(linked / "only.h5"))


def test_one_array_of_several_names_needs_none(tmp_path: Path) -> None:
    """Kills a choice demanded between two names of one array, and an array behind a link that counts for none."""
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["a/raw"] = VOLUME
        file["b"] = h5py.SoftLink("/a/raw")
    np.testing.assert_array_equal(_whole(str(tmp_path / "v.h5")), VOLUME)
    (tmp_path / "v.h5").rename(tmp_path / "v:1.hdf")
    np.testing.assert_array_equal(_whole(f"{tmp_path / 'v:1.hdf'}:b"), VOLUME)


@pytest.mark.parametrize(
    "settings", [hdf5plugin.Blosc(), hdf5plugin.Zstd(), hdf5plugin.Bitshuffle(), hdf5plugin.LZ4()], ids=repr
)
def test_filters_of_other_programs_are_read(tmp_path: Path, settings: object) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_dataset("raw", data=VOLUME, chunks=(4, 24, 20), **settings)  # type: ignore[arg-type]
    np.testing.assert_array_equal(_whole(str(tmp_path / "v.h5")), VOLUME)


def _half_written(file: h5py.File) -> None:
    file.create_dataset("raw", VOLUME.shape, "u1", chunks=(2, 24, 20), fillvalue=7)[:4] = VOLUME[:4]


def _never_written(file: h5py.File) -> None:
    file.create_dataset("raw", VOLUME.shape, "u1")


def _compound(file: h5py.File) -> None:
    file["raw"] = np.zeros(VOLUME.shape, [("id", "u4"), ("score", "f4")])


def _text(file: h5py.File) -> None:
    file["raw"] = np.full((2, 2, 2), b"x")


def _colour(file: h5py.File) -> None:
    file["raw"] = np.zeros((*VOLUME.shape, 3), "u1")


def _turned(file: h5py.File) -> None:
    file["raw"] = VOLUME
    file["raw"].attrs["axistags"] = json.dumps({"axes": [{"key": key} for key in "xyz"]})


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(VOLUME.shape, "u1")
    layout[:4] = h5py.VirtualSource("absent_part.h5", "data", (4, 24, 20))
    file.create_virtual_dataset("raw", layout)


def _external(file: h5py.File) -> None:
    file.create_dataset("raw", VOLUME.shape, "u1", external=[("absent.raw", 0, h5py.h5f.UNLIMITED)])


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (_half_written, ("2 of its 4 chunks", "--missing-chunks empty")),
        (_never_written, ("never written",)),
        (_compound, ("id, score",)),
        (_text, ("v.h5:raw",)),
        (_colour, ("(8, 24, 20, 3)",)),
        (_turned, ("X, Y, Z", "array.transpose(2, 1, 0)")),
        (_virtual, ("absent_part.h5",)),
        (_external, ("absent.raw",)),
    ],
)
def test_what_is_not_all_there_or_no_volume_is_refused(
    tmp_path: Path, make: Callable[[h5py.File], None], found: tuple[str, ...]
) -> None:
    """Kills the fill value in place of voxels that HDF5 does not have, and axes in another order."""
    with h5py.File(tmp_path / "v.h5", "w") as file:
        make(file)
    with refused(PermanentError, *found):
        open_source(str(tmp_path / "v.h5"))


def test_chunks_without_content_may_be_left_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        _half_written(file)
    source = open_source(str(tmp_path / "v.h5"), "empty")
    assert source.read(Box((4, 0, 0), (8, 24, 20))).tolist() == np.full((4, 24, 20), 7).tolist()
    assert "2 of its 4 chunks" in str(source.info.notes)


@pytest.mark.parametrize("shape", [(1, 8, 24, 20), (8, 24, 20, 1), (1, 8, 1, 24, 20), (8, 1, 24, 20)])
def test_axes_of_length_1_are_left_out_and_told(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Kills a channel taken for Z."""
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["raw"] = VOLUME.reshape(shape)
    np.save(tmp_path / "v.npy", VOLUME.reshape(shape))
    for address in (tmp_path / "v.h5", tmp_path / "v.npy"):
        source = open_source(str(address))
        np.testing.assert_array_equal(source.read(Box((1, 2, 3), (8, 20, 20))), VOLUME[1:, 2:20, 3:])
        assert str(shape) in str(source.info.notes)


def test_a_damaged_chunk_is_told_with_its_box(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        data = file.create_dataset("raw", data=VOLUME, chunks=(2, 24, 20), compression="gzip")
        chunk = data.id.get_chunk_info(2)
    overwrite(tmp_path / "v.h5", chunk.byte_offset + chunk.size // 2)
    source = open_source(str(tmp_path / "v.h5"))
    np.testing.assert_array_equal(source.read(Box((0, 0, 0), (4, 24, 20))), VOLUME[:4])
    with refused(PermanentError, "v.h5:raw", "(4, 0, 0) to (6, 24, 20)"):
        source.read(Box((4, 0, 0), (6, 24, 20)))


@pytest.mark.parametrize(
    ("on", "attributes", "said"),
    [
        ("volumes/raw", {"resolution": (40.0, 4, 4), "offset": (80.0, 8, 4)}, ((40, 4, 4), (80, 8, 4))),
        ("volumes", {"resolution": (40.0, 4, 4)}, ((40, 4, 4), None)),
        ("/", {"voxel_size": (40, 4, 4), "units": ["nm", "nm", "nm"]}, ((40, 4, 4), None)),
        ("volumes/raw", {"element_size_um": (0.04, 0.004, 0.0045)}, ((40, 4, 4.5), None)),
        (
            "volumes/raw",
            {"voxel_size": (0.04, 0.004, 0.004), "offset": (0.4, 0, 0), "units": "um"},
            ((40, 4, 4), (400, 0, 0)),
        ),
        ("volumes/raw", {}, (None, None)),
    ],
)
def test_attributes_say_size_and_place(tmp_path: Path, on: str, attributes: dict, said: tuple) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["volumes/raw"] = VOLUME
        file[on].attrs.update(attributes)
    info = open_source(str(tmp_path / "v.h5")).info
    assert info.voxel_size_nm == said[0]
    assert info.offset_nm == (None if said[1] is None else pytest.approx(said[1]))
    assert not info.unusable


@pytest.mark.parametrize(
    ("on", "attributes", "found"),
    [
        ("volumes/raw", {"resolution": (8e-9, 8e-9, 8e-9)}, ("resolution", "8.e-09")),
        ("volumes/raw", {"resolution": "unknown"}, ("resolution", "unknown")),
        ("volumes/raw", {"voxel_size": b"40 4 4"}, ("voxel_size", "40 4 4")),
        ("volumes/raw", {"resolution": (40, 4, 4), "voxel_size": (8, 8, 8)}, ("resolution", "voxel_size")),
        ("volumes/raw", {"resolution": (40, 4, 4), "units": "pixel"}, ("resolution", "pixel")),
        ("volumes/raw", {"resolution": (40, 4, 4), "units": np.zeros(0, "S1")}, ("resolution",)),
        ("volumes/raw", {"offset": (np.nan, 0, 0)}, ("offset", "nan")),
        ("volumes/raw", {"offset": (0, np.inf, 0)}, ("offset", "inf")),
        ("volumes", {"offset": 3.5}, ("offset", "3.5")),
        ("/", {"offset": (400, 0, 0), "units": "voxel"}, ("offset", "voxel")),
    ],
)
def test_what_is_said_of_size_and_place_and_cannot_be_used_is_refused(
    tmp_path: Path, on: str, attributes: dict, found: tuple[str, ...]
) -> None:
    """Kills a volume at the origin because its offset was passed over, and a traceback for one that is no number."""
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["volumes/raw"] = VOLUME
        file[on].attrs.update(attributes)
    info = open_source(str(tmp_path / "v.h5")).info
    with refused(PermanentError, *found, "--overrule-file"):
        placed(info, (40, 4, 4))
    assert placed(info, (40, 4, 4), (1, 2, 3), overrule=True).offset == (1, 2, 3)


@pytest.mark.parametrize("labels", [["x", "y", "section"], ["X (nm)", "Y (nm)", "Z (nm)"], ["x", "y", ""]])
def test_labels_of_dimensions_that_name_no_known_axes_are_refused(tmp_path: Path, labels: list[str]) -> None:
    """Kills Z Y X taken for granted where the file says that it is something else."""
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["raw"] = VOLUME
        for dimension, label in zip(file["raw"].dims, labels, strict=True):
            dimension.label = label
    with refused(PermanentError, labels[0].lower(), "labels of its dimensions"):
        open_source(str(tmp_path / "v.h5"))
