"""Which supervoxels form which bodies. A body is named by its smallest supervoxel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pyarrow as pa

from emseg.array_types import Counts, Ids
from emseg.codec.column_table import StoredTable
from emseg.sorted_ids import find, is_among

MAPPING_SCHEMA = pa.schema([("supervoxel", pa.uint64()), ("body", pa.uint64())])


@dataclass(frozen=True, eq=False)
class BodyMapping(StoredTable):
    """Supervoxels that belong to a body of several, ids ascending. Any other supervoxel is a body of its own."""

    SCHEMA: ClassVar[pa.Schema] = MAPPING_SCHEMA
    ORDER: ClassVar[tuple[str, ...]] = ("supervoxels",)

    supervoxels: Ids
    bodies: Ids

    def body_of(self, ids: Ids) -> Ids:
        """Body of each id, any shape; ids that were never joined, and 0, are returned unchanged."""
        if len(self.supervoxels) == 0:
            return ids.copy()
        row, is_mapped = find(ids, self.supervoxels)
        return np.where(is_mapped, self.bodies[row], ids)

    @classmethod
    def of_components(cls, nodes: Ids, component: Counts) -> BodyMapping:
        """Bodies of `nodes` (ascending) from the number of the component of each; single ones are left out."""
        smallest = np.full(len(nodes), len(nodes), np.int64)
        np.minimum.at(smallest, component, np.arange(len(nodes)))  # nodes ascend, so the first is the smallest id
        several = np.bincount(component, minlength=len(nodes))[component] > 1
        return cls(nodes[several], nodes[smallest[component[several]]])

    @classmethod
    def followed(cls, nodes: Ids, steps: Iterable[BodyMapping]) -> BodyMapping:
        """Bodies of `nodes` (ascending) when each step joins the bodies that the steps before it left.

        Worked example: the first step makes 2 and 3 body 2, the second makes 1 and 2 body 1. So 3 is in body 1.
        """
        names, several = nodes, np.zeros(len(nodes), bool)
        for step in steps:
            several = several | is_among(names, step.supervoxels)
            names = step.body_of(names)
        return cls(nodes[several], names[several])
