"""What a report tells of joins: how many are right, in overlaps drawn at random, and which wait for a person."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain

import numpy as np

from emseg.array_types import Ids, Labels64
from emseg.geometry import Box
from emseg.geometry.supervoxel_ids import cells_of
from emseg.phases.evaluate.truth import at_scale, counted_truth
from emseg.phases.labelmaps import measured_on
from emseg.phases.match.artefacts import VOTES
from emseg.phases.resolve.artefacts import LEDGER, parts_of_result, read_mapping
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import SegmentedSubvolume
from emseg.phases.services import DvidServices
from emseg.quality.report.document import Joins, ParkedJoin
from emseg.quality.report.joins import THIS_RUN, JoinCount, clear_bodies, count_joins
from emseg.stitch import Votes
from emseg.stitch.review import parked
from emseg.store import ItemMarker, sums
from emseg.tasks.run_links import link_to
from emseg.tasks.stitch_review import StitchReview
from emseg.tasks.views import view_of_bodies

MOST_TOGETHER_VOX = 2**22
"""Voxels of ground truth that are read at once for several overlaps: those of a subvolume of 128 voxels a side."""
MOST_READ_VOX = 2**27
"""Voxels of overlaps that are read, at about 10 Mvoxel a second: what a volume of 10^5 subvolumes has is more."""
PARKED_SHOWN = 10
MOST_LEDGER_BYTES = 256 << 20
"""A larger ledger is left to `emseg stitch parked`."""


def joins_of(run: RunContext[DvidServices], bodies: Ids, quarantined: Collection[int]) -> Joins | None:
    """Precision and recall of joins against the `bodies` that count; None where no overlap has a vote.

    `quarantined` are cell numbers. Subvolumes are drawn in an order that follows from the run's key, each with the
    overlaps to its later neighbours, until `MOST_READ_VOX` are read. Memory: one overlap at a time, or ground truth of
    `MOST_TOGETHER_VOX`, and the mapping of its regions.
    """
    matched = run.folder("match").manifest()
    order = np.random.default_rng(int(run.keys["evaluate"], 16)).permutation(len(matched))
    total: dict[str, JoinCount] = {}
    overlaps = read_vox = 0
    for marker in (matched[i] for i in order):
        found = _overlaps(run, marker, MOST_READ_VOX - read_vox)
        for rules, count in chain(*(_counted(run, each, bodies, quarantined) for each in _together(found))):
            total[rules] = total.get(rules, JoinCount()) + count
        overlaps, read_vox = overlaps + len(found), read_vox + sum(each.region.voxels for each in found)
    accuracy = tuple(count.accuracy(_named(run, rules)) for rules, count in total.items())
    return Joins(overlaps_read=overlaps, overlaps=_all_overlaps(run), accuracy=accuracy) if overlaps else None


@dataclass(frozen=True, eq=False)
class _Overlap:
    """An overlap of a subvolume and a later neighbour, and all votes in it."""

    region: Box
    votes: Votes
    first: SegmentedSubvolume
    second: SegmentedSubvolume


def _overlaps(run: RunContext[DvidServices], marker: ItemMarker, room_vox: int) -> list[_Overlap]:
    """The overlaps with votes of a subvolume with its later neighbours, as many as there is room for."""
    if room_vox <= 0:
        return []
    votes = Votes.from_arrow(VOTES.read(run.folder("match"), marker))
    number, cells = run.grid.subvolume_named(marker.item).number, cells_of(votes.second)
    found: dict[int, Box] = {}
    for neighbour in np.unique(cells).tolist():
        region = run.grid.overlap(number, neighbour).region
        if region.voxels <= room_vox:
            found[neighbour], room_vox = region, room_vox - region.voxels
    first, *others = SegmentedSubvolume.several(run, [number, *found])
    return [
        _Overlap(region, votes.rows(np.flatnonzero(cells == neighbour)), first, second)
        for (neighbour, region), second in zip(found.items(), others, strict=True)
    ]


def _around(overlaps: Sequence[_Overlap]) -> Box:
    return reduce(Box.joined, (overlap.region for overlap in overlaps))


def _together(overlaps: list[_Overlap]) -> list[list[_Overlap]]:
    """The overlaps of a subvolume: all where it is so small that requests cost more than voxels, or one by one."""
    if overlaps and _around(overlaps).voxels <= MOST_TOGETHER_VOX:
        return [overlaps]
    return [[overlap] for overlap in overlaps]


def _counted(
    run: RunContext[DvidServices], overlaps: Sequence[_Overlap], bodies: Ids, quarantined: Collection[int]
) -> Iterator[tuple[str, JoinCount]]:
    """What each set of rules joined in some overlaps, whose ground truth and mapping are read once."""
    around, scale = _around(overlaps), measured_on(run).scale
    truth, _ = counted_truth(run, around)
    truth[~np.isin(truth, bodies)] = 0
    ends = [end for overlap in overlaps for end in (overlap.votes.first, overlap.votes.second)]
    mapping = read_mapping(run, np.unique(cells_of(np.concatenate(ends))).tolist())
    for overlap in overlaps:
        inside = at_scale(overlap.region, scale).slices(at_scale(around, scale).start)
        clear = _clear(overlap, truth[inside], 1 << scale)
        stitching, voxel_size_nm = run.spec.stitching, run.spec.volume.voxel_size_nm
        yield from count_joins(overlap.votes, clear, mapping, stitching, voxel_size_nm, quarantined).items()


def _clear(overlap: _Overlap, truth: Labels64, every: int) -> tuple[Ids, Ids]:
    """Clear bodies of both ends of the votes of an overlap; of its labels, one in `every` along an axis is compared."""
    held = tuple(slice(-start % every, None, every) for start in overlap.region.start)
    first, second = overlap.first, overlap.second
    own, others = first.overlap_labels(second.subvolume.number), second.overlap_labels(first.subvolume.number)
    return (
        clear_bodies(own[held], truth, first.subvolume.number).of(overlap.votes.first),
        clear_bodies(others[held], truth, second.subvolume.number).of(overlap.votes.second),
    )


def _all_overlaps(run: RunContext[DvidServices]) -> int:
    """Overlaps between two selected subvolumes."""
    shape, selected = run.grid.shape, np.zeros(tuple(run.grid.shape), bool)
    selected.ravel()[run.cells] = True
    steps = [(z, y, x) for z in (-1, 0, 1) for y in (-1, 0, 1) for x in (-1, 0, 1) if (z, y, x) > (0, 0, 0)]
    pairs = 0
    for step in steps:
        here = tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in zip(step, shape, strict=True))
        there = tuple(slice(max(s, 0), n - max(-s, 0)) for s, n in zip(step, shape, strict=True))
        pairs += int(np.count_nonzero(selected[here] & selected[there]))
    return pairs


def _named(run: RunContext[DvidServices], rules: str) -> str:
    return f"{THIS_RUN} ({run.spec.stitching.mode.value}), with constraints" if rules == THIS_RUN else f"mode {rules}"


def parked_joins(run: RunContext[DvidServices]) -> tuple[ParkedJoin, ...]:
    """The first parked joins, most shared voxels first; none where there are none, or the ledger is too large."""
    parts = parts_of_result(run)
    size = sum(marker.artefact(LEDGER.name).size for marker in parts)
    if not sums(parts, ["parked"])["parked"] or size > MOST_LEDGER_BYTES:
        return ()
    review = StitchReview(run)
    rows = parked(review.ledger_rows(parked)).slice(0, PARKED_SHOWN)
    ends = (rows["first"].to_numpy(), rows["second"].to_numpy())
    shown = [review.shown(end).tolist() for end in ends]
    bodies = [review.shown(review.body_of(end)).tolist() for end in ends]
    reasons, shared = rows["reason"].to_pylist(), rows["overlap_vox"].to_pylist()
    return tuple(
        ParkedJoin(
            first=first,
            second=second,
            shared_vox=shared[i],
            reason=reasons[i],
            link=link_to(run, view_of_bodies(run, (bodies[0][i], bodies[1][i]))),
        )
        for i, (first, second) in enumerate(zip(*shown, strict=True))
    )
