"""One image of a folder of sections: its size and type from the header, its voxels as a viewer shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from emseg.ingest.jpeg import gray_of
from emseg.ingest.memory import require_memory
from emseg.ingest.sources import Array, refuse_source
from emseg.ingest.tiff_pages import lossy_of, page_of_image, read_part, tone_of

TIFFS = frozenset({".tif", ".tiff"})
SUFFIXES = frozenset({".png", ".jpg", ".jpeg"}) | TIFFS
FORMATS = frozenset({"PNG", "JPEG"})
"""As Pillow finds them in the file, which may have another name."""
DTYPE_OF_MODE = {"L": np.uint8, "1": np.bool_, "I;16": np.uint16, "I;16B": np.uint16, "I;16L": np.uint16}
"""Pillow's names of grays of 8, 1 and 16 bits."""
ORIENTATION, UPRIGHT = 274, 1
PNG_BITS_AT = 24
"""Place of the bits of a value in a PNG; Pillow stretches 2 and 4 bits to 8."""


@dataclass(frozen=True)
class ImageHeader:
    """Voxels along Y and X, their type, and what a person should know of them."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    note: str = ""
    altered: bool = False
    lossy: str = ""


def image_header(file: Path) -> ImageHeader:
    """The header of an image; refused where it is no upright image of one channel. Libraries' errors pass."""
    if file.suffix.lower() in TIFFS:
        page = page_of_image(file)
        tone = tone_of(page, str(file))
        return ImageHeader(
            page.shape, tone.shown(np.zeros(1, page.dtype)).dtype, tone.note, tone.altered, lossy_of([page])
        )
    with _opened(file) as image:
        _check(image, file)
        note = _note(image, file)
        lossy = "JPEG" if image.format == "JPEG" else ""
        return ImageHeader((image.height, image.width), np.dtype(DTYPE_OF_MODE[image.mode]), note, bool(note), lossy)


def read_image(file: Path) -> Array:
    """The voxels of an image that `image_header` has taken."""
    if file.suffix.lower() in TIFFS:
        page = page_of_image(file)
        height, width = page.shape
        return tone_of(page, str(file)).shown(read_part(page, slice(0, height), slice(0, width)))
    with _opened(file) as image:
        return gray_of(file.read_bytes()) if image.format == "JPEG" else np.asarray(image)


def _opened(file: Path) -> Image.Image:
    """The image, any number of pixels: sections have more than Pillow thinks an honest image can have."""
    most = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(file)
    finally:
        Image.MAX_IMAGE_PIXELS = most
    require_memory(4 * image.width * image.height, "opening a volume", str(file))
    return image


def _note(image: Image.Image, file: Path) -> str:
    if image.format != "PNG":
        return ""
    with file.open("rb") as raw:
        bits = raw.read(PNG_BITS_AT + 1)[-1]
    return f"{bits} bits a voxel, scaled to 8 as viewers show them" if bits in {2, 4} else ""


def _check(image: Image.Image, file: Path) -> None:
    if image.format not in FORMATS:
        raise refuse_source(
            file,
            f"it is a {image.format}, which emseg does not read, whatever its name says",
            "Convert it to PNG; labels from what they were made from, because some formats change values",
        )
    frames = getattr(image, "n_frames", 1)
    turned = image.getexif().get(ORIENTATION, UPRIGHT)
    if frames != 1:
        raise refuse_source(file, f"it holds {frames} images, and each file is one section", "Save one section a file")
    if turned != UPRIGHT:
        raise refuse_source(file, f"its Exif orientation is {turned}: viewers turn or mirror it", "Save it upright")
    if image.mode not in DTYPE_OF_MODE:
        raise refuse_source(
            file,
            f"it is an image of the kind {image.mode}, channels {', '.join(image.getbands())}",
            "Give images of one channel: convert them to 8-bit grayscale, or save one channel "
            "(of a label image with a palette, the numbers and not their colours)",
        )
