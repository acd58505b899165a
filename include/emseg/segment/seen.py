"""What a model has seen, found again in any volume: also in a part of it that somebody cut out and saved elsewhere.

A mark is a run of 32 voxels along X whose hash begins with twelve zero bits. Which runs are marks depends on what is in
them alone, so a volume and a part of it share the marks of the part (sampling by content: Manber, USENIX 1994). Where
marks of a training box lie in another volume, all of them moved by the same way, there the box lies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from emseg.config.base import Model
from emseg.geometry import Box
from emseg.segment.protocol import Gray

SECTION = "seen"
RUN_VOX = 32
LEAST_MARKS = 3
"""Equal marks at one offset that are no accident."""

_ZERO_BITS = 12
_ROLL, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
Place = tuple[int, int, int]


class SeenBox(Model):
    """One training box: its shape, and its marks as `HASH:Z,Y,X`, places counted from its first voxel."""

    shape: Place
    marks: tuple[str, ...]

    @classmethod
    def of(cls, gray: Gray) -> SeenBox:
        """The box that holds `gray`, uint8 ZYX."""
        z, y, x = gray.shape
        return cls(shape=(z, y, x), marks=tuple(f"{h:x}:{a},{b},{c}" for h, (a, b, c) in marks(gray).items()))

    def found_in(self, there: Mapping[int, Place], bounds: Box) -> list[Box]:
        """Where it lies in a volume with marks `there`, clipped to that volume's `bounds`."""
        offsets: Counter[Place] = Counter()
        for text in self.marks:
            name, place = text.split(":")
            if int(name, 16) in there:
                z, y, x = (a - int(b) for a, b in zip(there[int(name, 16)], place.split(","), strict=True))
                offsets[z, y, x] += 1
        return [Box.of_shape(self.shape, at).clipped(bounds) for at, n in sorted(offsets.items()) if n >= LEAST_MARKS]


class Seen(Model):
    """Section `seen` of a model."""

    boxes: tuple[SeenBox, ...]

    @classmethod
    def of(cls, volumes: Sequence[Gray]) -> Seen:
        """All training boxes."""
        return cls(boxes=tuple(SeenBox.of(gray) for gray in volumes))

    def found_in(self, gray: Gray) -> list[Box]:
        """The parts of `gray` that the model was trained on. About 12 kvoxels are the least part that can be found."""
        there, (z, y, x) = marks(gray), gray.shape
        return [box for each in self.boxes for box in each.found_in(there, Box.of_shape((z, y, x)))]


def marks(gray: Gray) -> dict[int, Place]:
    """Hash and first voxel of each mark; runs that lie at two places mark neither. One voxel in 4096 begins one."""
    found: dict[int, list[Place]] = {}
    width = gray.shape[2] - RUN_VOX + 1
    for z in range(len(gray) if width > 0 else 0):
        section = gray[z].astype(np.uint64) + np.uint64(1)
        total = np.zeros((len(section), width), np.uint64)
        for k in range(RUN_VOX):
            total = total * _ROLL + section[:, k : k + width]
        total = (total ^ (total >> np.uint64(29))) * _MIX
        for y, x in np.argwhere(total >> np.uint64(64 - _ZERO_BITS) == 0).tolist():
            found.setdefault(int(total[y, x]), []).append((z, y, x))
    return {name: places[0] for name, places in found.items() if len(places) == 1}
