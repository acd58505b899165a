"""What `match` leaves for each subvolume."""

from __future__ import annotations

from emseg.phases.artefact import TableArtefact
from emseg.stitch import CONTACT_SCHEMA, CROSSING_SCHEMA, SUPERVOXEL_SCHEMA, VOTE_SCHEMA

VOTES = TableArtefact("votes", "pairs of supervoxels that share voxels of an overlap", VOTE_SCHEMA)
SUPERVOXELS = TableArtefact("pieces", "size of each supervoxel, and faces of the volume it reaches", SUPERVOXEL_SCHEMA)
CONTACTS = TableArtefact("contacts", "pairs of supervoxels that touch inside the core", CONTACT_SCHEMA)
CROSSINGS = TableArtefact(
    "crossings", "pairs of supervoxels face to face at seams and inside the core", CROSSING_SCHEMA
)
