"""What a labelmap holds of all bodies together: mappings, the list of bodies, extents and the largest label.

One writer posts it when every part of the bodies has its indices (`bodies.py`), and reads it back. Posting twice
changes nothing. Inherited labels that the run does not overwrite are included.

Memory: the mappings in force (`mappings`); over inherited labels twice, and 8 bytes a body of the ancestor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.array_types import Flags, Ids
from emseg.dvid.extents import around
from emseg.dvid.labels.differences import differs, require_equal
from emseg.dvid.labels.index import listed_labels
from emseg.dvid.labels.inherited_names import InheritedNames
from emseg.dvid.labels.labelmap import Labelmap
from emseg.dvid.labels.mappings import MappingPair, bodies_of, mappings, post_mapping_parts
from emseg.geometry import Box
from emseg.sorted_ids import find, is_among


@dataclass(frozen=True, eq=False)
class LabelContents:
    """What a labelmap must hold in the end.

    `parts` reads, each time anew, the supervoxels that the run maps with their bodies; they are in any parts, of which
    no two share a supervoxel. `bodies` is the number of bodies that have an index because of the run, `changed` are the
    inherited ones that lost voxels or their name, `max_label` is the largest id in these indices. `bounds` are the
    voxels (scale 0) that the run looked at.
    """

    ancestor: Labelmap
    names: InheritedNames
    parts: Callable[[], Iterator[MappingPair]]
    bodies: int
    changed: Ids
    max_label: int
    bounds: Box

    def post(self, labelmap: Labelmap, before_post: Callable[[], object]) -> None:
        """Post mappings, largest label and extents, in this order. `before_post` comes before each request."""
        post_mapping_parts(labelmap, self.parts(), before_post)
        before_post()
        if largest := self._largest():
            labelmap.raise_max_label(largest)
        labelmap.set_extents(self._extents())

    def verify(self, labelmap: Labelmap) -> None:
        """Read all of it back; IntegrityError names the first item that differs."""
        self._verify_mappings(labelmap)
        self._verify_labels(labelmap)
        found, largest, wanted, least = labelmap.info().extents, labelmap.max_label(), self._extents(), self._largest()
        told = found is not None and found.contains(self.bounds) and wanted.contains(found)
        if not told or largest < least:
            what = f"DVID says {found} and {largest} instead of {wanted} and {least}"
            raise differs(labelmap, "extents and largest label", what)

    def _largest(self) -> int:
        return max(self.ancestor.max_label(), self.max_label)

    def _extents(self) -> Box:
        # An ancestor without this instance tells the extents of other branches, those of this run with them.
        return around(self.bounds, self.ancestor.info().extents if len(self.names.labels) else None)

    def _verify_mappings(self, labelmap: Labelmap) -> None:
        found, before = mappings(labelmap), self.names.mapping
        of_others, inherited = np.ones(len(found[0]), bool), np.ones(len(before[0]), bool)
        for supervoxels, bodies in self.parts():
            of_dvid = bodies_of(found, supervoxels)
            require_equal(labelmap, "mappings", np.stack([supervoxels, bodies], 1), np.stack([supervoxels, of_dvid], 1))
            self._require_straight(labelmap, found, np.unique(bodies))
            _clear(of_others, supervoxels, found[0])
            _clear(inherited, supervoxels, before[0])
        require_equal(labelmap, "mappings", _pairs(before, inherited), _pairs(found, of_others))

    def _require_straight(self, labelmap: Labelmap, found: MappingPair, bodies: Ids) -> None:
        """No body of the run is itself mapped by the run: DVID follows a mapping once."""
        of_dvid = bodies_of(found, bodies)
        moved = (of_dvid != bodies) & (of_dvid != bodies_of(self.names.mapping, bodies))
        if moved.any():
            what = f"body {bodies[moved][0]} is itself mapped to body {of_dvid[moved][0]}"
            raise differs(labelmap, "mappings", what)

    def _verify_labels(self, labelmap: Labelmap) -> None:
        """The bodies with an index are those of the run, each of which was read back, and the unchanged inherited."""
        unchanged = np.setdiff1d(self.names.labels, self.changed, assume_unique=True)
        missing, others = np.ones(len(unchanged), bool), 0
        for page in listed_labels(labelmap):
            _clear(missing, page, unchanged)
            others += int(np.count_nonzero(~is_among(page, unchanged)))
        if missing.any():
            raise differs(labelmap, "bodies with an index", f"there is none of body {unchanged[missing][0]}")
        if others != self.bodies:
            raise self._of_strays(labelmap, unchanged, others)

    def _of_strays(self, labelmap: Labelmap, unchanged: Ids, others: int) -> Exception:
        """The error of bodies that nobody counted, with one of them; only it needs a list of all bodies in memory."""
        listed = np.concatenate([page[~is_among(page, unchanged)] for page in listed_labels(labelmap)] or [unchanged])
        for known in (self.changed, *(np.unique(bodies) for _, bodies in self.parts())):
            listed = listed[~is_among(listed, known)]
        shown = f", for example {listed.min()}" if len(listed) else ""
        return differs(labelmap, "bodies with an index", f"{others} in DVID, {self.bodies} were counted{shown}")


def _clear(flags: Flags, ids: Ids, ascending: Ids) -> None:
    """Set the flags of those of `ascending` that are among `ids` to False."""
    index, is_there = find(ids, ascending)
    flags[index[is_there]] = False


def _pairs(mapping: MappingPair, which: Flags) -> npt.NDArray[np.uint64]:
    """Rows `supervoxel, body`, without supervoxels that are their own body: mapping them or not means the same."""
    wanted = which & (mapping[0] != mapping[1])
    return np.stack([mapping[0][wanted], mapping[1][wanted]], axis=1)
