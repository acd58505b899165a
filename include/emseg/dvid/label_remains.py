"""The bodies of an ancestor's version of a labelmap after a run has replaced the voxels of some of its subvolumes.

Ids are a function of place: an id that is gone from its subvolume may be given anew, and one that stays there is not
given (`emseg.stages.renaming`). A body that reached out of them keeps its other supervoxels, and its name
unless the run gives that id to something else: then it is called by its smallest remaining supervoxel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.dvid.label_index import REQUEST_LABELS, IndexTable, indexed_labels, indices
from emseg.dvid.label_mappings import Ids, bodies_of, mappings
from emseg.dvid.labelmap import Labelmap
from emseg.errors import IntegrityError, PermanentError

Flags = npt.NDArray[np.bool_]


class LabelClashError(PermanentError):
    """The ancestor gives an id to voxels that stay, and the run gives the same id to other voxels."""


@dataclass(frozen=True, eq=False)
class Remains:
    """`touched` bodies of the ancestor lose voxels or their name; `left` is what stays of them, as it is to be called.

    `renamed` flags the rows of `left` whose body has another name than in the ancestor.
    """

    touched: Ids
    left: IndexTable
    renamed: Flags


def staying_supervoxels(
    ancestor: Labelmap, is_ours: Callable[[Ids], Flags], stays: Callable[[IndexTable], Flags]
) -> Ids:
    """Supervoxels whose ids a run may give (`is_ours`), but that have a row which `stays`; ascending.

    All of the index of each body is looked at that has such a supervoxel.
    """
    mapping = mappings(ancestor)
    known = np.union1d(indexed_labels(ancestor), mapping[0])
    bodies = np.unique(bodies_of(mapping, known[is_ours(known)]))
    bodies = bodies[bodies > 0]
    found = [np.empty(0, np.uint64)]
    for at in range(0, len(bodies), REQUEST_LABELS):
        table = indices(ancestor, bodies[at : at + REQUEST_LABELS].tolist())
        found.append(np.unique(table.supervoxel[is_ours(table.supervoxel) & stays(table)]))
    return np.unique(np.concatenate(found))


def remains_of(ancestor: Labelmap, replaced: IndexTable, new_ids: Ids) -> Remains:
    """What stays of the ancestor's bodies when `replaced` (voxels of old supervoxels in blocks) give way to `new_ids`.

    IntegrityError when the ancestor's indices do not hold the voxels that are replaced; LabelClashError when an old
    supervoxel that stays has one of the new ids, or when no name is free for a body.
    """
    labels, mapping = indexed_labels(ancestor), mappings(ancestor)
    known = np.union1d(labels, mapping[0])
    touched = np.union1d(
        bodies_of(mapping, np.unique(replaced.supervoxel)),  # they lose voxels
        np.union1d(np.intersect1d(labels, new_ids), bodies_of(mapping, np.intersect1d(known, new_ids))),
    )
    touched = touched[touched > 0]
    left = _less(indices(ancestor, touched.tolist()), replaced, ancestor)
    clashes = np.flatnonzero(np.isin(left.supervoxel, new_ids))
    if len(clashes):
        raise _clash(ancestor, left, int(clashes[0]))
    renamed = np.isin(left.body, new_ids)
    names = left.body.copy()
    names[renamed] = _free_names(ancestor, left.rows(np.flatnonzero(renamed)), labels)
    return Remains(touched, IndexTable(left.block, left.supervoxel, names, left.count), renamed)


def _less(before: IndexTable, replaced: IndexTable, ancestor: Labelmap) -> IndexTable:
    """The rows of `before` without the voxels of `replaced`; each row of `replaced` must be there."""
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
        at = int(firsts[missing[0]])
        raise IntegrityError(
            "taking replaced voxels out of the label indices",
            f"{ancestor.instance!r} in node {ancestor.node.uuid}, supervoxel {rows.supervoxel[at]}, "
            f"block {tuple(rows.block[at].tolist())} (ZYX)",
            f"{-counts[missing[0]]} of its voxels are in no index",
            "The ancestor's indices are incomplete: have them rebuilt there, or use another instance name",
        )
    left = rows.rows(firsts[counts > 0])
    return IndexTable(left.block, left.supervoxel, left.body, counts[counts > 0].astype(np.uint32))


def _free_names(ancestor: Labelmap, table: IndexTable, labels: Ids) -> Ids:
    """For each row of `table` the smallest supervoxel of its body that is no label of the ancestor."""
    free = table.rows(np.flatnonzero(~np.isin(table.supervoxel, labels)))
    free = free.rows(np.lexsort((free.supervoxel, free.body)))
    bodies, first = np.unique(free.body, return_index=True)
    nameless = np.flatnonzero(~np.isin(table.body, bodies))
    if len(nameless):
        raise _clash(ancestor, table, int(nameless[0]))
    names: Ids = free.supervoxel[first][np.searchsorted(bodies, table.body)]
    return names


def _clash(ancestor: Labelmap, table: IndexTable, at: int) -> LabelClashError:
    return LabelClashError(
        "writing over the labels of an ancestor",
        f"{ancestor.instance!r} in node {ancestor.node.uuid}, supervoxel {table.supervoxel[at]} of body "
        f"{table.body[at]}, block {tuple(table.block[at].tolist())} (ZYX)",
        "it stays there, and the run gives its id, or the name of its body, to something else",
        "Use another instance name: the indices of this one do not tell of all its labels",
    )
