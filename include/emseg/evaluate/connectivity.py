"""Scores at synapses: which connections between bodies a segmentation keeps, makes up or closes into one body.

A *connection* leads from a presynaptic point to a postsynaptic one, as annotated. It is known by four labels: the
segment and the ground-truth body at either point. `ConnectionTable` counts connections with the same four, so tables of
regions add up. Connections with ground truth 0 at either point do not count.

VI and edit distance over points need nothing of their own: `contingency_table(segments, bodies)` of the labels at all
points goes to `score` and to `edit_distances`.

By the rules of FlyEM's evaluation (plug-ins `connectivity_stat` and `autapse_stat` of DVIDSparkServices; Plaza and
Funke, "Analyzing image segmentation for connectomics", Front. Neural Circuits 2018):

- A segment *stands for* a body if each shares more points with the other than with any third; the smaller id among
  equals; segment 0 stands for none. FlyEM assigns segments to bodies by the Hungarian method instead. There a body that
  lies inside of another one's segment gets a fragment that is left over; here it gets none.
- A connection is *right* if the segments at both points stand for the bodies there.
- A pair of two bodies is *connected* if at least n connections lead from one to the other, and so is a pair of two
  segments above 0. A pair of bodies is found if at least n right connections lead from one to the other.
- Connectivity recall = found pairs / connected pairs of bodies; precision = found pairs / connected pairs of segments.
- An *autapse* is a connection within one segment above 0. It is false if two bodies meet in it.

Worked example with n = 2: bodies 1 to 2 have 3 connections, 1 to 3 have 2. Segments 11, 12, 13 stand for them, but one
point of body 3 lies in segment 12. Connected pairs of bodies: (1, 2) and (1, 3); of segments: (11, 12) with 4
connections. (1, 2) is found with 3 right ones, (1, 3) has 1: recall 1/2, precision 1/1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emseg.array_types import Counts, Flags, Ids
from emseg.errors import PermanentError
from emseg.evaluate.connections import ConnectionTable
from emseg.evaluate.contingency import ContingencyTable, run_starts
from emseg.sorted_ids import find


@dataclass(frozen=True)
class ConnectivityScore:
    """What became of the connections between bodies, for pairs of at least `least` connections."""

    least: int
    connections: int
    right: int
    """Connections whose segments stand for their bodies at both ends."""
    pairs: int
    """Connected pairs of two ground-truth bodies."""
    segment_pairs: int
    """Connected pairs of two segments."""
    found: int
    """Pairs that the segmentation keeps."""
    autapses: int
    """Connections within one segment."""
    false_autapses: int
    """Those of them that lead from one body to another."""

    @property
    def precision(self) -> float:
        """Share of the connected pairs of segments that are right; 1 without any."""
        return self.found / self.segment_pairs if self.segment_pairs else 1.0

    @property
    def recall(self) -> float:
        """Share of the connected pairs of bodies that are found; 1 without any."""
        return self.found / self.pairs if self.pairs else 1.0


def connectivity(points: ContingencyTable, table: ConnectionTable, least: int = 1) -> ConnectivityScore:
    """Score connections; `points` is the contingency table of all points, which says what stands for what.

    PermanentError without any connection, for which no score is defined.
    """
    if len(table) == 0:
        found = "no connection has ground truth at both points"
        remedy = "Check that synapses and ground truth cover the same region, and that the synapses have PreSynTo"
        raise PermanentError("scoring connectivity", "empty table of connections", found, remedy)
    segments, bodies = standing_for(points)
    right = _stands(segments, bodies, table.pre_segment, table.pre_body)
    right &= _stands(segments, bodies, table.post_segment, table.post_body)
    between = table.pre_body != table.post_body
    assigned = (table.pre_segment != 0) & (table.post_segment != 0)
    autapse = assigned & (table.pre_segment == table.post_segment)
    pair, segment_pair = (table.pre_body, table.post_body), (table.pre_segment, table.post_segment)
    return ConnectivityScore(
        least,
        connections=int(table.connections.sum()),
        right=int(table.connections[right].sum()),
        pairs=_connected(pair, table.connections, between, least),
        segment_pairs=_connected(segment_pair, table.connections, assigned & ~autapse, least),
        found=_connected(pair, table.connections, right & between, least),
        autapses=int(table.connections[autapse].sum()),
        false_autapses=int(table.connections[autapse & between].sum()),
    )


def standing_for(points: ContingencyTable) -> tuple[Ids, Ids]:
    """Segments that stand for a body, ascending, and the body of each."""
    known = points.rows(points.segmentation != 0)
    of_segment = _best(known.segmentation, known.groundtruth, known.count)
    of_body = _best(known.groundtruth, known.segmentation, known.count)
    mutual = known.rows(np.intersect1d(of_segment, of_body))
    return mutual.segmentation, mutual.groundtruth


def _best(group: Ids, partner: Ids, count: Counts) -> Counts:
    """For each group the row of its largest partner."""
    order = np.lexsort((partner, -count, group))
    rows: Counts = order[run_starts(group[order])]
    return rows


def _stands(segments: Ids, bodies: Ids, segment: Ids, body: Ids) -> Flags:
    """Whether each segment stands for the body beside it."""
    at, known = find(segment, segments)
    right: Flags = known.copy()
    right[known] = bodies[at[known]] == body[known]
    return right


def _connected(pair: tuple[Ids, Ids], connections: Counts, which: Flags, least: int) -> int:
    """Pairs of at least `least` connections among the rows `which`."""
    order = np.flatnonzero(which)
    order = order[np.lexsort((pair[1][order], pair[0][order]))]
    starts = run_starts(pair[0][order], pair[1][order])
    return int((np.add.reduceat(connections[order], starts) >= least).sum()) if len(starts) else 0
