"""Arrays survive the codec exactly, and no damaged bytes are ever taken for an array."""

import struct
import tracemalloc
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.refusals import refused

from emseg.codec.arrays import decode_array, encode_array
from emseg.errors import IntegrityError, PermanentError

DTYPES = ["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">u2", ">i8", ">f4"]


@st.composite
def arrays(draw):
    """Arrays of 0 to 5 axes, zero lengths among them, transposed, strided, reversed and read-only at will."""
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
    array = draw(hnp.arrays(np.dtype(draw(st.sampled_from(DTYPES))), shape))
    array = array.transpose(draw(st.permutations(range(array.ndim))))
    array = array[tuple(slice(None, None, draw(st.sampled_from([1, 2, -1]))) for _ in shape)] if shape else array
    array.flags.writeable = draw(st.booleans())
    return array


@settings(max_examples=300, deadline=None)
@given(arrays())
def test_any_array_comes_back_equal_and_as_the_readers_own(array):
    """Kills codecs that write the memory order, lose 0-d shapes, or hand out views of the input bytes."""
    before = array.copy()
    decoded = decode_array(encode_array(array))
    np.testing.assert_array_equal(decoded, before)
    np.testing.assert_array_equal(array, before)
    assert decoded.shape == array.shape
    assert decoded.dtype == array.dtype.newbyteorder("<")
    assert decoded.flags.c_contiguous
    assert decoded.flags.writeable
    assert decoded.flags.owndata


@settings(max_examples=100, deadline=None)
@given(arrays())
def test_equal_arrays_give_equal_bytes_whatever_their_order_in_memory(array):
    """Kills encoders that keep strides or byte order: content digests of two runs would differ."""
    fortran = np.asfortranarray(array).astype(array.dtype.newbyteorder(">")).reshape(array.shape)
    assert encode_array(fortran) == encode_array(array)


def test_chunk_borders_are_no_borders_of_the_array():
    """Kills off-by-one chunking: 4 MiB - 1, 4 MiB and 4 MiB + 1 bytes, and an array whose items span the border."""
    random = np.random.default_rng(1)
    for size in ((4 << 20) - 1, 4 << 20, (4 << 20) + 1, 9_000_001):
        array = random.integers(0, 256, size, np.uint8)
        np.testing.assert_array_equal(decode_array(encode_array(array)), array)
    wide = random.integers(0, 2**63, (3, 1000, 700), np.uint64)[:, ::-1, 1:]
    np.testing.assert_array_equal(decode_array(encode_array(wide)), wide)


def test_an_array_over_two_gigabytes_passes():
    """LZ4 itself stops below 2 GiB (0x7E000000 bytes): kills an encoder that hands it the array in one piece."""
    array = np.zeros((2200, 1000, 1000), np.uint8)
    array[::97, 13, 7] = 5
    tracemalloc.start()
    decoded = decode_array(encode_array(array))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes + (48 << 20)
    assert decoded.shape == array.shape
    assert np.array_equal(decoded[:, 13, 7], array[:, 13, 7])
    assert int(decoded.sum(dtype=np.uint64)) == int(array.sum(dtype=np.uint64))


def test_the_stored_form_is_the_documented_one():
    """Pins the layout by hand, so that a release that changes it must change the layout byte."""
    data = encode_array(np.array([[1, 2, 3]], np.uint16))
    assert data[:4] == b"EMSA"
    assert struct.unpack_from("<BBBBIIQQII", data, 4)[:8] == (0, 2, 2, 0, 4 << 20, 1, 1, 3)
    size, checksum = struct.unpack_from("<II", data, 32)
    assert checksum == crc32(b"\x01\x00\x02\x00\x03\x00")
    assert struct.unpack_from("<I", data, 40)[0] == crc32(data[:40])
    assert len(data) == 44 + size


@pytest.mark.parametrize("bad", [np.array([b"text"]), np.array([object()]), np.zeros(3, complex), np.zeros((1,) * 6)])
def test_other_dtypes_and_too_many_axes_are_refused(bad):
    """Kills an encoder with a back door for objects, which only pickle could bring back."""
    with refused(PermanentError, f"{bad.dtype} {bad.shape}"):
        encode_array(bad)


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """One fault: a flipped bit, a cut, a lost or doubled stretch, or zeros, anywhere."""
    at, length = int(random.integers(len(data))), int(random.integers(1, 40))
    flipped = bytearray(data)
    flipped[at] ^= 1 << int(random.integers(8))
    return [
        bytes(flipped),
        data[:at],
        data[:at] + data[at + length :],
        data[: at + length] + data[at:],
        data[:at] + bytes(length) + data[at + length :],
    ][int(random.integers(5))]


def test_five_hundred_faults_are_all_detected():
    """Kills a codec without checksums over header or chunks: a fault is an IntegrityError or harmless."""
    random = np.random.default_rng(7)
    labels = np.repeat(random.integers(0, 2**40, 700, np.uint64), 30).reshape(30, 700)
    for array in (labels, random.integers(0, 256, (11, 12, 13), np.uint8)):
        data = encode_array(array)
        detected = 0
        for _ in range(250):
            bad = damaged(data, random)
            try:
                decoded = decode_array(bad)
            except IntegrityError:
                detected += 1
            else:
                np.testing.assert_array_equal(decoded, array)
        assert detected > 240


def test_every_flipped_bit_of_a_header_is_refused():
    """Kills a header without a checksum: int8 read for uint8, or another shape of as many voxels, is no LZ4 error."""
    data = encode_array(np.arange(64, dtype=np.uint8).reshape(8, 8))
    header = 4 + 4 + 8 + 2 * 8 + 8 + 4
    for at in range(header):
        for bit in range(8):
            bad = bytearray(data)
            bad[at] ^= 1 << bit
            with pytest.raises(IntegrityError):
                decode_array(bytes(bad))


def test_the_header_of_one_array_on_the_body_of_another_is_refused():
    """Kills checks of the header alone: both parts are whole, they only do not belong together."""
    first, second = np.full((8, 8), 3, np.uint8), np.full((8, 8), 4, np.uint8)
    a, b = encode_array(first), encode_array(second)
    assert len(a) == len(b)
    with refused(IntegrityError, "chunk 0", "checksum"):
        decode_array(a[:44] + b[44:])


def forged(shape: tuple[int, ...], chunks: int) -> bytes:
    """A header with right checksums that claims `shape` of uint64 in `chunks` chunks of one byte each."""
    head = struct.pack("<4sBBBBII", b"EMSA", 0, 4, len(shape), 0, 4 << 20, chunks)
    head += struct.pack(f"<{len(shape)}Q{2 * chunks}I", *shape, *([1, 0] * chunks))
    return head + struct.pack("<I", crc32(head)) + bytes(chunks)


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((1 << 20, 1 << 10), 2048),  # 8 GiB claimed by 18 kB: within the cap, beyond what LZ4 can do
        ((1 << 62, 1 << 62), 1),
        ((0, 1 << 62), 0),
        ((1000,), 2),
        ((), 0),
    ],
)
def test_a_forged_header_is_refused_before_memory_is_taken(shape, chunks):
    """Kills decoders that allocate what the header claims (a decompression bomb)."""
    tracemalloc.start()
    with pytest.raises(IntegrityError):
        decode_array(forged(shape, chunks))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
