"""Names of an ancestor's version: its bodies and mappings, and which of them the new ids of a run concern.

Example: the ancestor has body 5 of supervoxels 5 and 9. A run gives id 9 to a new supervoxel. Id 9 claims body 5, which
has a supervoxel of that id: what is left of body 5 must be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emseg.array_types import Ids
from emseg.codec.column_table import ColumnTable
from emseg.dvid.labels.index import indexed_labels
from emseg.dvid.labels.labelmap import Labelmap
from emseg.dvid.labels.mappings import MappingPair, bodies_of, mappings
from emseg.sorted_ids import is_among


@dataclass(frozen=True, eq=False)
class Claims(ColumnTable):
    """Ids of a run's supervoxels and bodies that an ancestor knows, each beside an inherited body that it concerns.

    That is the body of this name, and the body in which the ancestor has a supervoxel of this id; uint64.
    """

    new_id: Ids
    body: Ids


@dataclass(frozen=True, eq=False)
class InheritedNames:
    """The bodies of an ancestor (uint64 ascending) and its mappings. Memory: 8 bytes a body, 16 a mapped supervoxel."""

    labels: Ids
    mapping: MappingPair

    @classmethod
    def of(cls, ancestor: Labelmap) -> InheritedNames:
        """Those of a labelmap as it is now."""
        return cls(indexed_labels(ancestor), mappings(ancestor))

    def bodies_of(self, supervoxels: Ids) -> Ids:
        """The inherited body of each supervoxel."""
        return bodies_of(self.mapping, supervoxels)

    def claims(self, new_ids: Ids) -> Claims:
        """What the ancestor knows of `new_ids`, which are all different."""
        is_body, is_mapped = is_among(new_ids, self.labels), is_among(new_ids, self.mapping[0])
        known = new_ids[is_body | is_mapped]
        bodies = bodies_of(self.mapping, known)
        others = new_ids[is_body & (bodies_of(self.mapping, new_ids) != new_ids)]
        claims = Claims(np.concatenate([known, others]), np.concatenate([bodies, others]))
        return claims.rows(claims.body > 0)
