"""Arrays between Spark and its Python workers as the bytes of `emseg.codec`: checksummed, compressed, never pickle.

`SparkContext(serializer=ArraySerializer(), pyFiles=[...this file...])`, for RDDs of arrays or of pairs (name, array).
A frame is what Spark batches: number of items u32, then for each the bytes of its name u32 (2^32 - 1: it has none) and
of its array u32, little-endian, the name in UTF-8, and the array.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.serializers import FramedSerializer

from emseg.codec import decode_array, encode_array, encode_labels
from emseg.errors import IntegrityError, PermanentError

Array = npt.NDArray[Any]
Item = Array | tuple[str, Array]

MAX_FRAME_BYTES = (1 << 31) - 1
"""Spark gives the length of a frame 31 bits."""
_NUMBER, _SIZES, _UNNAMED = struct.Struct("<I"), struct.Struct("<II"), (1 << 32) - 1


class ArraySerializer(FramedSerializer):
    """Spark's frames, each a batch of arrays or of pairs (name, array); unsigned integers of 16 bits up are labels."""

    def dumps(self, obj: Sequence[Item]) -> bytes:
        """Bytes of one batch. `PermanentError` for what is no array, and for a batch that is too long for a frame."""
        parts = [_NUMBER.pack(len(obj))]
        for item in obj:
            name, array = item if isinstance(item, tuple) else (None, item)
            encoded = _encoded(array)
            label = b"" if name is None else name.encode()
            parts += [_SIZES.pack(_UNNAMED if name is None else len(label), len(encoded)), label, encoded]
        size = sum(map(len, parts))
        if size > MAX_FRAME_BYTES:
            raise PermanentError(
                "sending arrays through Spark",
                f"{len(obj)} arrays",
                f"{size} bytes encoded, a frame holds {MAX_FRAME_BYTES}",
                "Give SparkContext a smaller batchSize, or cut the arrays",
            )
        return b"".join(parts)

    def loads(self, obj: bytes) -> list[Item]:
        """The batch; arrays are writable and in C order. `IntegrityError` where a byte is not as written."""
        try:
            return _items(obj)
        except (struct.error, UnicodeDecodeError) as error:
            raise _damaged(obj, str(error)) from None


def _items(frame: bytes) -> list[Item]:
    view, at = memoryview(frame), _NUMBER.size
    items: list[Item] = []
    for _ in range(_NUMBER.unpack_from(frame)[0]):
        named, size = _SIZES.unpack_from(frame, at)
        at += _SIZES.size
        end = at + (0 if named == _UNNAMED else named)
        array = decode_array(bytes(view[end : end + size]))
        items.append(array if named == _UNNAMED else (str(view[at:end], "utf-8"), array))
        at = end + size
    if at != len(frame):
        raise _damaged(frame, f"its items end at byte {at}")
    return items


def _encoded(array: Array) -> bytes:
    if not isinstance(array, np.ndarray):
        raise PermanentError(
            "sending arrays through Spark",
            type(array).__name__,
            "neither an array nor a pair of a name and an array",
            "Use Spark's own serializer for this RDD",
        )
    return encode_labels(array) if array.dtype.kind == "u" and array.dtype.itemsize > 1 else encode_array(array)


def _damaged(frame: bytes, found: str) -> IntegrityError:
    return IntegrityError("receiving arrays from Spark", f"a frame of {len(frame)} bytes", found, "Run the task again")
