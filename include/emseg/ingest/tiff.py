"""A TIFF of sections, or a set of OME-TIFFs, read whole or refused: every page of the file is a section of the volume.

tifffile gives the first of several series, zeros for files that are missing, and what is there of a file that was cut
off. So the pages are counted and measured here before anything is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from math import prod
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
import tifffile

from emseg.geometry import Box, Coordinate
from emseg.ingest.arrays import ArrayVolume
from emseg.ingest.ome import members, ome_header
from emseg.ingest.sources import Array, SourceInfo, VolumeSource, refuse_source
from emseg.ingest.tiff_pages import PALETTE, Tone, check_chain, check_whole, lossy_of, read_part, tone_of
from emseg.ingest.tiff_places import said_size

ONE_CHAIN = frozenset({"ome", "imagej", "shaped", "uniform", "generic"})
"""Kinds of TIFF, as tifffile calls them, in which each page is a section."""

SECTIONS = frozenset("ZIQ")
"""Axes along which pages are sections: Z, or no more than a sequence. C (channels), T (time) and others are not."""


class TiffVolume:
    """Pages of equal size and type, one section each."""

    def __init__(self, pages: Sequence[Any], tone: Tone, info: SourceInfo) -> None:
        """The file of the pages stays open, unless it is one of several."""
        self._pages, self._tone = pages, tone
        self.shape = Coordinate(len(pages), *pages[0].shape)
        self.info = replace(info, chunk_vox=Coordinate(1, *self.shape[1:]))
        self.dtype = tone.shown(np.zeros(1, pages[0].dtype)).dtype

    def read(self, box: Box) -> Array:
        """The voxels of `box`."""
        volume = np.empty(box.shape, self.dtype)
        _, rows, columns = box.slices()
        for z, page in enumerate(self._pages[box.start[0] : box.stop[0]]):
            volume[z] = self._tone.shown(read_part(page, rows, columns))
        return volume


def open_tiff(file: Path, _: str) -> VolumeSource:
    """The sections of a TIFF, or of the OME set that it is one of; refused unless all of them are there."""
    opened = tifffile.TiffFile(file)
    try:
        return _volume(opened, file)
    except BaseException:
        opened.close()
        raise


def _volume(opened: Any, file: Path) -> VolumeSource:
    pages = list(opened.pages)  # before `series`, which makes light copies of them that are never compared
    check_chain(opened, file)
    header = ome_header(opened, file)
    files = members(header, file) if header is not None else []
    reduced = [page for page in pages if page.is_reduced]
    pages = [page for page in pages if not page.is_reduced] or pages
    _check_layout(opened, pages, file)
    if header is not None:
        pages = _of_set(opened, pages, header, file)
    _check_alike(pages, file)
    for number, page in enumerate(pages, 1):
        check_whole(page, f"{file}, page {number} of {len(pages)}")
    tone = tone_of(pages[0].keyframe, str(file))
    notes = [tone.note] * bool(tone.note)
    notes += [f"{len(reduced)} smaller copies of sections are left out"] * bool(reduced)
    promised = _promised(opened, pages)
    name = f"OME-TIFF of {len(files)} files" if len(files) > 1 else "TIFF"
    info = SourceInfo(
        str(file),
        f"{name}, {promised} sections",
        said_size(opened, header),
        None,
        tuple(notes),
        tone.altered,
        lossy_of(pages),
    )
    if promised == len(pages):
        return TiffVolume(pages, tone, info)
    return _without_further_pages(opened, pages, promised, tone, info)


def _check_layout(opened: Any, pages: Sequence[Any], file: Path) -> None:
    """Refuse what is more than a stack of sections: channels, times, several images, formats of microscopes."""
    series = opened.series
    kinds = {each.kind for each in series}
    if not kinds <= ONE_CHAIN and (len(series) > 1 or len(series[0].pages) != len(pages)):
        raise refuse_source(
            file, f"it is a TIFF of the kind {', '.join(sorted(kinds))}", "Export it as a plain TIFF stack"
        )
    if "ome" in kinds and len(series) > 1:
        shapes = ", ".join(str(each.shape) for each in series)
        raise refuse_source(
            file, f"it holds {len(series)} images, of shapes {shapes}", "Save each as a TIFF of its own"
        )
    for each in series:
        long = [f"{axis} of {count}" for axis, count in zip(each.axes, each.shape, strict=True) if count > 1]
        across = [axis for axis in long if axis[0] not in "YXS"]
        if len(across) > 1 or any(axis[0] not in SECTIONS for axis in across):
            found = f"its pages are not sections alone: they lie along {', '.join(across)}"
            raise refuse_source(
                file,
                found,
                "Save one channel and one time as a stack of its own. If these are sections, let the file say so: in "
                "ImageJ, Image > Properties, all as slices (z), 1 channel, 1 frame; in tifffile, axes ZYX",
            )
        order = [axis for axis in each.axes if axis in "ZYX"]
        if order != sorted(order, reverse=True):
            found = f"it says that its axes are {', '.join(each.axes)}"
            raise refuse_source(file, found, "Save it with pages along Z, rows along Y and columns along X")


def _of_set(opened: Any, pages: Sequence[Any], header: Element, file: Path) -> list[Any]:
    """The pages in the order of the header, also those of other files."""
    if not opened.series or opened.series[0].kind != "ome":
        raise refuse_source(file, "its OME header does not fit its pages", "Write the file again as plain TIFF")
    listed = list(opened.series[0].pages)
    lost = sum(page is None for page in listed)
    if lost:
        raise refuse_source(
            file,
            f"its OME header promises {len(listed)} sections, and {lost} of them are not there",
            "Write or copy the set again; if the header is wrong, save the file as plain TIFF",
        )
    own = sum(page.parent is opened for page in listed)
    if (own < len(pages) and own > 1) or (own == 1 and len(pages) > 1 and not _is_contiguous(opened)):
        found = f"it has {len(pages)} pages, and its OME header tells of {own}"
        raise refuse_source(file, found, "Save the file as plain TIFF")
    pixels = next(element for element in header.iter() if element.tag.endswith("}Pixels"))
    said = prod(int(pixels.get(f"Size{axis}", 1)) for axis in "ZCT")
    if said != len(listed) and not _is_contiguous(opened):
        found = f"its OME header says that there are {said} sections, and {len(listed)} are there"
        raise refuse_source(file, found, "Copy or write the file again")
    return listed


def _check_alike(pages: Sequence[Any], file: Path) -> None:
    """Refuse pages of several sizes or types, naming them."""
    kinds = [_kind(page.keyframe) for page in pages]
    runs = [(kind, len(list(group))) for kind, group in groupby(kinds)]
    if len(runs) > 1:
        told = ", then ".join(f"{count} of {shape} {dtype}" for (shape, dtype, *_), count in runs[:5])
        raise refuse_source(
            file,
            f"its {len(pages)} pages are not alike: {told}{' ...' if len(runs) > 5 else ''}",
            "Give all sections one size and type, or save each part as a file of its own",
        )


def _kind(page: Any) -> tuple[object, ...]:
    """What must be the same for all pages."""
    colours = page.colormap.tobytes() if page.photometric == PALETTE and page.colormap is not None else b""
    return page.shape, page.dtype, page.photometric, page.bitspersample, page.tags.valueof("Orientation", 1), colours


def _promised(opened: Any, pages: Sequence[Any]) -> int:
    """The sections that a header promises, which may be more than there are pages."""
    if opened.is_imagej:
        said = opened.imagej_metadata or {}
        axes = prod(int(said.get(axis, 1)) for axis in ("frames", "slices", "channels"))
        return max(len(pages), int(said.get("images", 1)), axes)
    if opened.is_shaped and len(opened.series) == 1:
        return max(len(pages), int(prod(opened.series[0].shape) // prod(pages[0].shape)))
    return len(pages)


def _without_further_pages(
    opened: Any, pages: Sequence[Any], promised: int, tone: Tone, info: SourceInfo
) -> VolumeSource:
    """Sections that lie one behind the other in the file, of which only the first has a page (as ImageJ does)."""
    page = pages[0]
    start, size = page.dataoffsets[0], opened.filehandle.size
    if not _is_contiguous(opened) or start + promised * page.nbytes > size:
        raise refuse_source(
            info.address,
            f"its header promises {promised} sections, and {len(pages)} are in the {size} bytes of the file",
            "The file is cut off or damaged: copy it again",
        )
    stored = np.memmap(info.address, page.dtype.newbyteorder(opened.byteorder), "r", start, (promised, *page.shape))
    return ArrayVolume(stored, info.address, info, tone.shown)


def _is_contiguous(opened: Any) -> bool:
    return len(opened.pages) == 1 and opened.pages[0].is_contiguous
