"""Volumes that are stacks of images: a folder with one file per Z, or one TIFF with many pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from skimage.io import imread

from emseg.geometry import Box, Coordinate
from emseg.ingest.arrays import ArrayVolume
from emseg.ingest.sources import Array, SourceInfo, VolumeSource, refuse_source

SUFFIXES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg"})


class ImageFolder:
    """A folder of single-channel images of equal size; Z follows the numbers in the names (`z2` before `z10`)."""

    def __init__(self, folder: Path) -> None:
        """List the images and read the first."""
        images = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES]
        self._files = sorted(images, key=lambda file: natural_order(file.name))
        if not self._files:
            raise refuse_source(folder, "it holds no png, tif or jpg image", "Give the folder that holds the images")
        first = _image(self._files[0])
        self.shape = Coordinate(len(self._files), *first.shape)
        self.dtype: np.dtype[Any] = first.dtype
        self.info = SourceInfo(str(folder), f"folder of {len(self._files)} images")

    def read(self, box: Box) -> Array:
        """The voxels of `box`; every image of its Z range is decoded once."""
        volume = np.empty(box.shape, self.dtype)
        _, rows, columns = box.slices()
        for z, file in enumerate(self._files[box.start[0] : box.stop[0]]):
            image = _image(file)
            if image.shape != self.shape[1:] or image.dtype != self.dtype:
                raise refuse_source(
                    file,
                    f"it is {image.dtype} of shape {image.shape}, the first image {self.dtype} of {self.shape[1:]}",
                    "Give every image the size and type of the first",
                )
            volume[z] = image[rows, columns]
        return volume


def natural_order(name: str) -> list[tuple[bool, int, str]]:
    """Sort key that counts: `z2.png` comes before `z10.png`."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def open_tiff(file: Path, _: str) -> VolumeSource:
    """The first series of a TIFF, page by page."""
    try:
        store = tifffile.imread(file, aszarr=True, series=0, level=0)
    except (tifffile.TiffFileError, IndexError) as error:
        raise refuse_source(file, f"it is no readable TIFF ({error})", "Give a TIFF of pages Z") from None
    return ArrayVolume(zarr.open_array(store, mode="r"), str(file))


def _image(file: Path) -> Array:
    try:
        image = np.asarray(tifffile.imread(file) if "tif" in file.suffix.lower() else imread(file))
    except (OSError, ValueError, SyntaxError) as error:
        raise refuse_source(file, f"it is no readable image ({error})", "Write the image again") from None
    if image.ndim != 2:
        raise refuse_source(file, f"its shape is {image.shape}", "Give images of one channel")
    return image
