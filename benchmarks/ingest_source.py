"""A synthetic volume of any size whose every voxel is a cheap function of its position, at every scale.

Cells of 8 x 8 x 8 voxels hold one value, the exclusive or of three tables, one along each axis. So a brick that lies
elsewhere, is turned or is missing gives other bytes; scales 1 to 3 are known without averaging; and chunks compress.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorstore

from emseg.dvid.request_boxes import request_boxes
from emseg.geometry import Box, Coordinate

CELL_VOX, CHUNK_VOX, SLAB_VOXELS = 8, 128, 256 << 20
VOXEL_NM = (8.0, 8.0, 8.0)


def expected(box: Box, scale: int = 0) -> npt.NDArray[np.uint8]:
    """The voxels of `box` at a scale, uint8 ZYX."""
    z, y, x = (
        np.random.default_rng(axis).integers(0, 256, 1 << 12, np.uint8)[(np.arange(start, stop) << scale) // CELL_VOX]
        for axis, (start, stop) in enumerate(zip(box.start, box.stop, strict=True))
    )
    return np.asarray(z[:, None, None] ^ y[:, None] ^ x)


def write_ome_zarr(folder: Path, shape: Coordinate) -> int:
    """Write it as an OME-Zarr of one scale with chunks of 128 voxels a side; returns its size on disk in bytes."""
    spec: dict[str, Any] = {
        "driver": "zarr3",
        "store_data_equal_to_fill_value": True,
        "kvstore": {"driver": "file", "path": f"{folder}/s0/"},
        "metadata": {
            "shape": list(shape),
            "data_type": "uint8",
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [CHUNK_VOX] * 3}},
            "codecs": [{"name": "bytes"}, {"name": "zstd", "configuration": {"level": 1}}],
            "fill_value": 0,
        },
    }
    array = tensorstore.open(spec, create=True).result()

    def write(box: Box) -> None:
        array[box.slices()].write(expected(box)).result()

    parts = list(request_boxes(Box.of_shape(shape), (CHUNK_VOX,) * 3, SLAB_VOXELS // 8))
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, parts))
    (folder / "zarr.json").write_text(json.dumps(_group(VOXEL_NM)))
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _group(size_nm: Sequence[float]) -> dict[str, Any]:
    scale = [{"type": "scale", "scale": list(size_nm)}]
    image = {
        "axes": [{"name": axis, "type": "space", "unit": "nanometer"} for axis in "zyx"],
        "datasets": [{"path": "s0", "coordinateTransformations": scale}],
    }
    attributes = {"ome": {"version": "0.5", "multiscales": [image]}}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}
