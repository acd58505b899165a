"""Every kind of file gives the voxels that were saved in it, box by box; others are refused in words."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from skimage.io import imsave
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import open_source
from emseg.ingest.section_numbers import numbered

SHAPE = (12, 9, 7)


@pytest.fixture(params=[np.uint8, np.uint16], ids=["uint8", "uint16"])
def volume(request: pytest.FixtureRequest) -> np.ndarray:
    return np.random.default_rng(3).integers(0, np.iinfo(request.param).max, SHAPE).astype(request.param)


def _images(suffix: str) -> Callable[[Path, np.ndarray], str]:
    def save(folder: Path, volume: np.ndarray) -> str:
        (folder / "stack").mkdir()
        (folder / "stack" / "notes.txt").write_text("not an image")
        for z, image in enumerate(volume):
            imsave(folder / "stack" / f"z{z}{suffix}", image, check_contrast=False)
        return str(folder / "stack")

    return save


def _tiff(**settings: object) -> Callable[[Path, np.ndarray], str]:
    def save(folder: Path, volume: np.ndarray) -> str:
        tifffile.imwrite(folder / "v.tif", volume, **settings)
        return str(folder / "v.tif")

    return save


def _npz(folder: Path, volume: np.ndarray) -> str:
    np.savez_compressed(folder / "v.npz", other=np.zeros((2, 2, 2)), raw=volume)
    return f"{folder / 'v.npz'}:raw"


def _npy(folder: Path, volume: np.ndarray) -> str:
    np.save(folder / "v.npy", volume)
    return str(folder / "v.npy")


def _hdf5(folder: Path, volume: np.ndarray) -> str:
    with h5py.File(folder / "v.h5", "w") as file:
        file.create_dataset("volumes/raw", data=volume, chunks=(4, 4, 4), compression="gzip")
        file.create_dataset("volumes/labels", data=volume + 1)
    return f"{folder / 'v.h5'}:volumes/raw"


def _only_hdf5(folder: Path, volume: np.ndarray) -> str:
    with h5py.File(folder / "v.hdf5", "w") as file:
        file.create_dataset("deep/inside/raw", data=volume)
    return str(folder / "v.hdf5")


def _zarr_group(version: int) -> Callable[[Path, np.ndarray], str]:
    def save(folder: Path, volume: np.ndarray) -> str:
        group = zarr.open_group(folder / "v.zarr", mode="w", zarr_format=version)  # type: ignore[arg-type]
        group.create_array("raw/s0", data=volume, chunks=(5, 5, 5))
        group.create_array("raw/s1", data=volume[::2, ::2, ::2].copy())
        return f"{folder / 'v.zarr'}:raw/s0"

    return save


def _zarr_array(folder: Path, volume: np.ndarray) -> str:
    zarr.create_array(folder / "a.zarr", data=volume, chunks=(5, 5, 5))
    return str(folder / "a.zarr")


@pytest.mark.parametrize(
    "save",
    [
        _images(".png"),
        _images(".tif"),
        _tiff(),
        _tiff(compression="zlib", photometric="minisblack"),
        _tiff(imagej=True, metadata={"axes": "ZYX"}),
        _npz,
        _npy,
        _hdf5,
        _only_hdf5,
        _zarr_group(2),
        _zarr_group(3),
        _zarr_array,
    ],
    ids=[
        "png",
        "tif folder",
        "tif",
        "tif zlib",
        "imagej",
        "npz",
        "npy",
        "hdf5",
        "only",
        "zarr2",
        "zarr3",
        "zarr array",
    ],
)
def test_any_box_holds_the_voxels_that_were_saved(
    tmp_path: Path, volume: np.ndarray, save: Callable[[Path, np.ndarray], str]
) -> None:
    """Kills turned axes, images in the order 0, 1, 10, 11, 2, and an array other than the one that was named."""
    source = open_source(save(tmp_path, volume))
    assert source.shape == SHAPE
    assert source.dtype == volume.dtype
    for box in (Box.of_shape(SHAPE), Box((3, 2, 1), (11, 9, 2))):
        np.testing.assert_array_equal(source.read(box), volume[box.slices()])


def test_jpegs_are_read_as_near_as_they_keep_their_voxels(tmp_path: Path) -> None:
    smooth = np.tile(np.arange(0, 250, 5, dtype=np.uint8), (3, 40, 1))
    source = open_source(_images(".jpg")(tmp_path, smooth))
    assert np.abs(source.read(Box.of_shape(smooth.shape)).astype(int) - smooth).max() <= 6


@given(st.lists(st.integers(0, 10**6), unique=True, min_size=1))
def test_names_are_ordered_as_a_person_counts(numbers: list[int]) -> None:
    """Kills the order of characters, in which 10 comes before 9."""
    files = [Path(f"slice_{number}_of_stack7.png") for number in numbers]
    assert list(numbered(files, Path()).values()) == sorted(files, key=lambda file: int(file.name.split("_")[1]))


def _no_such(folder: Path) -> str:
    return str(folder / "none.tif")


def _unknown(folder: Path) -> str:
    (folder / "v.mrc").write_bytes(b"mrc")
    return str(folder / "v.mrc")


def _empty_folder(folder: Path) -> str:
    (folder / "stack").mkdir()
    return str(folder / "stack")


def _colour(folder: Path) -> str:
    return _images(".png")(folder, np.zeros((2, 5, 5, 3), np.uint8))


def _four_axes(folder: Path) -> str:
    return _npy(folder, np.zeros((2, 2, 2, 2), np.uint8))


def _pickled(folder: Path) -> str:
    np.save(folder / "o.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return str(folder / "o.npy")


def _unnamed(folder: Path) -> str:
    return _npz(folder, np.zeros(SHAPE, np.uint8)).rpartition(":")[0]


def _misnamed(folder: Path) -> str:
    return _hdf5(folder, np.zeros(SHAPE, np.uint8)) + "2"


def _group(folder: Path) -> str:
    return _zarr_group(3)(folder, np.zeros(SHAPE, np.uint8)).rpartition("/")[0]


def _misnamed_zarr(folder: Path) -> str:
    return _zarr_group(3)(folder, np.zeros(SHAPE, np.uint8)) + "7"


def _garbage(name: str) -> Callable[[Path], str]:
    def save(folder: Path) -> str:
        (folder / name).write_bytes(b"these bytes are no volume at all" * 10)
        return str(folder / name)

    return save


@pytest.mark.parametrize(
    ("make", "on", "found"),
    [
        (_no_such, "none.tif", ()),
        (_unknown, "v.mrc", ("Zarr",)),
        (_empty_folder, "stack", ("png",)),
        (_colour, "z0.png", ("R, G, B",)),
        (_four_axes, "v.npy", ("(2, 2, 2, 2)",)),
        (_pickled, "o.npy", ("ValueError",)),
        (_unnamed, "v.npz:", ("other, raw",)),
        (_misnamed, "v.h5:volumes/raw2", ("volumes/labels, volumes/raw",)),
        (_group, "v.zarr/raw", ("s0, s1",)),
        (_misnamed_zarr, "v.zarr:raw/s07", ()),
        (_garbage("v.tif"), "v.tif", ("TIFF",)),
        (_garbage("v.npz"), "v.npz", ("BadZipFile",)),
        (_garbage("v.npy"), "v.npy", ("ValueError",)),
        (_garbage("v.h5"), "v.h5", ("OSError",)),
    ],
)
def test_what_is_no_volume_is_refused_by_its_name(
    tmp_path: Path, make: Callable[[Path], str], on: str, found: tuple[str, ...]
) -> None:
    """Kills unpickling a stranger's file, picking an array by chance, and a bare library error."""
    with refused(PermanentError, *found) as caught:
        open_source(make(tmp_path))
    assert caught.value.on.endswith(on)


def test_an_image_unlike_the_first_is_refused_by_name(tmp_path: Path) -> None:
    """Kills a silent crop or cast of one odd slice."""
    address = _images(".png")(tmp_path, np.zeros((3, 5, 5), np.uint8))
    imsave(Path(address) / "z1.png", np.zeros((5, 6), np.uint8), check_contrast=False)
    with refused(PermanentError, "z1.png", "(5, 6)", "(5, 5)"):
        open_source(address)
    (Path(address) / "z1.png").write_bytes(b"broken")
    with refused(PermanentError, "z1.png"):
        open_source(address)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_npz_with_two_arrays_of_one_name_is_refused(tmp_path: Path) -> None:
    """Kills the last one taken for the one that was meant."""
    with ZipFile(tmp_path / "v.npz", "w") as file:
        for value in (1, 2):
            with BytesIO() as array:
                np.save(array, np.full((2, 2, 2), value))
                file.writestr("labels.npy", array.getvalue())
    for address in (f"{tmp_path / 'v.npz'}:labels", str(tmp_path / "v.npz")):
        with refused(PermanentError, "v.npz", "labels", "several"):
            open_source(address)
