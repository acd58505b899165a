"""Everything that a labelmap holds beside its blocks: mappings, indices, extents and the largest label.

It is computed from counted voxels, posted by one writer and verified by reading back. All of it is checked before any
of it is posted, and posting twice changes nothing. Inherited labels that the run does not overwrite are included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.array_types import Ids
from emseg.dvid.extents import around
from emseg.dvid.labels.index import IndexTable, check_indices, delete_indices, indexed_labels, indices, post_indices
from emseg.dvid.labels.inherited import surviving_bodies
from emseg.dvid.labels.labelmap import Labelmap
from emseg.dvid.labels.mappings import bodies_of, check_mappings, mappings, post_mappings
from emseg.errors import IntegrityError
from emseg.geometry import Box

MappingPair = tuple[Ids, Ids]
"""Supervoxels, ascending, and the body of each."""


@dataclass(frozen=True, eq=False)
class LabelContents:
    """What a labelmap must hold in the end. `indices` are the rows of all bodies that are new or changed.

    `gone` are the inherited bodies that end. `mapped` are the supervoxels to be mapped, with their bodies; `mapping`
    are all mappings in force afterwards, `labels` all bodies. `bounds` are the voxels (scale 0) that the run looked at,
    `extents` these and all that the ancestor held.
    """

    indices: IndexTable
    gone: Ids
    mapped: MappingPair
    mapping: MappingPair
    labels: Ids
    bounds: Box
    extents: Box
    max_label: int

    @classmethod
    def over(cls, ancestor: Labelmap, new: IndexTable, replaced: IndexTable, bounds: Box) -> LabelContents:
        """A run replaced the rows `replaced` of `ancestor` by its rows `new`. Errors: see `surviving_bodies`."""
        survivors = surviving_bodies(ancestor, replaced, np.union1d(new.supervoxel, new.body))
        rows = IndexTable.joined([new, survivors.rows]).ordered()
        to_map = IndexTable.joined([new, survivors.rows.rows(np.flatnonzero(survivors.renamed))])
        supervoxels, first = np.unique(to_map.supervoxel, return_index=True)
        mapped, before = (supervoxels, to_map.body[first]), mappings(ancestor)
        bodies = np.unique(rows.body)
        labels = indexed_labels(ancestor)
        # An ancestor without this instance tells the extents of other branches, those of this run with them.
        held = ancestor.info().extents if len(labels) else None
        return cls(
            indices=rows,
            gone=np.setdiff1d(survivors.changed, bodies),
            mapped=mapped,
            mapping=_overlaid(before, mapped),
            labels=np.union1d(np.setdiff1d(labels, survivors.changed), bodies),
            bounds=bounds,
            extents=around(bounds, held),
            max_label=max(ancestor.max_label(), int(rows.supervoxel.max(initial=0)), int(rows.body.max(initial=0))),
        )

    def post(self, labelmap: Labelmap, before_post: Callable[[], object]) -> None:
        """Post mappings, indices, largest label and extents, in this order. `before_post` comes before each request."""
        groups = self._groups(mappings(labelmap))
        check_mappings(groups)
        check_indices(self.indices)
        post_mappings(labelmap, groups, before_post)
        post_indices(labelmap, self.indices, before_post)
        before_post()
        delete_indices(labelmap, self.gone.tolist())
        if self.max_label:
            labelmap.raise_max_label(self.max_label)
        labelmap.set_extents(self.extents)

    def verify(self, labelmap: Labelmap) -> None:
        """Read all of it back; IntegrityError names the first item that differs."""
        found = indices(labelmap, np.union1d(self.labels[np.isin(self.labels, self.indices.body)], self.gone).tolist())
        _require_equal(labelmap, "label indices", _index_rows(self.indices), _index_rows(found))
        _require_equal(labelmap, "mappings", _pairs(self.mapping), _pairs(mappings(labelmap)))
        _require_equal(labelmap, "bodies with an index", self.labels[:, None], indexed_labels(labelmap)[:, None])
        extents, max_label = labelmap.info().extents, labelmap.max_label()
        told = extents is not None and extents.contains(self.bounds) and self.extents.contains(extents)
        if not told or max_label < self.max_label:
            raise _differs(
                labelmap,
                "extents and largest label",
                f"DVID says {extents} and {max_label} instead of {self.extents} and {self.max_label}",
            )

    def _groups(self, current: MappingPair) -> dict[int, Ids]:
        """Supervoxels to map, by body. One that is its own body is left out, unless DVID maps it to another one."""
        supervoxels, bodies = self.mapped
        is_needed = (supervoxels != bodies) | (bodies_of(current, supervoxels) != bodies)
        supervoxels, bodies = supervoxels[is_needed], bodies[is_needed]
        order = np.argsort(bodies, kind="stable")
        names, starts = np.unique(bodies[order], return_index=True)
        groups = np.split(supervoxels[order], starts[1:])  # one empty group where there is nothing to map
        return dict(zip(names.tolist(), groups, strict=False))


def _overlaid(before: MappingPair, mapped: MappingPair) -> MappingPair:
    kept = ~np.isin(before[0], mapped[0])
    supervoxels = np.concatenate([before[0][kept], mapped[0]])
    bodies = np.concatenate([before[1][kept], mapped[1]])
    order = np.argsort(supervoxels)
    return supervoxels[order], bodies[order]


def _pairs(mapping: MappingPair) -> npt.NDArray[np.uint64]:
    """Rows `supervoxel, body`, without supervoxels that are their own body: mapping them or not means the same."""
    differs = mapping[0] != mapping[1]
    return np.stack([mapping[0][differs], mapping[1][differs]], axis=1)


def _index_rows(table: IndexTable) -> npt.NDArray[np.uint64]:
    """Rows `body, supervoxel, z, y, x, voxels` of an ordered table (negative coordinates wrap around)."""
    block = table.block.astype(np.int64).astype(np.uint64)
    columns = [table.body[:, None], table.supervoxel[:, None], block, table.count.astype(np.uint64)[:, None]]
    return np.concatenate(columns, axis=1)


def _require_equal(
    labelmap: Labelmap, what: str, wanted: npt.NDArray[np.uint64], found: npt.NDArray[np.uint64]
) -> None:
    if np.array_equal(wanted, found):
        return
    shorter = min(len(wanted), len(found))
    different = np.flatnonzero((wanted[:shorter] != found[:shorter]).any(axis=1))
    row = int(different[0]) if len(different) else shorter
    wanted_row, found_row = wanted[row : row + 1].tolist(), found[row : row + 1].tolist()
    raise _differs(
        labelmap,
        what,
        f"{len(found)} rows in DVID, {len(wanted)} were counted; the first that differs is {found_row} instead of "
        f"{wanted_row}",
    )


def _differs(labelmap: Labelmap, what: str, found: str) -> IntegrityError:
    return IntegrityError(
        f"checking {what}",
        f"{labelmap.instance!r} in node {labelmap.node.uuid}",
        found,
        "Try again; if it stays, something else writes to this node",
    )
