"""A folder with one image for each section; Z follows the numbers in the names (`z2` before `z10`)."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate
from emseg.ingest.guarding import guarded
from emseg.ingest.images import SUFFIXES, TIFFS, ImageHeader, image_header, read_image
from emseg.ingest.ome import members, ome_header
from emseg.ingest.section_numbers import check_others, missing_between, numbered, told
from emseg.ingest.sources import Array, SaidSize, SourceInfo, VolumeSource, refuse_source
from emseg.ingest.tiff import open_tiff
from emseg.ingest.tiff_places import said_size


class Gaps(StrEnum):
    """What becomes of sections whose numbers are missing: an error, a blank (0) section, or nothing stands there."""

    REFUSE = "refuse"
    BLANK = "blank"
    CLOSE = "close"


class ImageFolder:
    """Images of one channel, of equal size and type; a section without a file is blank."""

    def __init__(self, sections: dict[int, Path], header: ImageHeader, info: SourceInfo) -> None:
        """`sections` are the files by their Z, ascending; their headers were compared before."""
        self._sections = sections
        self.shape, self.dtype = Coordinate(max(sections) + 1, *header.shape), np.dtype(header.dtype)
        self.info = replace(info, chunk_vox=Coordinate(1, *header.shape))

    def read(self, box: Box) -> Array:
        """The voxels of `box`; every image of its Z range is decoded once."""
        volume: np.ndarray[Any, Any] = np.zeros(box.shape, self.dtype)
        _, rows, columns = box.slices()
        for z in range(box.start[0], box.stop[0]):
            if z in self._sections:
                volume[z - box.start[0]] = _section(self._sections[z], self.shape[1:])[rows, columns]
        return volume


def open_folder(folder: Path, gaps: Gaps = Gaps.REFUSE) -> VolumeSource:
    """The stack in `folder`; refused unless it is clear which image is which section, and all are alike."""
    visible = [file for file in folder.iterdir() if not file.name.startswith(".")]
    images = sorted(file for file in visible if file.suffix.lower() in SUFFIXES and not file.is_dir())
    if not images:
        raise refuse_source(folder, "it holds no png, tif or jpg image", "Give the folder that holds the images")
    if images[0].suffix.lower() in TIFFS and (whole := _set_in(folder, images)) is not None:
        return whole
    by_number = numbered(images, folder)
    check_others(by_number, [file for file in visible if file not in set(images)], folder)
    sections, notes = _placed(by_number, gaps, folder)
    header = _common_header(list(by_number.values()))
    ignored = sorted(file.name for file in folder.iterdir() if file not in set(images))
    notes += [header.note] * bool(header.note)
    notes += [f"left out: {', '.join(ignored[:10])}{' ...' if len(ignored) > 10 else ''}"] * bool(ignored)
    info = SourceInfo(
        str(folder),
        f"folder of {len(images)} images",
        _said_size(images[0]),
        None,
        tuple(notes),
        header.altered,
        header.lossy,
    )
    return ImageFolder(sections, header, info)


def _placed(by_number: dict[int, Path], gaps: Gaps, folder: Path) -> tuple[dict[int, Path], list[str]]:
    """The file of each Z, and what to tell of the numbers."""
    numbers = list(by_number)
    first, last, missing = numbers[0], numbers[-1], missing_between(numbers)
    notes = [f"sections {first} to {last}"]
    if not missing:
        return dict(enumerate(by_number.values())), notes
    count = sum(len(each) for each in missing)
    found = f"{count} number{'s are' if count > 1 else ' is'} missing between {first} and {last}: {told(missing)}"
    if gaps is Gaps.REFUSE:
        raise refuse_source(
            folder,
            found,
            "Find the missing sections; or, if they are lost, put blank ones in their place with --gaps blank; or, if "
            "the numbers do not count sections (every second one, positions in nm), stack what is there: --gaps close",
        )
    if gaps is Gaps.BLANK:
        return {n - first: file for n, file in by_number.items()}, [*notes, f"{found}; blank sections stand there"]
    return dict(enumerate(by_number.values())), [*notes, f"{found}; nothing stands there: the sections close up"]


def _common_header(files: list[Path]) -> ImageHeader:
    """The header of all images; refused at the first that differs, before anything is written."""
    first = _header(files[0])
    for file in files[1:]:
        other = _header(file)
        if other != first:
            raise refuse_source(
                file,
                f"it is {_in_words(other)}, and {files[0].name} is {_in_words(first)}",
                "Give every image the size and type of the first",
            )
    return first


def _header(file: Path) -> ImageHeader:
    with guarded("opening a volume", str(file)) as warned:
        header = image_header(file)
    if warned:
        raise refuse_source(file, f"the reading library warns: {'; '.join(warned)}", "Copy or write the image again")
    return header


def _in_words(header: ImageHeader) -> str:
    return ", ".join(filter(None, (f"{header.dtype} of shape {header.shape}", header.note, header.lossy)))


def _section(file: Path, shape: tuple[int, ...]) -> Array:
    with guarded("reading a volume", str(file)):
        image = read_image(file)
    if image.shape != shape:
        found = f"it is {image.shape} voxels, and was {shape} when the folder was opened"
        raise PermanentError("reading a volume", str(file), found, "Leave the folder alone while it is read")
    return image


def _set_in(folder: Path, images: list[Path]) -> VolumeSource | None:
    """The OME set that the images are; None where each image describes itself alone."""
    with guarded("opening a volume", str(images[0])), tifffile.TiffFile(images[0]) as opened:
        if "BinaryOnly" in opened.pages[0].description:
            return None
        header = ome_header(opened, images[0])
        files = members(header, images[0]) if header is not None else []
    if len(files) < 2:
        return None
    others = sorted({file.name for file in images} - set(files))
    if others:
        found = f"{', '.join(others[:10])} are not of the OME set that {images[0].name} describes"
        raise refuse_source(folder, found, "Move them out of the folder")
    return open_tiff(images[0], "")


def _said_size(file: Path) -> SaidSize | None:
    if file.suffix.lower() not in TIFFS:
        return None
    with tifffile.TiffFile(file) as opened:
        return said_size(opened, ome_header(opened, file) if "BinaryOnly" not in opened.pages[0].description else None)
