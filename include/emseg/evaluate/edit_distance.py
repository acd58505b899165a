"""Edit distance: how many merges and splits put a given share of the voxels into the right bodies.

From a contingency table alone, by the rules of FlyEM's evaluation (plug-in `edit_stat` of DVIDSparkServices; Plaza and
Funke, "Analyzing image segmentation for connectomics", Front. Neural Circuits 2018):

- A segment belongs to the body that it shares most voxels with; the smaller id among equals.
- A body begins with the largest piece that it has in a segment of its own. The voxels of these pieces are right.
- A *merge* joins one more of its own segments to a body, and makes the voxels right that they share.
- A *split* cuts the piece of another body out of a segment and gives it to that body, and makes its voxels right.
- A split is as much work as `SPLIT_WORK` merges. Of all choices that reach the share, the one with the least work
  counts, and of equal ones that with the fewest splits. FlyEM's code takes the next best edit each time instead, and so
  may find more work.

Unassigned voxels (segment 0) can become right by neither, so a share may be out of reach: `EditDistance.is_reached`.

Worked example, bodies 1 and 2 of 100 voxels: segment 5 is 60 voxels of body 1, segment 6 is 30 of body 1, segment 7 is
10 of body 1 and 100 of body 2. 160 of 200 voxels are right before any edit, so 75 % costs nothing; 90 % (180) costs one
merge (190 are right); 100 % costs a merge and a split.

The same from a table of points at synapses: merges and splits until a share of the synapses is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emseg.array_types import Counts, Flags
from emseg.errors import PermanentError
from emseg.evaluate.contingency import ContingencyTable, run_starts

SPLIT_WORK = 5
"""Merges that a split costs as much work as."""
SHARES = (0.5, 0.75, 0.9)
"""Shares that a report tells."""


@dataclass(frozen=True)
class EditDistance:
    """Edits until `share` of the voxels is right; where that is out of reach, all edits that there are."""

    share: float
    merges: int
    splits: int
    right_share: float
    """Share of the voxels that is right after these edits."""

    @property
    def is_reached(self) -> bool:
        """Whether these edits suffice."""
        return self.right_share >= self.share


def edit_distances(table: ContingencyTable, shares: Sequence[float] = SHARES) -> tuple[EditDistance, ...]:
    """The least edits for each share (0 to 1). Memory: 40 bytes a row of the table.

    PermanentError for an empty table.
    """
    if len(table) == 0:
        found = "no voxel and no point has ground truth"
        remedy = "Check that segmentation and ground truth cover the same region"
        raise PermanentError("counting edits", "empty contingency table", found, remedy)
    begun, merges, splits = _edits(table)
    return tuple(_least_work(share, table.voxels, begun, merges, splits) for share in shares)


def _edits(table: ContingencyTable) -> tuple[int, Counts, Counts]:
    """Voxels that are right before any edit; and summed up, largest first, what merges and splits make right."""
    own = _own_pieces(table)
    largest = own[np.lexsort((-table.count[own], table.groundtruth[own]))]
    first = np.zeros(len(largest), bool)
    first[run_starts(table.groundtruth[largest])] = True
    others = table.segmentation != 0
    others[own] = False
    return (
        int(table.count[largest[first]].sum()),
        _summed(table.count[largest[~first]]),
        _summed(table.count[others]),
    )


def _own_pieces(table: ContingencyTable) -> Counts:
    """For each segment above 0 the row with the body that it belongs to."""
    starts = run_starts(table.segmentation)
    segment = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(table)))
    is_largest: Flags = table.count == np.maximum.reduceat(table.count, starts)[segment]
    rows = np.flatnonzero(is_largest)
    rows = rows[run_starts(table.segmentation[rows])]  # bodies ascend within a segment
    own: Counts = rows[table.segmentation[rows] != 0]
    return own


def _summed(gains: Counts) -> Counts:
    """Voxels that the largest 0, 1, 2, ... edits make right."""
    return np.concatenate(([0], np.cumsum(np.sort(gains)[::-1])))


def _least_work(share: float, voxels: int, begun: int, merges: Counts, splits: Counts) -> EditDistance:
    """For every number of splits the fewest merges that suffice; of these the least work."""
    wanted = int(np.ceil(share * voxels - 1e-9)) - begun
    needed = np.searchsorted(merges, wanted - splits)
    enough = needed < len(merges)
    if not enough.any():
        needed, enough = np.full(len(splits), len(merges) - 1), np.arange(len(splits)) == len(splits) - 1
    work = np.where(enough, needed + SPLIT_WORK * np.arange(len(splits)), np.iinfo(np.int64).max)
    best = int(np.argmin(work))
    right = begun + int(merges[needed[best]]) + int(splits[best])
    return EditDistance(share, int(needed[best]), best, right / voxels)
