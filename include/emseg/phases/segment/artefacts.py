"""What `segment` leaves for each subvolume."""

from __future__ import annotations

from emseg.phases.artefact import LabelArtefact

LABELS = "labels"
"""The one artefact of an item, of which the others are parts."""

CORE = LabelArtefact("core", "local labels of the core, 0 where masked")
OVERLAP = LabelArtefact("overlap-NUMBER", "local labels of the voxels that neighbour NUMBER computed too")
