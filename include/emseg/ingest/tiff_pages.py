"""One page of a TIFF: whether it is a section, and whole in the file; and its voxels as viewers show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from emseg.ingest import codecs
from emseg.ingest.codecs import inexact
from emseg.ingest.jpeg import gray_of
from emseg.ingest.memory import require_memory
from emseg.ingest.sources import Array, refuse_source

WHITE_IS_ZERO, BLACK_IS_ZERO, PALETTE = 0, 1, 3
UPRIGHT = 1
JPEG = frozenset({6, 7, 33007, 34892})
"""Compressions whose pages keep a part of the header apart."""


@dataclass(frozen=True, eq=False)
class Tone:
    """How the stored values become those that a viewer shows: as they are, inverted, or looked up.

    With a note, the values are not exactly those that were saved.
    """

    note: str = ""
    greatest: int | None = None
    table: Array | None = None

    def shown(self, stored: Array) -> Array:
        """The values that a viewer shows."""
        if self.table is not None:
            return np.asarray(self.table[stored])
        if self.greatest is None:
            return stored
        return np.asarray(~stored if stored.dtype == bool else self.greatest - stored)

    @property
    def altered(self) -> bool:
        """Whether the values are not exactly those that were saved."""
        return bool(self.note)


def tone_of(page: Any, on: str) -> Tone:
    """The tone of a page; refused where it is no upright image of one channel of grays, or cannot be read for sure."""
    if _named(tifffile.COMPRESSION, page.compression) not in codecs.TIFF | codecs.TIFF_INEXACT:
        found = f"its compression is {_named(tifffile.COMPRESSION, page.compression)}, of which no damage would be told"
        raise refuse_source(on, found, "Save it as TIFF with deflate or LZW, or as PNG")
    if page.samplesperpixel != 1 or page.photometric not in {WHITE_IS_ZERO, BLACK_IS_ZERO, PALETTE}:
        kind = _named(tifffile.PHOTOMETRIC, page.photometric)
        raise refuse_source(
            on,
            f"it is an image in colour ({kind}, {page.samplesperpixel} values a pixel)",
            "Give images of one channel: convert them to 8-bit grayscale, or save one channel",
        )
    if len(page.shape) != 2:
        raise refuse_source(on, f"a page of it has the shape {page.shape}", "Write one section a page")
    if (turned := page.tags.valueof("Orientation", UPRIGHT)) != UPRIGHT:
        raise refuse_source(
            on,
            f"its tag Orientation is {int(turned)}: viewers turn or mirror it",
            "Save it upright, with Orientation 1 or without the tag",
        )
    if page.photometric == PALETTE:
        return _palette(page, on)
    bits, inverted = page.bitspersample, page.photometric == WHITE_IS_ZERO
    if inverted and page.dtype.kind not in "ub":
        found = f"it is {page.dtype} with white as zero, for which there is no white"
        raise refuse_source(on, found, "Save it with black as zero (MINISBLACK)")
    if 1 < bits < 8:
        scale = np.linspace(0, 255, 1 << bits).round().astype(np.uint8)
        return Tone(f"{bits} bits a voxel, scaled to 8 as viewers show them", table=scale[::-1] if inverted else scale)
    if inverted:
        return Tone("white is zero in the file: inverted, to what viewers show", greatest=(1 << bits) - 1)
    return Tone()


def lossy_of(pages: Iterable[Any]) -> str:
    """Names of the compressions of pages that may have changed values, `""` where all give back what was saved."""
    return inexact((_named(tifffile.COMPRESSION, page.keyframe.compression) for page in pages), codecs.TIFF)


def check_whole(page: Any, on: str) -> None:
    """Refuse a page of which a strip or a tile is not, or not wholly, in the file."""
    size, keyframe = page.parent.filehandle.size, page.keyframe
    expected = int(np.prod(keyframe.chunked))
    parts = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    missing = expected - sum(offset > 0 and count > 0 for offset, count in parts[:expected])
    if missing > 0:
        found = f"{missing} of its {expected} strips or tiles were never written"
        raise refuse_source(on, found, "Write the file again: emseg would read blank voxels there")
    end = max(offset + count for offset, count in parts)
    if end > size:
        raise refuse_source(
            on, f"its voxels end at byte {end}, but the file has {size}", "The file is cut off: copy it again"
        )
    stored = sum(count for _, count in parts)
    if keyframe.compression == 1 and stored < keyframe.size * keyframe.bitspersample // 8:
        found = f"it has {stored} bytes for {keyframe.shape} voxels of {keyframe.bitspersample} bits"
        raise refuse_source(on, found, "The file is damaged: write it again")


def read_part(page: Any, rows: slice, columns: slice) -> Array:
    """Stored voxels of a rectangle of a page; only the strips or tiles that it touches are decoded."""
    keyframe = page.keyframe
    height, width = keyframe.shape
    tall, wide = (keyframe.tilelength, keyframe.tilewidth) if keyframe.is_tiled else (keyframe.rowsperstrip, width)
    tall = min(tall, height) if not keyframe.is_tiled else tall
    require_memory(tall * wide * keyframe.dtype.itemsize, "reading a TIFF", page.parent.filehandle.path)
    extra = {"jpegtables": page.jpegtables, "jpegheader": keyframe.jpegheader} if keyframe.compression in JPEG else {}
    part = np.empty((rows.stop - rows.start, columns.stop - columns.start), keyframe.dtype)
    with _open_file(page) as file:
        for index in _touched(rows, columns, tall, wide, ceil(width / wide)):
            file.seek(page.dataoffsets[index])
            data = file.read(page.databytecounts[index])
            if keyframe.compression in JPEG:
                gray_of(data, page.jpegtables)
            voxels, (_, _, y, x, _), (_, h, w, _) = keyframe.decode(data, index, _fullsize=False, **extra)
            if voxels is None:
                raise ValueError(f"strip or tile {index} holds nothing")
            here = voxels.reshape(h, w)
            top, bottom = max(y, rows.start), min(y + h, rows.stop)
            left, right = max(x, columns.start), min(x + w, columns.stop)
            part[top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] = here[
                top - y : bottom - y, left - x : right - x
            ]
    return part


def page_of_image(file: Path) -> Any:
    """The only page of a TIFF that is one section of a folder; refused where it holds several."""
    with tifffile.TiffFile(file) as opened:
        if len(opened.pages) != 1:
            found = f"it holds {len(opened.pages)} pages, and each image of a folder is one section"
            raise refuse_source(file, found, "Give this file alone, or split it into one file a section")
        page = opened.pages[0]
        check_chain(opened, file)
        check_whole(page, str(file))
        return page


def check_chain(opened: Any, file: Path) -> None:
    """Refuse a file whose last page names a further page: the rest of the file is missing."""
    last = opened.pages.next_page_offset
    opened.filehandle.seek(last)
    link = opened.filehandle.read(opened.tiff.offsetsize)
    following = int.from_bytes(link, "little" if opened.byteorder == "<" else "big")
    if len(link) < opened.tiff.offsetsize or following:
        raise refuse_source(
            file,
            f"after page {len(opened.pages)} follows another, which is not within its {opened.filehandle.size} bytes",
            "The file is cut off or damaged: copy it again",
        )


def _touched(rows: slice, columns: slice, tall: int, wide: int, across: int) -> Iterator[int]:
    for row in range(rows.start // tall, ceil(rows.stop / tall)):
        for column in range(columns.start // wide, ceil(columns.stop / wide)):
            yield row * across + column


def _palette(page: Any, on: str) -> Tone:
    red, green, blue = np.asarray(page.colormap)
    if not (np.array_equal(red, green) and np.array_equal(green, blue)):
        raise refuse_source(
            on,
            "it has a palette of colours",
            "Save it as grayscale: of a label image, the numbers and not their colours",
        )
    grays = (red >> 8 if red.max() > 255 else red).astype(np.uint8)
    if np.array_equal(grays, np.arange(len(grays))):
        return Tone()
    return Tone("a palette of grays, looked up as viewers show it", table=grays)


def _named(kind: type[IntEnum], value: int) -> str:
    return kind(value).name if value in set(kind) else str(value)


@contextmanager
def _open_file(page: Any) -> Iterator[Any]:
    """The file of a page: open while the volume is, or, of a set of many files, only while it is read."""
    handle = page.parent.filehandle
    closed = handle.closed
    if closed:
        handle.open()
    try:
        yield handle
    finally:
        if closed:
            handle.close()
