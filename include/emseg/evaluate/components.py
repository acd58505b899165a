"""Components of ground-truth bodies in all of a region, joined from the parts that its cores have of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from emseg.array_types import Counts, Ids
from emseg.codec.column_table import ColumnTable
from emseg.errors import IntegrityError
from emseg.evaluate.component_parts import ComponentParts
from emseg.evaluate.contingency import ContingencyTable, merged, run_starts
from emseg.sorted_ids import find


@dataclass(frozen=True, eq=False)
class Components(ColumnTable):
    """Component and body of each part of a region, parts ascending. Memory: 100 bytes a row while they are joined."""

    part: Ids
    component: Ids
    body: Ids

    @classmethod
    def of(cls, tables: Iterable[ComponentParts]) -> Components:
        """Of the tables of all cores, in any order."""
        rows = ComponentParts.joined(tables)
        nodes = np.sort(np.concatenate([rows.part, rows.meets]))
        nodes = nodes[run_starts(nodes)]
        ends = np.searchsorted(nodes, rows.part), np.searchsorted(nodes, rows.meets)
        graph = coo_matrix((np.ones(len(rows), bool), ends), shape=(len(nodes), len(nodes)))
        _, group = connected_components(graph, directed=False)
        first = np.unique(group, return_index=True)[1]  # nodes ascend, so the first is the smallest
        part, row = np.unique(rows.part, return_index=True)
        return cls(part, nodes[first[group[np.searchsorted(nodes, part)]]], rows.body[row])

    def measured(self, table: ContingencyTable) -> ContingencyTable:
        """A table of segments and parts as one of segments and components."""
        return merged(
            [ContingencyTable(table.segmentation, self.component[self._rows(table.groundtruth)], table.count)]
        )

    def bodies_of(self, components: Ids) -> Ids:
        """The body of each component, any shape."""
        return self.body[self._rows(components)]

    def _rows(self, parts: Ids) -> Counts:
        row, known = find(parts, self.part)
        if not known.all():
            raise IntegrityError(
                "joining components of the ground truth",
                f"{len(self.part)} parts",
                f"{np.count_nonzero(~known)} labels of the contingency tables are none of them",
                "Clear the task `evaluate`",
            )
        return row
