"""Volumes into the real DVID: what is read back, what the server counts, and that doing it twice is doing it once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.measure import block_reduce
from tests.refusals import refused

from emseg.dvid import (
    Grayscale,
    Labelmap,
    Node,
    RoiInstance,
    downsample_labels,
    indexed_labels,
    indices,
    post_mappings,
)
from emseg.dvid.labels.bricks import ForeignBlocksError
from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import (
    bricks,
    gray_pyramid,
    ingest_grayscale,
    ingest_labels,
    ingest_roi,
    label_bricks,
    open_source,
    roi,
)
from emseg.ingest.arrays import ArrayVolume

pytestmark = pytest.mark.services

VOXEL_NM = (8.0, 8.0, 8.0)


def _source(array: np.ndarray) -> ArrayVolume:
    return ArrayVolume(array, "test")


def _labels(shape: tuple[int, int, int] = (70, 140, 100), seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 40, tuple(-(-n // 10) for n in shape)).astype(np.uint32)
    return coarse.repeat(10, 0).repeat(10, 1).repeat(10, 2)[tuple(slice(n) for n in shape)]


def _sizes(node: Node, numbers: list[int]) -> list[int]:
    answer = node.server.get(node.path("seg", "sizes"), body=json.dumps(numbers).encode())
    return list(json.loads(answer))


def test_an_image_is_there_as_saved_with_its_true_extents(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a lost edge brick, an offset in the wrong direction, and extents of whole blocks."""
    monkeypatch.setattr(bricks, "PART_BYTES", 64**3)
    image = np.random.default_rng(0).integers(0, 256, (70, 140, 100)).astype(np.uint8)
    steps: list[tuple[int, int]] = []
    for _ in range(2):
        receipt = ingest_grayscale(
            node, "gray", _source(image), VOXEL_NM, (10, 20, 64), lambda *step: steps.append(step)
        )
    box = Box((10, 20, 64), (80, 160, 164))
    assert receipt.box == box
    assert receipt.bricks > 4
    assert steps == [(done, receipt.bricks) for done in range(1, receipt.bricks + 1)] * 2
    assert Grayscale(node, "gray").info().extents == box
    np.testing.assert_array_equal(Grayscale(node, "gray").read(box), image)


def test_a_second_part_extends_the_volume(node: Node) -> None:
    """Kills extents of the second part alone: no run would ever segment the first."""
    image = np.random.default_rng(0).integers(1, 256, (30, 40, 100)).astype(np.uint8)
    left, right = Box((5, 0, 0), (35, 40, 70)), Box((5, 0, 70), (35, 40, 100))
    for part in (left, right, left):
        source = _source(image[part.slices((5, 0, 0))])
        ingest_grayscale(node, "gray", source, VOXEL_NM, part.start)
    whole = Box((5, 0, 0), (35, 40, 100))
    assert Grayscale(node, "gray").info().extents == whole
    np.testing.assert_array_equal(Grayscale(node, "gray").read(whole), image)


