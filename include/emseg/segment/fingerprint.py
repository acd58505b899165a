"""Fingerprints of the voxels that a model was trained on: they find those voxels again in any other volume.

A fingerprint is a run of 32 voxels along X whose hash begins with twelve zero bits; about one voxel in 4096 begins one.
Whether a run is a fingerprint depends on its own voxels alone. So a part that somebody cut out of a volume and saved
elsewhere has the fingerprints that the volume has there (sampling by content: Manber, USENIX 1994). Where those of a
training box occur in another volume, all moved by one offset, the box lies in that volume at that offset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from pydantic import Field

from emseg.config.base import Record
from emseg.geometry import Box
from emseg.segment.protocol import Gray

SECTION = "seen"
"""Section of `model.json`."""
RUN_VOX = 32
LEAST_FINGERPRINTS = 3
"""So many equal fingerprints at one offset are no accident."""

_ZERO_BITS = 12
_ROLL, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
Voxel = tuple[int, int, int]
"""Z Y X."""


class BoxFingerprints(Record, serialize_by_alias=True):
    """The fingerprints of one training box as `HASH:Z,Y,X`, counted from its first voxel; stored as `marks`."""

    shape: Voxel
    fingerprints: tuple[str, ...] = Field(alias="marks")

    @classmethod
    def of(cls, gray: Gray) -> BoxFingerprints:
        """Those of a box that holds `gray`, uint8 ZYX."""
        z, y, x = gray.shape
        texts = (f"{name:x}:{a},{b},{c}" for name, (a, b, c) in fingerprints(gray).items())
        return cls(shape=(z, y, x), marks=tuple(texts))

    def found_in(self, others: Mapping[int, Voxel], bounds: Box) -> list[Box]:
        """Where the box lies in a volume with the fingerprints `others`, clipped to that volume's `bounds`."""
        offsets: Counter[Voxel] = Counter()
        for text in self.fingerprints:
            name, voxel = text.split(":")
            if int(name, 16) in others:
                z, y, x = (a - int(b) for a, b in zip(others[int(name, 16)], voxel.split(","), strict=True))
                offsets[z, y, x] += 1
        enough = (offset for offset, count in sorted(offsets.items()) if count >= LEAST_FINGERPRINTS)
        return [Box.of_shape(self.shape, offset).clipped(bounds) for offset in enough]


class Fingerprints(Record, serialize_by_alias=True):
    """Those of all training boxes: section `seen` of a model."""

    boxes: tuple[BoxFingerprints, ...]

    @classmethod
    def of(cls, volumes: Sequence[Gray]) -> Fingerprints:
        """Those of training boxes, uint8 ZYX."""
        return cls(boxes=tuple(BoxFingerprints.of(gray) for gray in volumes))

    def found_in(self, gray: Gray) -> list[Box]:
        """The parts of `gray` that the model was trained on. A part of less than about 12 kvoxels is not found."""
        others, bounds = fingerprints(gray), Box.of_shape(gray.shape)
        return [box for each in self.boxes for box in each.found_in(others, bounds)]


def fingerprints(gray: Gray) -> dict[int, Voxel]:
    """First voxel of each fingerprint of `gray` (uint8 ZYX), by hash; a hash that occurs twice is left out."""
    found: dict[int, list[Voxel]] = {}
    width = gray.shape[2] - RUN_VOX + 1
    for z in range(len(gray) if width > 0 else 0):
        section = gray[z].astype(np.uint64) + np.uint64(1)
        total = np.zeros((len(section), width), np.uint64)
        for k in range(RUN_VOX):
            total = total * _ROLL + section[:, k : k + width]
        total = (total ^ (total >> np.uint64(29))) * _MIX
        for y, x in np.argwhere(total >> np.uint64(64 - _ZERO_BITS) == 0).tolist():
            found.setdefault(int(total[y, x]), []).append((z, y, x))
    return {name: voxels[0] for name, voxels in found.items() if len(voxels) == 1}
