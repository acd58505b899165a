"""Second writers of chunked formats: zarr for Zarr, and N5 and precomputed by hand from their descriptions."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import zarr

SHAPE = (20, 9, 7)
CHUNK = (8, 4, 4)


def voxels(dtype: str = "uint16", shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    """Every voxel has a value of its own, none is 0."""
    return (np.arange(np.prod(shape)) % 250 + 1).astype(dtype).reshape(shape)


def bare(folder: Path, array: np.ndarray, version: int = 3, **settings: Any) -> Path:
    settings = {"chunks": CHUNK[-array.ndim :], **settings}
    zarr.create_array(folder / "v.zarr", data=array, zarr_format=version, **settings)  # type: ignore[arg-type]
    return folder / "v.zarr"


def ome(
    folder: Path,
    scales: dict[str, tuple[np.ndarray, list[dict[str, Any]]]],
    axes: Sequence[str] = "zyx",
    version: str = "0.5",
    unit: str | None = "nanometer",
    after: list[dict[str, Any]] | None = None,
) -> Path:
    """An OME-Zarr of arrays with their transforms."""
    group = zarr.open_group(folder / "ome.zarr", mode="w", zarr_format=3 if version == "0.5" else 2)
    for path, (array, _) in scales.items():
        group.create_array(path, data=array, chunks=(1,) * (array.ndim - 3) + CHUNK)
    units = {"unit": unit} if unit else {}
    image: dict[str, Any] = {
        "axes": [
            {"name": axis, "type": "space", **units} if axis in "zyx" else {"name": axis, "type": "channel"}
            for axis in axes
        ],
        "datasets": [{"path": path, "coordinateTransformations": steps} for path, (_, steps) in scales.items()],
    }
    if after:
        image["coordinateTransformations"] = after
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [image]}
    else:
        group.attrs["multiscales"] = [{**image, "version": version}]
    return folder / "ome.zarr"


def scale(*size: float, at: tuple[float, ...] | None = None) -> list[dict[str, Any]]:
    moved = [] if at is None else [{"type": "translation", "translation": list(at)}]
    return [{"type": "scale", "scale": list(size)}, *moved]


def n5(folder: Path, zyx: np.ndarray, **attributes: Any) -> Path:
    """An N5 array: dimensions X first, blocks with a big-endian head, X fastest."""
    folder.mkdir(parents=True, exist_ok=True)
    chunk = CHUNK
    document = {
        "dimensions": list(reversed(zyx.shape)),
        "blockSize": list(reversed(chunk)),
        "dataType": zyx.dtype.name,
        "compression": {"type": "gzip", "level": -1},
        **attributes,
    }
    (folder / "attributes.json").write_text(json.dumps(document))
    for at in product(*(range(-(-n // c)) for n, c in zip(zyx.shape, chunk, strict=True))):
        block = zyx[tuple(slice(i * c, (i + 1) * c) for i, c in zip(at, chunk, strict=True))]
        file = folder.joinpath(*map(str, reversed(at)))
        file.parent.mkdir(parents=True, exist_ok=True)
        head = struct.pack(">HH3I", 0, 3, *reversed(block.shape))
        file.write_bytes(head + gzip.compress(block.astype(block.dtype.newbyteorder(">")).tobytes()))
    return folder


def precomputed(folder: Path, zyx: np.ndarray, *scales: dict[str, Any]) -> Path:
    """A raw precomputed volume whose first scale holds `zyx`; further scales are only declared."""
    (folder / "pre").mkdir()
    z, y, x = zyx.shape
    own = {
        "key": "8_8_40",
        "size": [x, y, z],
        "resolution": [8, 8, 40],
        "voxel_offset": [0, 0, 0],
        "chunk_sizes": [list(reversed(CHUNK))],
        "encoding": "raw",
    } | (scales[0] if scales else {})
    info = {"@type": "neuroglancer_multiscale_volume", "type": "image", "data_type": zyx.dtype.name, "num_channels": 1}
    (folder / "pre" / "info").write_text(json.dumps({**info, "scales": [own, *scales[1:]]}))
    (folder / "pre" / own["key"]).mkdir()
    x0, y0, z0 = own["voxel_offset"]
    for dz, dy, dx in product(*(range(0, n, c) for n, c in zip(zyx.shape, CHUNK, strict=True))):
        block = zyx[dz : dz + CHUNK[0], dy : dy + CHUNK[1], dx : dx + CHUNK[2]]
        ends = [
            f"{o + d}-{o + d + n}" for o, d, n in zip((x0, y0, z0), (dx, dy, dz), reversed(block.shape), strict=True)
        ]
        (folder / "pre" / own["key"] / "_".join(ends)).write_bytes(block.tobytes())
    return folder / "pre"