def test_a_try_that_was_killed_leaves_no_larger_extents(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVID's extents grow to whole blocks with a write. Kills extents that keep this growth, and such that lose a part
    that ends where a block ends.
    """
    image = np.random.default_rng(0).integers(1, 256, (30, 40, 64)).astype(np.uint8)
    ingest_grayscale(node, "gray", _source(image), VOXEL_NM, (2, 64, 64))
    with monkeypatch.context() as killed:
        killed.setattr(Grayscale, "set_extents", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            ingest_grayscale(node, "gray", _source(image[:, :, :50]), VOXEL_NM, (2, 64, 128))
    assert Grayscale(node, "gray").info().extents == Box((0, 64, 64), (64, 128, 192))
    ingest_grayscale(node, "gray", _source(image[:, :, :50]), VOXEL_NM, (2, 64, 128))
    assert Grayscale(node, "gray").info().extents == Box((2, 64, 64), (32, 104, 178))


def test_coarser_scales_of_an_image_are_instances_of_their_own(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: scikit-image. Kills scales whose bricks overwrite each other's blocks, and extents of the finest."""
    monkeypatch.setattr(bricks, "PART_BYTES", 64**3)
    monkeypatch.setattr(gray_pyramid, "PART_BYTES", 64**3)
    image = np.random.default_rng(5).integers(0, 256, (140, 300, 268)).astype(np.uint8)
    start = (4, 0, 60)
    for _ in range(2):
        ingest_grayscale(node, "gray", _source(image), VOXEL_NM, start, max_scale=2)
    finer = image
    for scale in (1, 2):
        finer = np.floor(block_reduce(finer, (2, 2, 2), np.mean) + 0.5).astype(np.uint8)
        box = Box.of_shape(finer.shape, tuple(at >> scale for at in start))  # type: ignore[arg-type]
        gray = Grayscale(node, f"gray_{scale}")
        assert gray.info().extents == box
        assert gray.info().voxel_size_nm == tuple(edge * 2**scale for edge in VOXEL_NM)
        np.testing.assert_array_equal(gray.read(box), finer)


def test_an_image_of_another_type_is_refused_with_the_way_out(node: Node) -> None:
    """Kills a silent cast of 16 bits to 8."""
    with refused(PermanentError, "'gray'", "uint16", "uint8"):
        ingest_grayscale(node, "gray", _source(np.zeros((4, 4, 4), np.uint16)), VOXEL_NM)
    assert "gray" not in node.repo().instances


@pytest.mark.parametrize("offset", [(0, 0, 0), (30, 5, 64)])
def test_labels_are_there_at_every_scale_and_counted_once(
    node: Node, monkeypatch: pytest.MonkeyPatch, offset: tuple[int, int, int]
) -> None:
    """Oracle: numpy's counts, the server's sizes after two ingestions. Kills double counting and a shifted scale."""
    monkeypatch.setattr(label_bricks, "PART_BYTES", 8 * 64**3)
    volume = _labels()
    for _ in range(2):
        receipt = ingest_labels(node, "seg", _source(volume), VOXEL_NM, 2, offset)
    labelmap = Labelmap(node, "seg")
    box = Box.of_shape(volume.shape, offset)
    assert (receipt.box, receipt.labels) == (box, 39)
    assert labelmap.info().extents == box
    np.testing.assert_array_equal(labelmap.read(box), volume)
    assert _sizes(node, list(range(1, 40))) == np.bincount(volume.ravel(), minlength=40)[1:].tolist()
    finer = labelmap.read(box.covering((64, 64, 64)))
    for scale in (1, 2):
        finer = downsample_labels(finer)
        start = tuple(v >> scale for v in box.covering((64, 64, 64)).start)
        coarse = labelmap.read(Box.of_shape(finer.shape, start), scale=scale)  # type: ignore[arg-type]
        np.testing.assert_array_equal(coarse, finer)
    table = indices(labelmap, list(range(1, 40)))
    assert int(table.count.sum()) == np.count_nonzero(volume)


def test_another_try_with_other_labels_leaves_no_index_of_the_first(node: Node) -> None:
    """Kills stale indices: a label that is in no voxel any more would still have a size."""
    first = _labels()
    ingest_labels(node, "seg", _source(first), VOXEL_NM)
    ingest_labels(node, "seg", _source(np.where(first > 20, 7, first)), VOXEL_NM)
    np.testing.assert_array_equal(indexed_labels(Labelmap(node, "seg")), np.arange(1, 21))
    assert _sizes(node, [7, 30]) == [np.count_nonzero((first == 7) | (first > 20)), 0]


def test_an_instance_that_holds_something_else_is_refused(node: Node) -> None:
    """Kills mixing two volumes, and overwriting what somebody has proofread."""
    volume = _labels((20, 20, 200))
    ingest_labels(node, "seg", _source(volume), VOXEL_NM)
    with refused(PermanentError, "seg", Box.of_shape((20, 20, 200))):
        ingest_labels(node, "seg", _source(volume), VOXEL_NM, offset=(64, 0, 0))
    emptier = volume.copy()
    emptier[:, :, 64:] = 0
    with refused(ForeignBlocksError, "'seg'", (0, 0, 1)):
        ingest_labels(node, "seg", _source(emptier), VOXEL_NM)
    post_mappings(Labelmap(node, "seg"), {1: np.array([1, 2], np.uint64)})
    with refused(PermanentError, "seg"):
        ingest_labels(node, "seg", _source(volume), VOXEL_NM)


@pytest.mark.parametrize(
    ("volume", "found"),
    [
        (np.full((4, 4, 4), -1, np.int32), -1),
        (np.full((4, 4, 4), 2**48, np.uint64), 2**48),
        (np.zeros((4, 4, 4), np.float32), "float32"),
        (np.ones((4, 4, 4), bool), "bool"),
        (np.full((4, 4, 4), 2**64 - 3, np.uint64), 2**64 - 3),
        (np.zeros((4, 4, 4), np.uint8), "seg"),
    ],
)
def test_what_are_no_labels_are_refused(node: Node, volume: np.ndarray, found: object) -> None:
    with refused(PermanentError, found):
        ingest_labels(node, "seg", _source(volume), VOXEL_NM)


def test_values_that_viewers_alone_see_are_no_labels(node: Node, tmp_path: Path) -> None:
    """Kills ids that were inverted because white is zero in the file."""
    tifffile.imwrite(tmp_path / "v.tif", np.full((4, 20, 20), 7, np.uint8), photometric="miniswhite")
    with refused(PermanentError, "v.tif", "inverted"):
        ingest_labels(node, "seg", open_source(str(tmp_path / "v.tif")), VOXEL_NM)


@pytest.mark.parametrize("dtype", [np.int64, ">u4"])
def test_signed_and_big_endian_labels_are_taken(node: Node, dtype: str) -> None:
    volume = _labels((20, 30, 40)).astype(dtype)
    ingest_labels(node, "seg", _source(volume), VOXEL_NM)
    np.testing.assert_array_equal(Labelmap(node, "seg").read(Box.of_shape((20, 30, 40))), volume)


def test_a_mask_becomes_the_blocks_that_it_touches(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oracle: scikit-image's block maximum. Kills a lost edge block and an offset in voxels taken for blocks."""
    monkeypatch.setattr(roi, "BRICK_VOXELS", 3 * 16**3)
    mask = np.random.default_rng(2).random((40, 50, 70)) > 0.9995
    offset = (5, 12, 32)
    found = ingest_roi(node, "roi", _source(mask.astype(np.uint8)), 16, offset)
    space = np.zeros((48, 64, 112), bool)
    space[5:45, 12:62, 32:102] = mask
    expected = np.argwhere(block_reduce(space, (16, 16, 16), np.max))
    np.testing.assert_array_equal(found.blocks, expected)
    assert RoiInstance(node, "roi").read().digest == found.digest


@pytest.mark.shared_data
def test_a_real_segmentation_is_there_as_in_its_file(node: Node, shared_data: Path) -> None:
    source = open_source(f"{shared_data / 'labels' / 'multicut-256.npz'}:labels")
    receipt = ingest_labels(node, "seg", source, VOXEL_NM)
    volume = source.read(receipt.box)
    numbers, counts = np.unique(volume[volume > 0], return_counts=True)
    assert receipt.labels == len(numbers)
    np.testing.assert_array_equal(Labelmap(node, "seg").read(receipt.box), volume)
    assert _sizes(node, numbers.tolist()) == counts.tolist()
