"""Eight voxels at once do what NumPy does with them, for every integer dtype."""

import numpy as np
import pytest
from numba import njit

from emseg.lanes import LOWEST, blend, ones, unequal, unlike

DTYPES = ["u1", "u2", "u4", "u8", "i4", "i8"]


@njit
def differing(array, one, other):
    return unequal(array, one, other)


@njit
def blended(array, to, zero, one, bits):
    blend(array, to, zero, one, bits)


@njit
def unlike_label(rows, z, y, x, label):
    return unlike(rows, z, y, x, label)


@njit
def ones_of(word):
    return ones(word)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_are_those_of_numpys_comparison(dtype):
    """Kills a comparison of half a voxel, and bits in the wrong order."""
    array = np.random.default_rng(1).integers(0, 2, 200).astype(dtype) * np.iinfo(dtype).max
    for one, other in [(0, 8), (3, 100), (191, 192), (50, 50)]:
        expected = np.packbits(array[one : one + 8] != array[other : other + 8], bitorder="little")[0]
        assert differing(array, np.uint64(one), np.uint64(other)) == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bits", [0, 1, 128, 0b01100101, 255])
def test_voxels_are_taken_from_where_their_bit_says_also_where_places_overlap(dtype, bits):
    """Kills sources read after the first voxel is written."""
    array = np.random.default_rng(2).integers(0, np.iinfo(dtype).max, 60, dtype)
    flags = np.unpackbits(np.array([bits], np.uint8), bitorder="little").astype(bool)
    expected = array.copy()
    expected[20:28] = np.where(flags, array[17:25], array[30:38])
    blended(array, np.uint64(20), np.uint64(30), np.uint64(17), np.uint64(bits))
    np.testing.assert_array_equal(array, expected)


def test_the_lowest_bit_is_found():
    assert [int(LOWEST[bits]) for bits in (1, 2, 3, 128, 96)] == [0, 1, 0, 7, 5]


def test_set_bits_are_counted():
    assert [ones_of(np.uint64(word)) for word in (0, 1, 2**63, 2**64 - 1, 0xF0F)] == [0, 1, 1, 64, 8]


@pytest.mark.parametrize("strides", [(1, 1), (2, 3), (-1, 2)])
@pytest.mark.parametrize(("dtype", "label"), [(np.uint64, 2**63 + 5), (np.uint32, 2**31 + 5)])
def test_eight_rows_are_compared_with_a_label_wherever_they_lie(dtype, label, strides):
    """Kills rows taken from where they would lie in contiguous memory, rows out of order, a label cut to 32 bits."""
    labels = np.random.default_rng(3).choice(np.array([5, label], dtype), (6, 40, 40))
    labels = labels[:: strides[0], :: strides[1], 8:]
    rows = labels.view(np.dtype([("voxels", dtype, (8,))]))
    for z, y, x in np.ndindex(rows.shape[0], rows.shape[1] - 7, rows.shape[2]):
        others = labels[z, y : y + 8, 8 * x : 8 * x + 8] != label
        expected = np.packbits(others, bitorder="little").view("<u8")[0]
        assert unlike_label(rows, z, y, x, np.uint64(label)) == expected
