"""Labels survive their layout exactly, whatever they look like, and it is as small and as fast as it is meant to be."""

import struct
import tracemalloc
from zlib import crc32

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.refusals import refused

from emseg.codec import decode_array, encode_array, encode_labels
from emseg.codec.label_chunks import neighbours
from emseg.errors import PermanentError
from emseg.synthetic import make_volume

CHUNK_VOXELS = 4 << 20


@st.composite
def label_arrays(draw):
    """Noise, bodies and stripes of few to all-different ids, small or up to the largest of the dtype, in any order."""
    dtype = np.dtype(draw(st.sampled_from(["u1", "u2", "u4", "u8", ">u4", ">u8"])))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=draw(st.sampled_from([3, 7, 9, 20]))))
    top = min(np.iinfo(dtype).max, draw(st.sampled_from([0, 1, 200, 2**64 - 1])))
    palette = rng.integers(0, top, draw(st.sampled_from([1, 2, 3, 50, 4000])), np.uint64, endpoint=True)
    grain = draw(st.lists(st.sampled_from([1, 2, 5, 16]), min_size=len(shape), max_size=len(shape)))
    coarse = palette[rng.integers(0, len(palette), [-(-n // g) for n, g in zip(shape, grain, strict=True)])]
    for axis, times in enumerate(grain):
        coarse = coarse.repeat(times, axis)
    labels = np.asarray(coarse[tuple(slice(n) for n in shape)]).astype(dtype)
    labels = labels.transpose(draw(st.permutations(range(labels.ndim))))
    labels = labels[tuple(slice(None, None, draw(st.sampled_from([1, 2, -1]))) for _ in shape)] if shape else labels
    labels.flags.writeable = draw(st.booleans())
    return labels


@settings(max_examples=250)
@given(label_arrays())
def test_any_labels_come_back_equal_and_as_the_readers_own(labels):
    """Kills a wrong first section, row or voxel, groups cut by the end of a part, ids through int64 or float64."""
    before = labels.copy()
    decoded = decode_array(encode_labels(labels))
    np.testing.assert_array_equal(decoded, before)
    np.testing.assert_array_equal(labels, before)
    assert decoded.shape == labels.shape
    assert decoded.dtype == labels.dtype.newbyteorder("<")
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable
    assert decoded.flags.owndata


@settings(max_examples=100)
@given(label_arrays())
def test_equal_labels_give_equal_bytes_whatever_their_order_in_memory(labels):
    """Kills encoders that read uninitialised room, or keep strides or byte order."""
    encoded = encode_labels(labels)
    fortran = np.asfortranarray(labels).astype(labels.dtype.newbyteorder(">")).reshape(labels.shape)
    assert encode_labels(fortran) == encoded == encode_labels(labels)


@pytest.mark.parametrize("extra", [-1, 0, 1, 5000])
def test_chunk_borders_are_no_borders_of_the_array(extra):
    """Kills chunks that look back across their beginning, or a last chunk taken for a full one."""
    line = np.repeat(np.random.default_rng(2).integers(0, 2**64, 60_000, np.uint64), 100)[: CHUNK_VOXELS + extra]
    np.testing.assert_array_equal(decode_array(encode_labels(line)), line)
    rows = line[: len(line) // 4096 * 4096].reshape(-1, 64, 64)
    np.testing.assert_array_equal(decode_array(encode_labels(rows)), rows)


@pytest.mark.parametrize("ids", [2, 20, 2**64 - 1])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint64])
def test_noise_grows_by_no_more_than_a_percent(ids, dtype):
    """Kills a codec without a way out: each voxel of noise as an exception would cost more than its label."""
    top = min(ids, np.iinfo(dtype).max)
    noise = np.random.default_rng(4).integers(0, top, (80, 90, 100), dtype, endpoint=True)
    encoded = encode_labels(noise)
    np.testing.assert_array_equal(decode_array(encoded), noise)
    assert len(encoded) < 1.01 * noise.nbytes
    assert len(encoded) < 1.3 * len(encode_array(noise))


def test_the_stored_form_is_the_documented_one():
    """Pins the layout by hand: one label is a gap of 0 groups, two bytes of no choices, and the label itself."""
    data = encode_labels(np.array([[7]], np.uint16))
    assert data[:4] == b"EMSA"
    assert struct.unpack_from("<BBBBIIQQ", data, 4) == (1, 2, 2, 0, 2 * CHUNK_VOXELS, 1, 1, 1)
    size, checksum = struct.unpack_from("<II", data, 32)
    assert struct.unpack_from("<I", data, 40)[0] == crc32(data[:40])
    assert len(data) == 44 + size
    assert checksum == crc32(data[44:])
    assert struct.unpack_from("<B5I", data, 44) == (2, 1, 0, 2, 0, 2)


def test_choices_are_said_where_they_are_not_expected():
    """Worked by hand: two sections of two rows.

    The first row of section 1 chooses between 1s (the section before) and 2s (the row before). At its first voxel the
    2s do not go on from the left, so 1 is expected, and after each choice the same again: bit 3 alone is set. In its
    last row three voxels choose what is expected: three more bits.
    """
    labels = np.array([[[1] * 8, [2] * 8], [[1] * 3 + [2] * 5, [2] * 8]], np.uint64)
    chunk = encode_labels(labels)[52:]
    *sizes, _ = struct.unpack_from("<5I", chunk, 1)
    stored = struct.unpack_from("<5I", chunk, 21)
    at = 41 + sum(stored[:2])
    assert zstandard.decompress(chunk[at : at + stored[2]]) == b"\x08\0\0\0"
    assert sizes == [2, 1, 4, 8]  # 1 group before that with all exceptions and 2 after it
    np.testing.assert_array_equal(decode_array(encode_labels(labels)), labels)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((125, 250, 300), (300, 75_000)),
        ((9, 5, 4), (20, 20)),
        ((5, 1, 64, 1), (64, 64)),
        ((2, 3, 10, 20), (20, 200)),
        ((1000,), (1, 1)),
        ((), (1, 1)),
        ((1000, 1), (1, 1)),
        ((4, 0, 8), (8, 8)),
    ],
)
def test_neighbours_are_those_of_the_two_last_axes_that_are_long_enough(shape, expected):
    """Kills a group of eight voxels that overlaps the row it is copied from."""
    assert neighbours(shape) == expected


@pytest.mark.parametrize("bad", [np.zeros(3, np.int64), np.zeros(3, bool), np.zeros(3), np.zeros((1,) * 6, np.uint8)])
def test_what_is_no_label_is_refused(bad):
    """Kills a silent cast: a signed -1 would become the largest id."""
    with refused(PermanentError, f"{bad.dtype} {bad.shape}"):
        encode_labels(bad)


def test_labels_are_a_third_of_what_the_general_layout_makes_of_them():
    """Kills a guess from one neighbour alone; the measured figures on real tissue are those of the benchmark."""
    labels = make_volume((64, 128, 128), 5).groundtruth.astype(np.uint64)
    assert 3 * len(encode_labels(labels)) < len(encode_array(labels))


def test_labels_over_two_gigabytes_pass_in_bounded_memory():
    """Kills 32-bit indices and a copy of the whole: beside the arrays there is room for a chunk or two."""
    labels = np.zeros((300, 1000, 1000), np.uint64)
    labels[::7, 100:200, 300:700] = 2**63 + 5
    labels[250:, 500, ::3] = 9
    assert labels.nbytes > 2 << 30
    tracemalloc.start()
    encoded = encode_labels(labels)
    encoding = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    decoded = decode_array(encoded)
    decoding = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(decoded, labels)
    assert encoding < 32 << 20
    assert decoding < labels.nbytes + (36 << 20)
