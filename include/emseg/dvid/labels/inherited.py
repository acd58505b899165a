"""Inherited labels: which supervoxels of an ancestor's version survive a run, and in which bodies.

A run replaces voxels of some subvolumes. An inherited supervoxel survives where one of its voxels is not replaced. The
worked example in `emseg.phases.write` shows all that follows from this for six groups of voxels:

- Before new ids are given, `surviving_in_box` and `surviving_by_index` find the ids that survivors hold.
- When all blocks are written, `surviving_bodies` tells what is left of each inherited body. A body that lost voxels
  keeps its name, unless a new supervoxel or body has this id: then its smallest surviving supervoxel names it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import fastremap
import numpy as np

from emseg.array_types import Flags, Ids, Mask
from emseg.dvid.coordinates import blocks_around, one_block, voxels_of
from emseg.dvid.labels.block import unpack_block
from emseg.dvid.labels.index import REQUEST_LABELS, IndexTable, indexed_labels, indices
from emseg.dvid.labels.inherited_names import Claims
from emseg.dvid.labels.labelmap import Labelmap
from emseg.dvid.labels.mappings import bodies_of, mappings
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box


class LabelClashError(PermanentError):
    """A surviving supervoxel and a new one would have the same id."""


@dataclass(frozen=True, eq=False)
class SurvivingBodies:
    """Inherited bodies that a run changes, and what survives of them.

    `changed` are the ids of the bodies that lose voxels or their name. `rows` are their index rows afterwards, under
    their new names; `renamed` flags the rows whose body has another name than in the ancestor.
    """

    changed: Ids
    rows: IndexTable
    renamed: Flags


def require_whole_bodies(ancestor: Labelmap) -> None:
    """PermanentError where a body of the ancestor has lost the voxels of its namesake.

    DVID v1.0.0 maps a supervoxel to 0 when its body is renamed and then renamed back (`/renumber` as an undo): the
    index of the body still lists the supervoxel, and its voxels belong to no body. An id that is mapped to 0 and is no
    supervoxel of any voxel is harmless: the name of a body that was cleaved off or renamed.
    """
    mapping = mappings(ancestor)
    names = np.intersect1d(mapping[0][mapping[1] == 0], indexed_labels(ancestor))
    lost = [np.empty(0, np.uint64)]
    for first in range(0, len(names), REQUEST_LABELS):
        rows = indices(ancestor, names[first : first + REQUEST_LABELS].tolist())
        lost.append(np.unique(rows.body[rows.supervoxel == rows.body]))
    bodies = np.concatenate(lost).tolist()
    if bodies:
        raise PermanentError(
            "checking the bodies that the run inherits",
            f"{ancestor.instance!r} in node {ancestor.node.uuid}",
            f"{len(bodies)} were renamed and back, and DVID has mapped their namesakes to 0, so that voxels are in no "
            f"body: {', '.join(map(str, bodies[:5]))}{', ...' if len(bodies) > 5 else ''}",
            "Map each to itself in a child of this node (POST /mappings), commit the child, and name it as "
            "volume.node; or use another output.instance",
        )


def surviving_in_box(ancestor: Labelmap, box: Box, replaced: Mask) -> Ids:
    """Supervoxels that the ancestor has at those voxels of `box` that are not `replaced`; ascending, without 0.

    `box` is whole blocks, `replaced` bool ZYX of its shape. One block is in memory at a time.
    """
    found = [np.empty(0, np.uint64)]
    for block, packed in ancestor.stored_blocks(blocks_around(box), 0):
        survives = ~replaced[voxels_of(one_block(block)).slices(box.start)]
        found.append(fastremap.unique(unpack_block(packed)[survives]))
    supervoxels = np.unique(np.concatenate(found))
    return supervoxels[supervoxels > 0]


def surviving_by_index(
    ancestor: Labelmap, may_be_given: Callable[[Ids], Flags], survives: Callable[[IndexTable], Flags]
) -> Ids:
    """Supervoxels whose ids a run may give to new ones (`may_be_given`) and that have a row that `survives`; ascending.

    Reads the whole index of each body that has such a supervoxel.
    """
    mapping = mappings(ancestor)
    known = np.union1d(indexed_labels(ancestor), mapping[0])
    bodies = np.unique(bodies_of(mapping, known[may_be_given(known)]))
    bodies = bodies[bodies > 0]
    found = [np.empty(0, np.uint64)]
    for first in range(0, len(bodies), REQUEST_LABELS):
        rows = indices(ancestor, bodies[first : first + REQUEST_LABELS].tolist())
        found.append(np.unique(rows.supervoxel[may_be_given(rows.supervoxel) & survives(rows)]))
    return np.unique(np.concatenate(found))


def surviving_bodies(ancestor: Labelmap, labels: Ids, replaced: IndexTable, claims: Claims) -> SurvivingBodies:
    """What survives of the ancestor's bodies that lose the voxels `replaced`, or that `claims` concern.

    `labels` are all bodies of the ancestor. `replaced` are voxels of inherited supervoxels in their inherited bodies:
    all that these bodies lose. `claims` are all those on these bodies. IntegrityError where the ancestor's indices do
    not hold the replaced voxels. LabelClashError where a surviving supervoxel has a new id, or where no name is free
    for a body.
    """
    changed, new_ids = np.union1d(replaced.body, claims.body), np.unique(claims.new_id)
    changed = changed[changed > 0]
    rows = _less(indices(ancestor, changed.tolist()), replaced, ancestor)
    clashes = np.flatnonzero(np.isin(rows.supervoxel, new_ids))
    if len(clashes):
        raise _clash(ancestor, rows, int(clashes[0]))
    renamed = np.isin(rows.body, new_ids)
    names = rows.body.copy()
    names[renamed] = _free_names(ancestor, rows.rows(np.flatnonzero(renamed)), labels)
    return SurvivingBodies(changed, replace(rows, body=names), renamed)


def _less(before: IndexTable, replaced: IndexTable, ancestor: Labelmap) -> IndexTable:
    """The rows of `before` without the voxels of `replaced`; each row of `replaced` must be in `before`."""
    rows = IndexTable.joined([before, replaced])
    signed = np.concatenate([before.count.astype(np.int64), -replaced.count.astype(np.int64)])
    order = np.lexsort((*rows.block.T, rows.supervoxel))  # stable: of two equal rows the one of `before` comes first
    rows, signed = rows.rows(order), signed[order]
    is_first = np.ones(len(rows), bool)
    same = (rows.supervoxel[1:] == rows.supervoxel[:-1]) & (rows.block[1:] == rows.block[:-1]).all(axis=1)
    is_first[1:] = ~same
    firsts = np.flatnonzero(is_first)
    counts = np.add.reduceat(signed, firsts) if len(firsts) else signed
    missing = np.flatnonzero(counts < 0)
    if len(missing):
        row = int(firsts[missing[0]])
        raise IntegrityError(
            "taking replaced voxels out of the label indices",
            f"{ancestor.instance!r} in node {ancestor.node.uuid}, supervoxel {rows.supervoxel[row]}, "
            f"block {tuple(rows.block[row].tolist())} (ZYX)",
            f"{-counts[missing[0]]} of its voxels are in no index",
            "The ancestor's indices are incomplete: have them rebuilt there, or use another instance name",
        )
    surviving = counts > 0
    return replace(rows.rows(firsts[surviving]), count=counts[surviving].astype(np.uint32))


def _free_names(ancestor: Labelmap, rows: IndexTable, labels: Ids) -> Ids:
    """For each row the smallest supervoxel of its body that is no label of the ancestor."""
    free = rows.rows(np.flatnonzero(~np.isin(rows.supervoxel, labels)))
    free = free.rows(np.lexsort((free.supervoxel, free.body)))
    bodies, first = np.unique(free.body, return_index=True)
    nameless = np.flatnonzero(~np.isin(rows.body, bodies))
    if len(nameless):
        raise _clash(ancestor, rows, int(nameless[0]))
    names: Ids = free.supervoxel[first][np.searchsorted(bodies, rows.body)]
    return names


def _clash(ancestor: Labelmap, rows: IndexTable, row: int) -> LabelClashError:
    return LabelClashError(
        "writing over inherited labels",
        f"{ancestor.instance!r} in node {ancestor.node.uuid}, supervoxel {rows.supervoxel[row]} of body "
        f"{rows.body[row]}, block {tuple(rows.block[row].tolist())} (ZYX)",
        "this supervoxel survives, but its id or the name of its body belongs to a new supervoxel or body of the run",
        "Use another instance name: the indices of this one do not list all of its labels",
    )
