"""The stream of DVID's `/blocks` and `/ingest-supervoxels`: for each block `int32 bx, by, bz, uint32 n`, n bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from emseg.dvid.coordinates import zyx
from emseg.errors import IntegrityError
from emseg.geometry import Coordinate

_FRAME = struct.Struct("<iiiI")


def frame(block: Coordinate, packed: bytes) -> bytes:
    """One block as bytes of the stream; `block` are its coordinates ZYX at its scale."""
    return _FRAME.pack(*zyx(block), len(packed)) + packed


def frames(stream: bytes, on: str) -> Iterator[tuple[Coordinate, bytes]]:
    """The blocks of a stream, in its order. `on` names the request in the IntegrityError for a damaged stream.

    The server writes an error that it meets after its first block into the stream, as text: that is damage, too.
    """
    at = 0
    while at < len(stream):
        if len(stream) - at < _FRAME.size:
            raise _damaged(on, f"{len(stream) - at} bytes are left over")
        x, y, z, size = _FRAME.unpack_from(stream, at)
        at += _FRAME.size
        if size > len(stream) - at:
            raise _damaged(on, f"a block claims {size} bytes of {len(stream) - at}")
        yield zyx((x, y, z)), stream[at : at + size]
        at += size


def _damaged(on: str, found: str) -> IntegrityError:
    return IntegrityError(
        "reading label blocks from DVID", on, found, "Try again; if it stays so, read the server's log"
    )
