"""The streams of the label codec are those of the plain twin, and any streams are read or refused as by the twin.

`tests/codec/test_labels.py` has whole arrays, and streams that were worked by hand.
"""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.kernels.label_arrays import label_arrays

from emseg.kernels import label_streams
from emseg.kernels.plain import label_streams as plain
from emseg.kernels.stream_format import LISTED, capacities, layout

BACK = st.sampled_from([(1, 1), (8, 8), (8, 16), (9, 27), (20, 20), (13, 65), (40, 400)])
"""How far back the row before and the section before lie."""


@st.composite
def chunks(draw):
    """A line of labels of rows and sections, cut anywhere, and its layout."""
    row, section = draw(BACK)
    shape = draw(st.integers(1, 4)), section // row, row
    labels = draw(label_arrays(st.just(shape), draw(st.sampled_from(["u1", "u2", "u4", "u8"])))).ravel()
    labels = labels[: draw(st.integers(1, labels.size))]
    return labels, layout(labels.size, row, section)


def streams_of(module, voxels, where, listed):
    """The streams, joined, where each begins, and the labels; None where they do not fit."""
    starts = np.concatenate([[0], np.cumsum(capacities(voxels.size))]).astype(np.uint64)
    streams, labels = np.full(int(starts[-1]), 77, np.uint8), np.zeros(listed, voxels.dtype)
    lengths = module.to_streams(voxels, *where, streams, starts, labels)
    if lengths[LISTED] == 0:
        assert not any(lengths)
        return None
    parts = [streams[at : at + size].tobytes() for at, size in zip(starts[:-1].tolist(), lengths[:-1], strict=True)]
    return parts, labels[: lengths[LISTED]].tolist()


def read(module, parts, labels, where, like):
    """The voxels that these streams say; None if they are refused."""
    voxels = np.full_like(like, 3)
    starts = np.cumsum([0, *map(len, parts)]).astype(np.uint64)
    streams, labels = np.frombuffer(b"".join(parts), np.uint8), np.frombuffer(np.array(labels, like.dtype), like.dtype)
    return voxels.tolist() if module.from_streams(voxels, *where, streams, starts, labels) else None


@settings(max_examples=150)
@given(chunks(), st.integers(2, 400))
def test_streams_are_those_of_the_twin_and_read_back(chunk, listed):
    """Kills an expectation taken from the group before, and a code of a later neighbour.

    Labels must not be refused earlier or later, either: the chunk would be stored in another form.
    """
    voxels, where = chunk
    found = streams_of(label_streams, voxels, where, listed)
    assert found == streams_of(plain, voxels, where, listed)
    if found:
        for module in (label_streams, plain):
            assert read(module, *found, where, voxels) == voxels.tolist()


@settings(max_examples=200)
@given(chunks(), st.data())
def test_any_streams_are_read_or_refused_as_by_the_twin(chunk, data):
    """One byte changed, lost or added, or a label. Kills what is checked less than the twin does, or more."""
    voxels, where = chunk
    streams = streams_of(label_streams, voxels, where, voxels.size + 10)
    if streams is None:
        return
    parts, labels = [bytearray(part) for part in streams[0]], streams[1]
    part = data.draw(st.sampled_from([*parts, labels]))
    at, value = data.draw(st.integers(0, len(part))), data.draw(st.sampled_from([0, 1, 2, 7, 8, 100]))
    how_many = data.draw(st.integers(0, 2))
    part[at : at + 1] = [value] * how_many
    assert read(label_streams, parts, labels, where, voxels) == read(plain, parts, labels, where, voxels)


def test_a_mask_of_voxels_beyond_the_chunk_is_refused():
    """Two voxels that differ are one group of one. Kills a mask that is not held against the size of its group."""
    voxels, where = np.array([5, 6], np.uint32), layout(2, 1, 1)
    for module in (label_streams, plain):
        assert read(module, [b"\0\0", b"\1", b"\0\0", b"\7"], [5, 6], where, voxels) == [5, 6]
        assert read(module, [b"\0\0", b"\3", b"\0\0", b"\7"], [5, 6], where, voxels) is None


def test_as_many_exceptions_fit_as_there_is_room_for_and_no_more():
    """33 voxels have room for 24 codes. Two groups of 8 leave room for one more with exceptions, and not for two.

    Kills a room that is one short or one too large: the chunk would be stored in another form.
    """
    fits = np.array([*range(18), *[17] * 15], np.uint64)
    too_many = np.array([*range(18), *[17] * 14, 99], np.uint64)
    for module in (label_streams, plain):
        assert streams_of(module, fits, layout(33, 1, 1), 17 + 8)
        assert streams_of(module, fits, layout(33, 1, 1), 16 + 8) is None
        assert streams_of(module, too_many, layout(33, 1, 1), 50) is None


def test_gaps_of_more_than_a_byte_are_said_alike():
    """Kills a gap of 255 groups without its 0, and one of 510 with a byte of it."""
    for groups in (254, 255, 256, 509, 510, 511):
        voxels = np.full(8 * groups + 2, 5, np.uint32)
        voxels[-1] = 6
        where = layout(voxels.size, 1, 1)
        parts, labels = streams_of(label_streams, voxels, where, 20)
        assert (parts, labels) == streams_of(plain, voxels, where, 20)
        assert read(label_streams, parts, labels, where, voxels) == voxels.tolist()


def test_parts_begin_where_rows_and_sections_do():
    """Worked by hand; a chunk shorter than a row has one part."""
    parts, distances = layout(30, 8, 16)
    assert parts.tolist() == [1, 8, 16, 30]
    assert distances.tolist() == [[1, 1, 1, 1, 1, 1, 1], [1, 8, 8, 7, 7, 1, 1], [1, 8, 16, 15, 7, 8, 7]]
    assert layout(5, 8, 16)[0].tolist() == [1, 5, 5, 5]
    assert all(a <= b for a, b in pairwise(layout(1, 8, 16)[0].tolist()))
