"""A virtual array, or one with external files, is read whole or refused with the source that is not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import open_source

VOLUME = np.random.default_rng(9).integers(1, 40, (6, 20, 24), np.uint8)
HALVES = [(slice(0, 3), slice(0, 3)), (slice(3, 6), slice(3, 6))]


def _whole(address: Path | str) -> np.ndarray:
    source = open_source(str(address))
    return np.asarray(source.read(Box.of_shape(source.shape)))


def _virtual(
    folder: Path, parts: list[tuple[slice, slice]], source: str = "part.h5", name: str = "a", dtype: str = "u1"
) -> Path:
    layout = h5py.VirtualLayout(VOLUME.shape, dtype)
    array = h5py.VirtualSource(source, name, VOLUME.shape)
    for to, of in parts:
        layout[to] = array[of]
    with h5py.File(folder / "v.h5", "w") as file:
        file.create_virtual_dataset("raw", layout, fillvalue=0)
    return folder / "v.h5"


def _part(folder: Path, data: np.ndarray = VOLUME, **settings: object) -> None:
    with h5py.File(folder / "part.h5", "w") as file:
        file.create_dataset("a", data=data, **settings)


def test_a_virtual_array_that_is_whole_is_read_also_where_its_parts_overlap(tmp_path: Path) -> None:
    _part(tmp_path)
    overlapping = [(slice(0, 4), slice(0, 4)), (slice(2, 6), slice(2, 6))]
    for parts in (HALVES, overlapping):
        np.testing.assert_array_equal(_whole(_virtual(tmp_path, parts)), VOLUME)


def _chunk_missing(folder: Path) -> Path:
    with h5py.File(folder / "part.h5", "w") as file:
        file.create_dataset("a", VOLUME.shape, "u1", chunks=(2, 20, 24))[:2] = VOLUME[:2]
    return _virtual(folder, HALVES)


def _overlap_with_a_hole(folder: Path) -> Path:
    _part(folder)
    return _virtual(folder, [(slice(0, 3), slice(0, 3)), (slice(1, 4), slice(1, 4))])


def _shorter(folder: Path) -> Path:
    _part(folder, VOLUME[:5])
    return _virtual(folder, HALVES)


def _nested(folder: Path) -> Path:
    _virtual(folder, HALVES, "gone.h5").rename(folder / "part.h5")
    return _virtual(folder, HALVES, name="raw")


def _dangling(folder: Path) -> Path:
    with h5py.File(folder / "part.h5", "w") as file:
        file["a"] = h5py.ExternalLink("gone.h5", "a")
    return _virtual(folder, HALVES)


def _group(folder: Path) -> Path:
    with h5py.File(folder / "part.h5", "w") as file:
        file.create_group("a")
    return _virtual(folder, HALVES)


def _wider(folder: Path) -> Path:
    _part(folder, VOLUME.astype("u2") + 300)
    return _virtual(folder, HALVES)


def _stepped(folder: Path) -> Path:
    _part(folder)
    return _virtual(folder, [(slice(0, 6, 2), slice(0, 3)), (slice(1, 6, 2), slice(3, 6))])


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (_chunk_missing, ("part.h5:a", "2 of its 3 chunks")),
        (_overlap_with_a_hole, ("(4, 0, 0)",)),
        (_shorter, ("part.h5:a", "(5, 20, 24)", "(6, 20, 24)")),
        (_nested, ("part.h5:raw", "virtual")),
        (_dangling, ("part.h5",)),
        (_group, ("part.h5", "a")),
        (_wider, ("part.h5:a", "uint16", "uint8")),
        (_stepped, ("steps",)),
    ],
)
def test_a_virtual_array_that_is_not_proved_whole_is_refused(
    tmp_path: Path, make: Callable[[Path], Path], found: tuple[str, ...]
) -> None:
    """Kills fill values of sources that lack voxels, and counting voxels twice where parts overlap."""
    with refused(PermanentError, "v.h5:raw", *found):
        open_source(str(make(tmp_path)))


def test_filters_of_the_sources_count(tmp_path: Path) -> None:
    """Kills labels through a virtual array on a lossy one."""
    data = VOLUME.astype("int32")
    _part(tmp_path, data, chunks=(2, 20, 24), **hdf5plugin.Zfp(reversible=True))
    assert "32013" in open_source(str(_virtual(tmp_path, HALVES, dtype="i4"))).info.lossy


def test_external_files_are_those_beside_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills voxels of another file of that name, in the folder where the process runs; and one that is too short."""
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path / "data")
    with h5py.File("v.h5", "w") as file:
        external = [("one.raw", 0, 1000), ("two.raw", 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("raw", VOLUME.shape, "u1", external=external)[:] = VOLUME
    monkeypatch.chdir(tmp_path)
    for name in ("one.raw", "two.raw"):
        Path(name).write_bytes(bytes(VOLUME.size))
    np.testing.assert_array_equal(_whole(tmp_path / "data" / "v.h5"), VOLUME)
    with Path("data/two.raw").open("r+b") as raw:
        raw.truncate(VOLUME.size - 1001)
    with refused(PermanentError, "two.raw"):
        open_source("data/v.h5")
