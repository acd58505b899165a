"""TIFFs as programs write them that tifffile does not imitate: libtiff's order, OME sets, a damaged strip."""

from __future__ import annotations

import struct
import uuid
from pathlib import Path

import numpy as np
import tifffile


def as_libtiff_writes(path: Path, stack: np.ndarray, orientation: int = 1) -> None:
    """uint8 voxels of a page first, then its directory: the order of libtiff, and so of most programs."""
    data, links = bytearray(b"II*\0\0\0\0\0"), 4
    for page in stack:
        place, (height, width) = len(data), page.shape
        data += page.tobytes()
        struct.pack_into("<I", data, links, len(data))
        tags = [(256, 3, width), (257, 3, height), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, place)]
        tags += [(274, 3, orientation), (277, 3, 1), (278, 3, height), (279, 4, height * width)]
        data += struct.pack("<H", len(tags))
        data += b"".join(struct.pack("<HHII", code, kind, 1, value) for code, kind, value in tags)
        links = len(data)
        data += bytes(4)
    path.write_bytes(data)


def ome_set(folder: Path, volume: np.ndarray) -> list[Path]:
    """One OME-TIFF a section, 30 x 8 x 8 nm, each with the header of the whole set."""
    ids = [f"urn:uuid:{uuid.UUID(int=z + 1)}" for z in range(len(volume))]
    files = [folder / f"em_z{z}.ome.tif" for z in range(len(volume))]
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="0" PlaneCount="1"><UUID FileName="{file.name}">{own}</UUID></TiffData>'
        for z, (file, own) in enumerate(zip(files, ids, strict=True))
    )
    folder.mkdir(exist_ok=True)
    depth, height, width = volume.shape
    for page, file, own in zip(volume, files, ids, strict=True):
        header = (
            f'<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{own}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" '
            f'SizeX="{width}" SizeY="{height}" SizeZ="{depth}" SizeC="1" SizeT="1" PhysicalSizeX="0.008" '
            f'PhysicalSizeY="8" PhysicalSizeYUnit="nm" PhysicalSizeZ="0.03">'
            f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
        )
        tifffile.imwrite(file, page, description=header, metadata=None, photometric="minisblack")
    return files


def overwrite(path: Path, at: int, count: int = 100) -> None:
    """Damage `count` bytes from `at`."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xa5" * count)
