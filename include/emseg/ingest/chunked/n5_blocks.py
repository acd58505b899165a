"""Blocks of N5 say in their head how large they are. TensorStore fills what a smaller one lacks with zeros, so the
heads of the blocks of a box are read first.

    mode (2 bytes, 0), number of axes (2), length along each axis (4 each); big-endian, before what is compressed
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from struct import calcsize, unpack

import tensorstore

from emseg.ingest.chunked.location import CONTEXT, Location
from emseg.ingest.sources import refuse_source


def check_blocks(
    location: Location, shape: Sequence[int], block: Sequence[int], start: Sequence[int], stop: Sequence[int]
) -> None:
    """PermanentError for a block between `start` and `stop` (voxels, axes as stored) that does not fill its place."""
    store = tensorstore.KvStore.open(location.kvstore(), context=CONTEXT).result()
    form = f">HH{len(shape)}I"
    ranges = [range(first // edge, -(-last // edge)) for first, last, edge in zip(start, stop, block, strict=True)]
    asked = {at: store.read("/".join(map(str, at)), byte_range=slice(0, calcsize(form))) for at in product(*ranges)}
    for at, future in asked.items():
        try:
            head = future.result()
        except ValueError:  # some web servers give no parts of a file
            head = store.read("/".join(map(str, at))).result()
        if head.state != "value":
            continue  # whether a block may be missing is decided elsewhere
        mode, axes, *lengths = unpack(form, head.value[: calcsize(form)].ljust(calcsize(form), b"\0"))
        needed = [min(edge, length - i * edge) for i, edge, length in zip(at, block, shape, strict=True)]
        if mode != 0 or axes != len(shape) or any(a < b for a, b in zip(lengths, needed, strict=True)):
            raise refuse_source(
                f"{location}/{'/'.join(map(str, at))}",
                f"this block says that it has {'x'.join(map(str, lengths))} voxels (mode {mode}), and its place has "
                f"{'x'.join(map(str, needed))}, axes as stored",
                "Write the volume again with full blocks: emseg would read zeros there",
            )
