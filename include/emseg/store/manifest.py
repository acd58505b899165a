"""The manifest of a phase: all its item markers as one object, LZ4 of a JSON array. Equal markers give equal bytes.

Its SHA-256 is in the phase marker, whose schema number is also that of the manifest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import lz4.frame
from pydantic import TypeAdapter, ValidationError

from emseg.errors import IntegrityError
from emseg.store.markers import ItemMarker

MAX_BYTES = 4 << 30
"""Largest manifest after decompression: 3 million items of four artefacts; a frame that holds more is refused."""

_ADAPTER = TypeAdapter(list[ItemMarker])


def manifest_bytes(markers: Iterable[ItemMarker]) -> bytes:
    """Stored form of the markers, in the order of their items."""
    ordered = sorted(markers, key=lambda marker: marker.item)
    content = json.dumps(_ADAPTER.dump_python(ordered), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return bytes(lz4.frame.compress(content.encode()))


def read_manifest(data: bytes, address: str) -> list[ItemMarker]:
    """The item markers of a stored manifest, whose SHA-256 was verified; `IntegrityError` where it is none."""
    decompressor = lz4.frame.LZ4FrameDecompressor()
    try:
        content = decompressor.decompress(data, max_length=MAX_BYTES)
        if decompressor.eof and not decompressor.unused_data:
            return _ADAPTER.validate_json(content)
    except (RuntimeError, ValidationError) as error:
        raise _damaged(address, f"it does not read as item markers ({type(error).__name__})") from None
    raise _damaged(address, "it is not one LZ4 frame")


def _damaged(address: str, found: str) -> IntegrityError:
    return IntegrityError("reading a manifest", address, found, "Run the phase again: it lists its items anew")
