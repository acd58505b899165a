"""Codecs side by side: how small, how fast to make, how fast to read back; memcpy is the ceiling of any of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import lz4.frame
import numpy as np
import numpy.typing as npt

from benchmarks.rows import Row
from benchmarks.side_by_side import side_by_side

ROUNDS = 5
MEMCPY = "memcpy"
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Codec:
    """An array to bytes; and the bytes back to voxels, in C order, as an array or anything that shows its memory."""

    encode: Callable[[Array], bytes]
    decode: Callable[[bytes], Any]


LZ4 = Codec(lambda array: lz4.frame.compress(array.data), lz4.frame.decompress)
ZLIB_1 = Codec(lambda array: zlib.compress(array.data, 1), zlib.decompress)


def compared(data: str, blocks: Sequence[Array], codecs: Mapping[str, Codec]) -> list[Row]:
    """Rows for each codec; the first is the one whose speed the others' is divided by. Every decode is verified."""
    packed = {name: [codec.encode(block) for block in blocks] for name, codec in codecs.items()}
    for name, codec in codecs.items():
        for block, stored in zip(blocks, packed[name], strict=True):
            assert bytes(memoryview(codec.decode(stored)).cast("B")) == block.tobytes(), f"{name} changes {data}"
    raw = sum(block.nbytes for block in blocks)
    rows = [Row(f"{data}: {name}, ratio", raw / sum(map(len, stored)), "x") for name, stored in packed.items()]
    copy = {MEMCPY: partial(_copied, blocks, [np.empty_like(block) for block in blocks])}
    encoding = {name: partial(_each, codec.encode, blocks) for name, codec in codecs.items()}
    decoding = {name: partial(_each, codec.decode, packed[name]) for name, codec in codecs.items()}
    rows += _speeds(f"{data}: encode", raw, encoding | copy)
    return rows + _speeds(f"{data}: decode", raw, decoding | copy)


def _each(work: Callable[[Any], object], inputs: Sequence[Any]) -> None:
    for one in inputs:
        work(one)


def _copied(sources: Sequence[Array], targets: Sequence[Array]) -> None:
    for source, target in zip(sources, targets, strict=True):
        np.copyto(target, source)


def _speeds(doing: str, raw_bytes: int, candidates: Mapping[str, Callable[[], object]]) -> list[Row]:
    times = side_by_side(candidates, ROUNDS)
    ours, *others = candidates
    rows = [Row(f"{doing}, {name}", raw_bytes / times.median_s(name) / 1e9, "GB/s") for name in candidates]
    return rows + [Row(f"{doing}, speed of {ours} / {name}", times.ratio(name, ours), "x") for name in others]
