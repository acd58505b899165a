"""The parts of a DVID label block are those of the plain twin, and so are the voxels that are read from them.

`tests/dvid/labels/test_block.py` has the bytes of whole blocks, worked by hand and by an encoder of its own.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.label_arrays import label_arrays

from emseg.kernels import block_decoder, block_encoder
from emseg.kernels.plain import block_decoder as plain_decoder
from emseg.kernels.plain import block_encoder as plain_encoder
from emseg.kernels.sub_blocks import ROWS

SHAPE = (64, 64, 64)
BLOCKS = st.just(SHAPE)
LARGEST = 2**48 - 1


def rows_of(labels):
    return labels.view(ROWS[labels.dtype])


def assert_same_parts(rows, ids):
    found, expected = block_encoder.encoded_block(rows, ids), plain_encoder.encoded_block(rows, ids)
    for part, its_twin in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, its_twin)
        assert part.dtype == its_twin.dtype


@settings(max_examples=20)
@given(label_arrays(BLOCKS, "u8", LARGEST))
def test_parts_of_a_block_are_those_of_the_twin(labels):
    """Kills labels or values out of order, voxels counted for another label, and bits of a wrong width."""
    assert_same_parts(rows_of(labels), None)


@settings(max_examples=10)
@given(label_arrays(BLOCKS, "u4"), st.integers(0, 2**32))
def test_parts_of_a_block_of_ids_are_those_of_the_twin(labels, seed):
    """Kills labels ranked by their index, and not by their id."""
    distinct, indices = np.unique(labels, return_inverse=True)
    ids = np.random.default_rng(seed).permutation(np.arange(len(distinct), dtype=np.uint64) << np.uint64(37))
    assert_same_parts(rows_of(indices.reshape(SHAPE).astype(np.uint32)), ids)


@pytest.mark.parametrize("number", [1, 2, 63, 64, 65, 511, 512])
def test_each_number_of_labels_in_a_sub_block_is_packed_alike(number):
    """From one label to one for each voxel: kills a switch from comparing to sorting that comes one label late."""
    rng = np.random.default_rng(number)
    labels = rng.permutation(np.resize(rng.integers(0, LARGEST, number, np.uint64), 512)).reshape(8, 8, 8)
    assert_same_parts(rows_of(np.tile(labels, (8, 8, 8))), None)


def test_an_index_without_an_id_is_refused_by_both():
    rows = rows_of(np.full(SHAPE, 3, np.uint32))
    for encode in (block_encoder.encoded_block, plain_encoder.encoded_block):
        with pytest.raises(IndexError):
            encode(rows, np.arange(3, dtype=np.uint64))


def assert_same_voxels(sub_labels, numbers, values):
    found, expected = np.full((2, 64, 64, 8, 8), 7, np.uint64)
    intact = plain_decoder.fill_block(expected, sub_labels, numbers, values)
    assert block_decoder.fill_block(found, sub_labels, numbers, values) == intact
    if intact:
        np.testing.assert_array_equal(found, expected)
    return intact, found.reshape(SHAPE)


@settings(max_examples=20)
@given(label_arrays(BLOCKS, "u8", LARGEST))
def test_voxels_of_a_block_are_those_of_the_twin_and_of_the_labels(labels):
    """Kills a sub-block that is read from the bits of its neighbour."""
    distinct, _, numbers, indices, values = block_encoder.encoded_block(rows_of(labels), None)
    intact, found = assert_same_voxels(distinct[indices], numbers.astype(np.int64), values)
    assert intact
    np.testing.assert_array_equal(found, labels)


@settings(max_examples=20)
@given(st.sampled_from([[0, 1, 2, 4, 16, 256, 512], [0], [1, 2, 3], [257, 1]]), st.integers(0, 2**32))
def test_any_values_are_read_or_refused_as_by_the_twin(numbers, seed):
    """Values that no encoder wrote, sub-blocks of no label. Kills a value that its sub-block has no label for."""
    rng = np.random.default_rng(seed)
    numbers = rng.choice(numbers, 512).astype(np.int64)
    bits = [max(number - 1, 0).bit_length() for number in numbers.tolist()]
    intact, _ = assert_same_voxels(
        rng.integers(0, LARGEST, numbers.sum(), np.uint64), numbers, rng.integers(0, 256, 64 * sum(bits), np.uint8)
    )
    assert intact == (not {3, 257} & set(numbers.tolist()))
