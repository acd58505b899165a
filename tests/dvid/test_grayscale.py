"""Grayscale on the real server: any box read and written, whole blocks kept, extents as set."""

from __future__ import annotations

import numpy as np
import pytest

from emseg.dvid import Grayscale, Labelmap, Node, NotFoundError, grayscale
from emseg.errors import PermanentError
from emseg.geometry import Box

pytestmark = pytest.mark.services

VOXEL_NM = (40.0, 8.5, 8.0)


@pytest.fixture
def gray(node: Node) -> Grayscale:
    image = Grayscale(node, "gray")
    image.create(VOXEL_NM, block_vox=32)
    return image


def _noise(box: Box, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 256, box.shape).astype(np.uint8)


def test_an_instance_knows_its_voxels_and_is_adopted_only_by_its_equal(node: Node, gray: Grayscale) -> None:
    """Kills a turned voxel size, and writing into an instance of another block size."""
    assert gray.info() == grayscale.GrayscaleInfo(None, 32, VOXEL_NM)
    Grayscale(node, "gray").create(VOXEL_NM, block_vox=32)
    for voxel_nm, block_vox in ((VOXEL_NM, 64), ((8.0, 8.0, 40.0), 32)):
        with pytest.raises(PermanentError) as caught:
            Grayscale(node, "gray").create(voxel_nm, block_vox=block_vox)
        assert "32" in caught.value.found
        assert str(VOXEL_NM) in caught.value.found


def test_another_kind_of_instance_is_refused(node: Node, labelmap: Labelmap) -> None:
    with pytest.raises(PermanentError) as caught:
        Grayscale(node, "seg").read(Box.of_shape((1, 1, 1)))
    assert "labelmap" in caught.value.found
    with pytest.raises(NotFoundError):
        Grayscale(node, "nowhere").info()


def test_any_box_is_read_back_as_written(gray: Grayscale) -> None:
    """Kills swapped axes (three different sides) and floor division that fails below zero."""
    box = Box((-5, 3, 40), (29, 50, 101))
    image = _noise(box)
    assert gray.write(box, image) == Box((-32, 0, 32), (32, 64, 128))
    np.testing.assert_array_equal(gray.read(box), image)
    inner = Box((-1, 10, 64), (20, 11, 90))
    np.testing.assert_array_equal(gray.read(inner), image[inner.slices(box.start)])
    around = gray.read(box.grown((2, 2, 2)))
    assert around.sum(dtype=np.int64) == image.sum(dtype=np.int64)
    assert gray.read(Box((0, 0, 0), (0, 5, 5))).shape == (0, 5, 5)


def test_a_voxel_lies_where_the_server_says(gray: Grayscale) -> None:
    """Oracle: one voxel asked for by its x_y_z, written by hand here; kills a client that is wrong both ways."""
    image = np.zeros((32, 32, 32), np.uint8)
    image[1, 2, 3] = 200
    gray.write(Box.of_shape(image.shape), image)
    server, path = gray.node.server, gray.node.path("gray", "raw", "0_1_2", "1_1_1", "3_2_1")
    assert server.get(path) == bytes([200])


def test_neighbours_inside_a_block_are_kept(gray: Grayscale) -> None:
    """Kills padding with zeros over what is stored already."""
    left, right = Box((0, 0, 0), (20, 20, 10)), Box((0, 0, 10), (20, 20, 30))
    first, second = _noise(left, 1), _noise(right, 2)
    gray.write(left, first)
    gray.write(right, second)
    gray.write(right, second)
    np.testing.assert_array_equal(gray.read(Box((0, 0, 0), (20, 20, 30))), np.concatenate([first, second], axis=2))


def test_large_boxes_go_in_several_requests(gray: Grayscale, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills parts put at the wrong voxel or cut inside a block."""
    monkeypatch.setattr(grayscale, "REQUEST_VOXELS", 2 * 32**3)
    box = Box((3, 0, 5), (100, 70, 64))
    image = _noise(box)
    gray.write(box, image)
    np.testing.assert_array_equal(gray.read(box), image)


def test_extents_are_what_was_set(gray: Grayscale) -> None:
    """Kills DVID's inclusive last voxel taken for a half-open one, and extents left at whole blocks."""
    box = Box((1, 2, 3), (30, 31, 40))
    gray.write(box, _noise(box))
    assert gray.info().extents == Box((0, 0, 0), (32, 32, 64))
    gray.set_extents(box)
    assert gray.info().extents == box


@pytest.mark.parametrize("image", [np.zeros((2, 2, 2), np.uint16), np.zeros((2, 2, 3), np.uint8)])
def test_other_arrays_are_refused(gray: Grayscale, image: np.ndarray) -> None:
    with pytest.raises(PermanentError) as caught:
        gray.write(Box.of_shape((2, 2, 2)), image)
    assert f"{image.dtype} of shape {image.shape}" in caught.value.found
