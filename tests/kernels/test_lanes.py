"""Eight voxels at once do what the plain twin does with them, for every integer dtype."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from emseg.kernels import lanes
from emseg.kernels.plain import lanes as plain
from emseg.kernels.sub_blocks import ROWS

DTYPES = ["u1", "u2", "u4", "u8", "i4", "i8"]
WORDS = st.integers(0, 2**64 - 1)


@njit
def unequal(array, one, other):
    return lanes.unequal(array, one, other)


@njit
def blend(array, to, zero, one, bits):
    lanes.blend(array, to, zero, one, bits)


@njit
def unlike(rows, z, y, x, label):
    lanes.prefetch(rows, z, y, x)
    return lanes.unlike(rows, z, y, x, label)


@njit
def ones(word):
    return lanes.ones(word)


@njit
def mirrored(word):
    return lanes.mirrored(word)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=30)
@given(one=st.integers(0, 192), other=st.integers(0, 192))
def test_voxels_are_compared_as_by_the_twin(dtype, one, other):
    """Kills a comparison of half a voxel, and bits in the wrong order."""
    array = np.random.default_rng(1).integers(0, 2, 200).astype(dtype) * np.iinfo(dtype).max
    assert unequal(array, np.uint64(one), np.uint64(other)) == plain.unequal(array, one, other)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=30)
@given(to=st.integers(0, 52), zero=st.integers(0, 52), one=st.integers(0, 52), bits=st.integers(0, 255))
def test_voxels_are_blended_as_by_the_twin_also_where_they_overlap(dtype, to, zero, one, bits):
    """Kills sources read after the first voxel is written."""
    array = np.random.default_rng(2).integers(0, np.iinfo(dtype).max, 60, dtype)
    expected = array.copy()
    plain.blend(expected, to, zero, one, bits)
    blend(array, np.uint64(to), np.uint64(zero), np.uint64(one), np.uint64(bits))
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("strides", [(1, 1), (2, 3), (-1, 2)])
@pytest.mark.parametrize(("dtype", "label"), [(np.uint64, 2**63 + 5), (np.uint32, 2**31 + 5)])
def test_eight_rows_are_compared_with_a_label_wherever_they_lie(dtype, label, strides):
    """Kills rows taken from where they would lie in contiguous memory, rows out of order, a label cut to 32 bits."""
    labels = np.random.default_rng(3).choice(np.array([5, label], dtype), (6, 40, 40))
    rows = labels[:: strides[0], :: strides[1], 8:].view(ROWS[labels.dtype])
    for z, y, x in np.ndindex(rows.shape[0], rows.shape[1] - 7, rows.shape[2]):
        assert unlike(rows, z, y, x, np.uint64(label)) == plain.unlike(rows, z, y, x, label)


@given(WORDS)
def test_bits_are_counted_and_mirrored_as_by_the_twin(word):
    """Kills a mirror of the whole word, which also reverses the bytes, and one of each byte's halves."""
    assert ones(np.uint64(word)) == plain.ones(word)
    assert mirrored(np.uint64(word)) == plain.mirrored(word)


def test_words_worked_by_hand():
    assert [ones(np.uint64(word)) for word in (0, 1, 2**63, 2**64 - 1, 0xF0F)] == [0, 1, 1, 64, 8]
    assert mirrored(np.uint64(0x01_00_03_00_00_00_00_80)) == 0x80_00_C0_00_00_00_00_01


def test_the_tables_of_a_byte_are_those_of_its_bits():
    text = [f"{byte:08b}" for byte in range(256)]
    assert lanes.COUNT.tolist() == [each.count("1") for each in text]
    assert lanes.LOWEST[1:].tolist() == [each[::-1].index("1") for each in text[1:]]
