"""Cutting boxes for requests, turning axes, and the stream of blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emseg.dvid.coordinates import xyz_text, zyx
from emseg.dvid.labels.stream import frame, frames
from emseg.dvid.request_boxes import request_boxes
from emseg.errors import IntegrityError
from emseg.geometry import Box

CORNERS = st.tuples(*[st.integers(-20, 20)] * 3)
SIDES = st.tuples(*[st.integers(0, 20)] * 3)


@given(CORNERS, SIDES, st.tuples(*[st.integers(1, 7)] * 3), st.integers(1, 500))
@settings(deadline=None)
def test_parts_cover_the_box_once_within_the_limit_and_on_multiples(
    start: tuple[int, int, int], sides: tuple[int, int, int], multiple: tuple[int, int, int], limit: int
) -> None:
    """Kills a lost or doubled slab, a cut inside a block, and a part over the limit that could be cut."""
    box = Box.of_shape(sides, start)
    found = list(request_boxes(box, multiple, limit))
    times = np.zeros(box.shape, int)
    for part in found:
        assert box.contains(part)
        times[part.slices(box.start)] += 1
        for axis in range(3):
            assert part.start[axis] == box.start[axis] or part.start[axis] % multiple[axis] == 0
            assert part.stop[axis] == box.stop[axis] or part.stop[axis] % multiple[axis] == 0
        one_block = all((b - 1) // m == a // m for a, b, m in zip(part.start, part.stop, multiple, strict=True))
        assert part.voxels <= limit or one_block
    assert (times == 1).all()


def test_axes_turn_round_at_the_border() -> None:
    assert xyz_text((3, -2, 1)) == "1_-2_3"
    assert zyx((1, -2, 3)) == (3, -2, 1)


@given(st.lists(st.tuples(CORNERS, st.binary(max_size=40)), max_size=5))
def test_a_stream_gives_back_its_blocks(blocks: list[tuple[tuple[int, int, int], bytes]]) -> None:
    assert list(frames(b"".join(frame(*block) for block in blocks), "test")) == blocks


def test_a_frame_is_x_first_and_little_endian() -> None:
    assert frame((3, -2, 1), b"ab") == bytes([1, 0, 0, 0, 254, 255, 255, 255, 3, 0, 0, 0, 2, 0, 0, 0]) + b"ab"


@pytest.mark.parametrize(
    "tail", [b"\0" * 5, frame((0, 0, 0), b"abc")[:-1], b"An error came after the first block (text)."]
)
def test_a_cut_stream_or_an_error_text_in_it_is_found(tail: bytes) -> None:
    """Kills reading to the last whole block and calling the rest absent."""
    with pytest.raises(IntegrityError):
        list(frames(frame((0, 0, 0), b"ab") + tail, "test"))
