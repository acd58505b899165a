"""Volumes that are bombs or traps: each is refused before memory is taken, and nothing in it is unpickled."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from emseg.errors import EmsegError
from emseg.geometry import Box
from emseg.ingest import open_source

FIRST = Box((0, 0, 0), (1, 1, 1))


class Trap:
    """Unpickling it makes a folder `made` in the working directory."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, ("made",)


def npy_header(shape: str) -> bytes:
    text = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def png(side: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def pickled_npy(file: Path) -> None:
    np.save(file, np.array([[[Trap()]]], object), allow_pickle=True)


def pickled_npz(file: Path) -> None:
    np.savez(file, labels=np.array([[[Trap()]]], object))


def lying_npy(file: Path) -> None:
    file.write_bytes(npy_header("(1048576, 1048576, 64)") + b"\0" * 64)


def lying_npz(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("labels.npy", npy_header("(1048576, 1048576, 64)") + b"\0" * 64)


def npz_with_code_as_header(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("labels.npy", npy_header("__import__('os').mkdir('made')"))


def object_hdf5(file: Path) -> None:
    with h5py.File(file, "w") as made:
        made.create_dataset("labels", (1, 1, 1), dtype=h5py.special_dtype(vlen=bytes))


def linked_hdf5(file: Path) -> None:
    with h5py.File(file, "w") as made:
        made["labels"] = h5py.ExternalLink("/etc/passwd", "/x")


def huge_tiff(file: Path) -> None:
    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((64, 64), np.uint8), photometric="minisblack", metadata=None)
    data = bytearray(out.getvalue())
    (entries,) = struct.unpack_from("<H", data, offset := struct.unpack_from("<I", data, 4)[0])
    for entry in range(offset + 2, offset + 2 + 12 * entries, 12):
        if struct.unpack_from("<H", data, entry)[0] in {256, 257, 278}:
            struct.pack_into("<HII", data, entry + 2, 4, 1, 2_000_000_000)
    file.write_bytes(data)


ATTACKS = [
    (pickled_npy, "a.npy"), (pickled_npz, "a.npz"), (lying_npy, "a.npy"), (lying_npz, "a.npz"),
    (npz_with_code_as_header, "a.npz"), (object_hdf5, "a.h5"), (linked_hdf5, "a.h5"), (huge_tiff, "a.tif"),
]  # fmt: skip


def read_first_voxel(address: Path) -> None:
    open_source(str(address)).read(FIRST)


@pytest.mark.parametrize(("attack", "name"), ATTACKS, ids=lambda each: getattr(each, "__name__", ""))
def test_a_hostile_file_is_refused_in_words(attack, name, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Kills `allow_pickle`, memory for what a header claims, and a library's error that ends as a traceback."""
    monkeypatch.chdir(tmp_path)
    attack(tmp_path / name)
    with pytest.raises(EmsegError):
        read_first_voxel(tmp_path / name)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_picture_that_claims_gigavoxels_is_refused(suffix, tmp_path: Path):
    """Kills a decompression bomb among the sections of a folder."""
    folder = tmp_path / "stack"
    folder.mkdir()
    for number in range(2):
        file = folder / f"z{number}.{suffix}"
        huge_tiff(file) if suffix == "tif" else file.write_bytes(png(100_000))
    with pytest.raises(EmsegError):
        read_first_voxel(folder)
