"""The label block: bytes worked by hand, every block back from its bytes, and no harm from damaged ones."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.dvid.labels.block import MAX_BYTES, decode_block, encode_block, pack_block, unpack_block
from emseg.errors import IntegrityError, PermanentError

Labels = npt.NDArray[np.uint64]
SHAPE = (64, 64, 64)


@st.composite
def label_blocks(draw: st.DrawFn) -> Labels:
    """From solid to a different label in every voxel, smooth or scattered, with ids up to 2^64 - 1."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    palette = rng.integers(0, draw(st.sampled_from([2, 300, 2**48, 2**64 - 1])), 8**3 * 512, np.uint64, endpoint=True)
    number = draw(st.sampled_from([1, 2, 3, 4, 5, 17, 256, 257, 511, 512, 4000, 64**3]))
    grain = draw(st.sampled_from([1, 2, 8, 64]))
    coarse = palette[rng.integers(0, number, (64 // grain,) * 3)]
    return np.ascontiguousarray(coarse.repeat(grain, 0).repeat(grain, 1).repeat(grain, 2))


def plainly_encoded(labels: Labels) -> bytes:
    """The bytes as the module tells them, one sub-block after the other, and its values as a text of 0s and 1s."""
    names = np.unique(labels)
    head = struct.pack(f"<4I{len(names)}Q", 8, 8, 8, len(names), *names.tolist())
    if len(names) == 1:
        return head
    numbers, indices, values = b"", b"", b""
    for z, y, x in np.ndindex(8, 8, 8):
        sub_block = labels[8 * z : 8 * z + 8, 8 * y : 8 * y + 8, 8 * x : 8 * x + 8].ravel()
        its_names, its_values = np.unique(sub_block, return_inverse=True)
        bits = (len(its_names) - 1).bit_length()
        numbers += struct.pack("<H", len(its_names))
        indices += np.searchsorted(names, its_names).astype("<u4").tobytes()
        text = "".join(f"{value:0{bits}b}" for value in its_values.tolist()) if bits else ""
        values += int(text or "0", 2).to_bytes(64 * bits, "big")
    return head + numbers + indices + values


def cells(numbers: Sequence[int], sort: bool) -> Labels:
    """A block whose 512 sub-blocks have, over and over, these numbers of labels from 0 to 2^64 - 1, each in some voxel.

    Sorted along one axis after the other they lie in runs: whole rows of eight are equal, or equal the row before.
    """
    rng = np.random.default_rng(3)
    labels = np.empty(SHAPE, np.uint64)
    for at, corner in enumerate(np.ndindex(8, 8, 8)):
        palette = rng.integers(0, 2**64 - 1, 512, np.uint64, endpoint=True)[: numbers[at % len(numbers)]]
        palette[0] = (0, 7, 2**64 - 1)[at % 3]
        voxels = np.resize(palette, 512)
        rng.shuffle(voxels)
        part = tuple(slice(8 * i, 8 * i + 8) for i in corner)
        labels[part] = np.sort(voxels.reshape(8, 8, 8), axis=at % 3) if sort else voxels.reshape(8, 8, 8)
    return labels


@pytest.mark.parametrize("sort", [True, False])
@pytest.mark.parametrize("numbers", [(1, 2), (1, 3, 2, 4), (5, 8, 9, 16, 17), (32, 33, 63, 64, 65), (1, 256, 257, 512)])
def test_bytes_are_those_of_a_plain_encoder(numbers: tuple[int, ...], sort: bool) -> None:
    """Every width of values, many labels and few, in every order of first occurrence. Kills values not ranked anew,
    a row taken for uniform, and a sub-block that hands its bits to the next."""
    labels = cells(numbers, sort)
    assert encode_block(labels).data == plainly_encoded(labels)
    assert_counted(labels)


@given(label_blocks())
@settings(max_examples=10, deadline=None)
def test_bytes_of_any_block_are_those_of_a_plain_encoder(labels: Labels) -> None:
    assert encode_block(labels).data == plainly_encoded(labels)
    assert_counted(labels)


def assert_counted(labels: Labels) -> None:
    """Kills voxels of a label that are lost past a few in a sub-block, or given to its neighbour in rank."""
    encoded, (names, voxels) = encode_block(labels), np.unique(labels, return_counts=True)
    np.testing.assert_array_equal(encoded.labels, names)
    np.testing.assert_array_equal(encoded.voxels, voxels)
    assert (encoded.labels.dtype, encoded.voxels.dtype) == (np.uint64, np.uint32)


@given(label_blocks(), st.integers(0, 2**32))
@settings(max_examples=10, deadline=None)
def test_indices_in_a_list_of_ids_make_the_block_of_the_ids(labels: Labels, seed: int) -> None:
    """Ids in any order: kills labels ranked by index, a label cut to 32 bits, rows as far apart as uint64 ones."""
    names, indices = np.unique(labels, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    ids, local = names[order], np.argsort(order)[indices].reshape(SHAPE).astype(np.uint32)
    scattered = np.zeros((66, 70, 131), np.uint32)
    scattered[1:65, 3:67, 66:130] = local
    whole = encode_block(labels)
    for voxels in (local, scattered[1:65, 3:67, 66:130], np.asfortranarray(local)):
        encoded = encode_block(voxels, ids)
        assert encoded.data == whole.data
        np.testing.assert_array_equal(encoded.voxels, whole.voxels)


@pytest.mark.parametrize("number", [1, 2, 100])
def test_an_index_without_an_id_is_refused(number: int) -> None:
    """In sub-blocks of one label, few and many: kills reading past the end of the ids."""
    local = np.arange(64**3, dtype=np.uint32).reshape(SHAPE) % np.uint32(number)
    encode_block(local, np.arange(number, dtype=np.uint64))
    with refused(IntegrityError, f"{number - 1} for {number - 1} ids"):
        encode_block(local, np.arange(number - 1, dtype=np.uint64))


def test_one_voxel_anywhere_in_a_row_is_not_overlooked() -> None:
    """Kills a comparison of seven voxels, or of half of the bits of a label."""
    labels = np.full(SHAPE, 5, np.uint64)
    z, y, x = np.indices(SHAPE)
    labels[(z % 8 * 8 + y % 8 == z // 8 * 8 + y // 8) & (x % 8 == x // 8)] = 5 + 2**63
    assert encode_block(labels).data == plainly_encoded(labels)


def test_wherever_a_block_lies_in_memory_its_bytes_are_the_same() -> None:
    """Part of a larger array, reversed, repeated by a stride of 0, read-only, off the alignment of its voxels."""
    large = np.random.default_rng(4).integers(0, 3, (70, 80, 130)).astype(np.uint64)
    unaligned = np.frombuffer(b"123" + large[:64, :64, :64].tobytes(), np.uint64, 64**3, 3).reshape(SHAPE)
    for block in (
        large[3:67, 9:73, 61:125],
        large[63::-1, 63::-1, 5:69],
        large[:64, :64, 63::-1],
        large[:64, :64, :128:2],
        np.broadcast_to(large[0, 0, :64], SHAPE),
        unaligned,
    ):
        assert encode_block(block).data == encode_block(np.array(block, order="C")).data


def test_a_solid_block_is_24_bytes() -> None:
    assert encode_block(np.full(SHAPE, 2**63 + 1, np.uint64)).data == struct.pack("<4IQ", 8, 8, 8, 1, 2**63 + 1)


def test_two_labels_take_one_bit_a_voxel() -> None:
    """The worked example of the module; kills least-significant-bit-first packing and unsorted labels."""
    labels = np.full(SHAPE, 5, np.uint64)
    labels[0, 0, 1] = 9
    numbers = np.array([2] + [1] * 511, "<u2").tobytes()
    indices = np.array([0, 1] + [0] * 511, "<u4").tobytes()
    golden = struct.pack("<4I2Q", 8, 8, 8, 2, 5, 9) + numbers + indices + b"\x40" + bytes(63)
    assert encode_block(labels).data == golden


def test_three_labels_take_two_bits_a_voxel_in_the_last_sub_block() -> None:
    """Kills a swapped axis (x must be fastest, z slowest) and bits counted as the number of labels minus one."""
    labels = np.full(SHAPE, 7, np.uint64)
    labels[56, 56, 57] = 3  # second voxel along x of the last sub-block
    labels[56, 57, 56] = 9  # first of its second row: voxel 8
    numbers = np.array([1] * 511 + [3], "<u2").tobytes()
    indices = np.array([1] * 511 + [0, 1, 2], "<u4").tobytes()
    # values: voxel 0 is 1 (label 7), voxel 1 is 0 (label 3), others 1: 01 00 01 01 | 01 01 01 01 | voxel 8: 10 01 01 01
    values = bytes([0b01000101, 0b01010101, 0b10010101]) + bytes([0b01010101]) * 125
    assert encode_block(labels).data == struct.pack("<4I3Q", 8, 8, 8, 3, 3, 7, 9) + numbers + indices + values


@pytest.mark.parametrize("number", [1, 2, 300])
def test_a_block_is_written_to_where_it_belongs_and_nowhere_else(number: int) -> None:
    """Kills rows of a block that lie elsewhere than those of the array around it, and a copy that is thrown away."""
    labels = np.random.default_rng(number).integers(0, number, SHAPE, np.uint64) + np.uint64(7)
    around = np.zeros((70, 80, 200), np.uint64)
    inside = around[3:67, 10:74, 100:164]
    assert decode_block(encode_block(labels).data, inside) is inside
    np.testing.assert_array_equal(inside, labels)
    assert np.count_nonzero(around) == labels.size
    scattered = np.zeros((64, 64, 128), np.uint64)[:, :, ::2]
    np.testing.assert_array_equal(decode_block(encode_block(labels).data, scattered), labels)


def test_an_empty_sub_block_and_repeated_labels_are_understood() -> None:
    """What DVID writes after merges, though we never do: a number 0 means label 0, and a label may be listed twice."""
    numbers = np.array([0, 2] + [1] * 510, "<u2").tobytes()
    indices = np.array([0, 1] + [1] * 510, "<u4").tobytes()
    block = struct.pack("<4I2Q", 8, 8, 8, 2, 6, 6) + numbers + indices + b"\xaa" * 64
    expected = np.full(SHAPE, 6, np.uint64)
    expected[:8, :8, :8] = 0
    np.testing.assert_array_equal(decode_block(block), expected)


@given(label_blocks())
@settings(max_examples=40, deadline=None)
def test_every_block_comes_back_and_its_bytes_are_always_the_same(labels: Labels) -> None:
    packed = pack_block(labels)
    np.testing.assert_array_equal(unpack_block(packed), labels)
    assert pack_block(np.asfortranarray(labels)) == packed
    assert len(encode_block(labels).data) <= MAX_BYTES


def test_the_largest_block_reaches_the_limit_exactly() -> None:
    """Kills a limit below what a legal block may need."""
    everywhere_new = np.arange(64**3, dtype=np.uint64).reshape(SHAPE)
    assert len(encode_block(everywhere_new).data) == MAX_BYTES
    np.testing.assert_array_equal(unpack_block(pack_block(everywhere_new)), everywhere_new)


@pytest.mark.parametrize(
    "labels", [np.zeros((32, 32, 32), np.uint64), np.zeros((64, 64, 32), np.uint64), np.zeros(SHAPE, np.int64)]
)
def test_a_block_that_would_kill_the_server_is_refused(labels: Labels) -> None:
    """A too-small block is taken by DVID with 200, and the next read over it ends the process."""
    with refused(PermanentError, labels.dtype, labels.shape, SHAPE):
        encode_block(labels)
    with refused(PermanentError, labels.dtype, labels.shape, SHAPE):
        encode_block(labels, np.arange(9, dtype=np.uint64))


def _some_block() -> bytes:
    rng = np.random.default_rng(5)
    return encode_block(
        rng.integers(0, 9, (8, 8, 8)).astype(np.uint64).repeat(8, 0).repeat(8, 1).repeat(4, 2).repeat(2, 2)
    ).data


@given(st.integers(0, 10**6), st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_is_refused_or_read_never_worse(at: int, value: int) -> None:
    """Kills an unchecked index in compiled code, which would read foreign memory or end the process."""
    labels = np.zeros(SHAPE, np.uint64)
    labels[::3, ::5, ::2] = 7
    labels[1::3] = 8
    data = bytearray(encode_block(labels).data)
    data[at % len(data)] = value
    try:
        assert decode_block(bytes(data)).shape == SHAPE
    except IntegrityError:
        assert bytes(data) != encode_block(labels).data


@pytest.mark.parametrize("keep", [0, 1, 16, 23, 24, 40, 100, 1100, 2000, -1])
def test_a_cut_block_is_refused(keep: int) -> None:
    data = _some_block()
    with pytest.raises(IntegrityError):
        decode_block(data[:keep])
    with pytest.raises(IntegrityError):
        unpack_block(gzip.compress(data, 0)[:keep])


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<4IQ", 4, 4, 4, 1, 5),
        struct.pack("<4IQ", 8, 8, 8, 0, 5),
        struct.pack("<4IQ", 8, 8, 8, 2**32 - 1, 5),
        struct.pack("<4IQ", 8, 8, 8, 1, 5) + b"\0",
        struct.pack("<4I2Q", 8, 8, 8, 2, 5, 6) + b"\xff" * 1024,
        struct.pack("<4I2Q", 8, 8, 8, 2, 5, 6) + np.ones(512, "<u2").tobytes() + np.full(512, 2, "<u4").tobytes(),
        b"garbage" * 10,
    ],
)
def test_sizes_and_indices_that_lie_are_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        decode_block(data)


def test_a_value_beyond_its_sub_blocks_labels_is_refused() -> None:
    numbers = np.array([3] + [1] * 511, "<u2").tobytes()
    indices = np.array([0, 1, 2] + [0] * 511, "<u4").tobytes()
    head = struct.pack("<4I3Q", 8, 8, 8, 3, 5, 6, 7) + numbers + indices
    assert decode_block(head + b"\xaa" * 128)[0, 0, 0] == 7
    with refused(IntegrityError, "sub-block"):
        decode_block(head + b"\xaa" * 127 + b"\xab")


def test_a_decompression_bomb_is_refused_before_it_unfolds() -> None:
    """Kills gzip.decompress without a limit: 300 kB would become 300 MB."""
    bomb = gzip.compress(bytes(300 << 20), 1)
    with refused(IntegrityError, "gzip"):
        unpack_block(bomb)
    with pytest.raises(IntegrityError):
        unpack_block(pack_block(np.ones(SHAPE, np.uint64)) + b"more")
    with refused(IntegrityError, "gzip"):
        unpack_block(b"some other bytes")
