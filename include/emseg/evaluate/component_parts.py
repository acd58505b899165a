"""Connected components of ground-truth bodies inside a region, computed core by core and joined for all of it.

Example: a neuron leaves the evaluated box and comes back at another place. Inside the box these are two components of
one body, and a segmentation that saw the box alone cannot know that they belong together.

Two voxels are connected if they share a face and a body (6-connectivity, as `split_disconnected_components` of Google's
`connectomics` has it). A component is named by its first voxel: the number of that voxel in the region, in C order,
counted from 1. So the name tells a place, and it does not depend on how the region is cut into cores.

Each core names its own *parts* of the components in the same way. Where two cores meet, both see the last plane of the
earlier one. Each *patch* of a body in that plane, connected within it, is named by its first voxel, too. Both cores
tell which of their parts meet it, so parts that meet one patch are one component.

Worked example: a row of 6 voxels of body 7 in two cores of 3. The parts are 1 and 4, the patch in the last plane of the
first core is 3. The rows (1, 1), (1, 3), (4, 4), (4, 3) make one component, 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import cc3d
import numpy as np
import pyarrow as pa

from emseg.array_types import AnyLabels, Ids, Labels64
from emseg.codec.column_table import StoredTable
from emseg.errors import PermanentError
from emseg.geometry import Box, Coordinate
from emseg.kernels.label_pairs import count_pairs
from emseg.sorted_ids import find

_MOST_VOX = 1 << 63


@dataclass(frozen=True, eq=False)
class ComponentParts(StoredTable):
    """The parts of one core: a row for each by itself (`meets` is the part), and one for each patch that it meets."""

    SCHEMA: ClassVar[pa.Schema] = pa.schema(
        [pa.field(name, pa.uint64(), nullable=False) for name in ("part", "meets", "body")]
    )

    part: Ids
    meets: Ids
    body: Ids


def with_plane_before(core: Box, region: Box) -> Box:
    """The voxels that `parts_of` needs of a core: its own, and one more plane before it on each axis."""
    return Box(core.start - 1, core.stop).clipped(region)


def parts_of(bodies: AnyLabels, core: Box, region: Box) -> tuple[Labels64, ComponentParts]:
    """Part at each voxel of `core`, uint64, 0 where there is no body; and the table of the parts.

    `bodies` are the labels of `with_plane_before(core, region)`, 0 where the region has none. Memory: 24 bytes a voxel
    beside them; `python -m benchmarks contingency` prints the time. PermanentError for a region of 2^63 voxels or more.
    """
    if region.voxels >= _MOST_VOX:
        found, remedy = (
            f"{region.voxels} voxels, and their numbers have 63 bits",
            "Give a smaller box or a coarser scale",
        )
        raise PermanentError("numbering components", f"the region {region.start} to {region.stop}", found, remedy)
    first = with_plane_before(core, region).start
    own = bodies[core.slices(first)]
    parts = _numbered(own, core, region)
    ids, body, _ = count_pairs(parts, own)
    ids, body = ids[ids != 0], body[ids != 0]
    meeting = [] if core.is_empty else _meeting(bodies, parts, core, region)
    rows = np.concatenate([np.stack([ids, ids], axis=1), *meeting])
    at, _ = find(rows[:, 0], ids)
    return parts, ComponentParts(rows[:, 0], rows[:, 1], body[at])


def _meeting(bodies: AnyLabels, parts: Labels64, core: Box, region: Box) -> Iterator[Ids]:
    """Parts and the patches that they meet, uint64 (n, 2), face by face."""
    origin = with_plane_before(core, region).start
    for axis in range(3):
        before, first, last = (
            _plane(core, axis, at) for at in (core.start[axis] - 1, core.start[axis], core.stop[axis] - 1)
        )
        if core.start[axis] > region.start[axis]:
            labels = bodies[before.slices(origin)]
            patches = _numbered(labels, before, region)
            patches[labels != bodies[first.slices(origin)]] = 0
            yield _pairs(parts[first.slices(core.start)], patches)
        if core.stop[axis] < region.stop[axis]:
            yield _pairs(parts[last.slices(core.start)], _numbered(bodies[last.slices(origin)], last, region))


def _plane(core: Box, axis: int, at: int) -> Box:
    """The plane of a core at one place of an axis, one voxel deep; `at` may lie before the core."""
    start, stop = list(core.start), list(core.stop)
    start[axis], stop[axis] = at, at + 1
    return Box(Coordinate.of(start), Coordinate.of(stop))


def _pairs(parts: Labels64, patches: Labels64) -> Ids:
    part, patch, _ = count_pairs(parts, patches)
    met = (part != 0) & (patch != 0)
    return np.stack([part[met], patch[met]], axis=1)


def _numbered(bodies: AnyLabels, box: Box, region: Box) -> Labels64:
    """For each voxel of a box the number, in the region, of the first voxel of its component inside the box."""
    labels = cc3d.connected_components(np.ascontiguousarray(bodies), connectivity=6)
    number = np.zeros(int(labels.max(initial=0)) + 1, np.uint64)
    z, y, x = (
        np.arange(a, b, dtype=np.int64) for a, b in zip(box.start - region.start, box.stop - region.start, strict=True)
    )
    _, rows, columns = region.shape
    for section in range(len(labels) - 1, -1, -1):  # backwards: of a label that comes again, the last assignment stays
        numbers = (z[section] * rows + y[:, None]) * columns + x + 1
        number[labels[section].ravel()[::-1]] = numbers.ravel()[::-1].astype(np.uint64)
    number[0] = 0
    found: Labels64 = number[labels]
    return found
