"""What `evaluate` leaves for each subvolume."""

from __future__ import annotations

from emseg.evaluate.contingency import SCHEMA
from emseg.phases.artefact import TableArtefact

CONTINGENCY = TableArtefact(
    "contingency", "voxels of each pair of segment and ground-truth body", SCHEMA, level=1, page_checksums=False
)
