"""Labels and masks come from compressions that give back what was saved; others are told, and serve grayscale alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
import tensorstore
import tifffile
import zarr
from PIL import Image
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import open_source
from emseg.ingest.label_bricks import check_label_source
from emseg.ingest.roi import check_mask
from emseg.ingest.summary import summary

LABELS = np.random.default_rng(4).integers(0, 200, (3, 32, 48), np.uint8)
Write = Callable[[Path], Path]


def _tiff(compression: str, **arguments: object) -> Write:
    def write(folder: Path) -> Path:
        tifffile.imwrite(
            folder / "v.tif", LABELS, compression=compression, compressionargs=arguments, photometric="minisblack"
        )
        return folder / "v.tif"

    return write


def _hdf5(dtype: str = "uint8", **filters: object) -> Write:
    def write(folder: Path) -> Path:
        with h5py.File(folder / "v.h5", "w") as file:
            file.create_dataset("labels", data=LABELS.astype(dtype), chunks=(1, 32, 48), **filters)
        return folder / "v.h5"

    return write


def _precomputed(encoding: str, dtype: str = "uint8", **scale: object) -> Write:
    def write(folder: Path) -> Path:
        settings = {"encoding": encoding, "chunk_size": [16, 16, 3], "resolution": [8, 8, 8], **scale}
        spec = {"driver": "neuroglancer_precomputed", "kvstore": f"file://{folder}/v/", "scale_metadata": settings}
        array = LABELS.astype(dtype).transpose()[..., None]
        tensorstore.open({**spec, "create": True}, dtype=array.dtype, shape=array.shape).result()[...] = array
        return folder / "v"

    return write


def _zarr(folder: Path) -> Path:
    zarr.create_array(folder / "v.zarr", data=LABELS + 1, chunks=(1, 16, 16), shards=(3, 32, 48))
    return folder / "v.zarr"


def _images(folder: Path) -> Path:
    (folder / "s").mkdir()
    for z, image in enumerate(LABELS):
        Image.fromarray(image).save(folder / "s" / f"z{z}.jpg", quality=100, subsampling=0)
    return folder / "s"


def _of_two_pages(folder: Path) -> Path:
    with tifffile.TiffWriter(folder / "v.tif") as writer:
        for image, compression in zip(LABELS, ("zlib", "jpeg", "zlib"), strict=True):
            writer.write(image, compression=compression, photometric="minisblack", metadata=None)
    return folder / "v.tif"


@pytest.mark.parametrize(
    ("write", "codec"),
    [
        (_tiff("lerc", level=5), "LERC"),
        (_tiff("jpeg2000", level=40), "JPEG2000"),
        (_tiff("jpegxl", distance=3.0), "JPEGXL"),
        (_tiff("jpeg"), "JPEG"),
        (_of_two_pages, "JPEG"),
        (_images, "JPEG"),
        (_precomputed("jpeg"), "jpeg"),
        (_hdf5(scaleoffset=3), 6),
        (_hdf5("int32", **hdf5plugin.Zfp(reversible=True)), 32013),
    ],
    ids=["lerc", "jpeg2000", "jpegxl", "jpeg", "page 2", "folder", "precomputed", "scale-offset", "zfp"],
)
def test_labels_of_a_compression_that_may_change_values_are_refused_and_grayscale_is_told(
    tmp_path: Path, write: Write, codec: object
) -> None:
    """Kills a list of bad compressions that lacks one, and a look at the first page alone."""
    source = open_source(str(write(tmp_path)))
    for check in (check_label_source, check_mask):
        with refused(PermanentError, "v" if codec != "JPEG" else tmp_path.name, codec):
            check(source)
    told = summary(source, Box.of_shape(source.shape), "", "", "")
    assert any(str(codec) in value for name, value in told if name == "note")


@pytest.mark.parametrize(
    "write",
    [
        *(_tiff(each) for each in ("lzw", "zlib", "zstd", "packbits", "lzma", "png")),
        _hdf5(compression="gzip", shuffle=True, fletcher32=True),
        _hdf5(compression="lzf"),
        _hdf5(**hdf5plugin.Blosc()),
        _hdf5(**hdf5plugin.Bitshuffle()),
        _precomputed("raw"),
        _precomputed("png"),
        _precomputed("compressed_segmentation", "uint64", compressed_segmentation_block_size=[8, 8, 3]),
        _zarr,
    ],
)
def test_labels_of_an_exact_compression_are_taken(tmp_path: Path, write: Write) -> None:
    source = open_source(str(write(tmp_path)), "empty")
    check_label_source(source)
    check_mask(source)
    expected = LABELS + 1 if write is _zarr else LABELS
    np.testing.assert_array_equal(source.read(Box.of_shape(LABELS.shape)), expected)


def test_an_image_of_another_format_under_the_name_of_a_png_is_refused(tmp_path: Path) -> None:
    """Kills JPEG 2000 taken for exact because its name ends in png, and a cut one read as half black."""
    Image.fromarray(LABELS[0]).save(tmp_path / "z0.jp2", quality_layers=[40])
    (tmp_path / "z0.jp2").rename(tmp_path / "z0.png")
    with refused(PermanentError, "z0.png", "JPEG2000"):
        open_source(str(tmp_path))
