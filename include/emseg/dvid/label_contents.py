"""All that a labelmap holds beside its blocks: mappings, indices, extents and the largest label.

Made from counted voxels, posted by one writer, and verified by reading back. Nothing is posted before all of it was
checked, and doing any of it twice changes nothing. Where an ancestor has labels, the rest of them is part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.dvid.label_index import (
    IndexTable,
    check_indices,
    delete_indices,
    indexed_labels,
    indices,
    post_indices,
)
from emseg.dvid.label_mappings import Ids, bodies_of, check_mappings, mappings, post_mappings
from emseg.dvid.label_remains import remains_of
from emseg.dvid.labelmap import Labelmap
from emseg.errors import IntegrityError
from emseg.geometry import Box

MappingPair = tuple[Ids, Ids]
"""Supervoxels, ascending, and the body of each."""


@dataclass(frozen=True, eq=False)
class LabelContents:
    """What a labelmap is to hold. `indices` are the rows of all bodies that change, `gone` the bodies that end.

    `mapped` are the supervoxels whose body is said here; `mapping` all mappings in force afterwards, and `labels` all
    bodies. `extents` are voxels of scale 0.
    """

    indices: IndexTable
    gone: Ids
    mapped: MappingPair
    mapping: MappingPair
    labels: Ids
    extents: Box
    max_label: int

    @classmethod
    def over(cls, ancestor: Labelmap, new: IndexTable, replaced: IndexTable, bounds: Box) -> LabelContents:
        """The rows `new` of a run, which took the place of the rows `replaced` of `ancestor` (errors: `remains_of`)."""
        remains = remains_of(ancestor, replaced, np.union1d(new.supervoxel, new.body))
        rows = IndexTable.joined([new, remains.left]).ordered()
        said = IndexTable.joined([new, remains.left.rows(np.flatnonzero(remains.renamed))])
        supervoxels, first = np.unique(said.supervoxel, return_index=True)
        mapped, before = (supervoxels, said.body[first]), mappings(ancestor)
        bodies = np.unique(rows.body)
        extents = ancestor.info().extents
        return cls(
            indices=rows,
            gone=np.setdiff1d(remains.touched, bodies),
            mapped=mapped,
            mapping=_overlaid(before, mapped),
            labels=np.union1d(np.setdiff1d(indexed_labels(ancestor), remains.touched), bodies),
            extents=bounds if extents is None else _around(extents, bounds),
            max_label=max(ancestor.max_label(), int(rows.supervoxel.max(initial=0)), int(rows.body.max(initial=0))),
        )

    def post(self, labelmap: Labelmap, before_post: Callable[[], object]) -> None:
        """Mappings, indices, largest label, extents. `before_post` is called before each request; it may raise."""
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
        if extents != self.extents or max_label < self.max_label:
            raise _differs(
                labelmap,
                "extents and largest label",
                f"DVID says {extents} and {max_label} instead of {self.extents} and {self.max_label}",
            )

    def _groups(self, current: MappingPair) -> dict[int, Ids]:
        """Supervoxels by body, of those that are not their own body here or are not so in DVID now."""
        supervoxels, bodies = self.mapped
        is_said = (supervoxels != bodies) | (bodies_of(current, supervoxels) != bodies)
        supervoxels, bodies = supervoxels[is_said], bodies[is_said]
        order = np.argsort(bodies, kind="stable")
        names, starts = np.unique(bodies[order], return_index=True)
        groups = np.split(supervoxels[order], starts[1:])  # one empty group where nothing is said
        return dict(zip(names.tolist(), groups, strict=False))


def _overlaid(before: MappingPair, mapped: MappingPair) -> MappingPair:
    kept = ~np.isin(before[0], mapped[0])
    supervoxels = np.concatenate([before[0][kept], mapped[0]])
    bodies = np.concatenate([before[1][kept], mapped[1]])
    order = np.argsort(supervoxels)
    return supervoxels[order], bodies[order]


def _around(first: Box, second: Box) -> Box:
    low = np.minimum(first.start, second.start).tolist()
    high = np.maximum(first.stop, second.stop).tolist()
    return Box((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def _pairs(mapping: MappingPair) -> npt.NDArray[np.uint64]:
    """Rows `supervoxel, body`; a supervoxel that is its own body is mapped like one that is not named."""
    moved = mapping[0] != mapping[1]
    return np.stack([mapping[0][moved], mapping[1][moved]], axis=1)


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
    at = int(different[0]) if len(different) else shorter
    wanted_row, found_row = wanted[at : at + 1].tolist(), found[at : at + 1].tolist()
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
