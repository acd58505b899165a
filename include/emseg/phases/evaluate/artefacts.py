"""What `evaluate` leaves for each subvolume."""

from __future__ import annotations

from emseg.evaluate.connections import ConnectionTable
from emseg.evaluate.contingency import SCHEMA
from emseg.evaluate.skeleton_nodes import SkeletonNodes
from emseg.phases.artefact import TableArtefact

CONTINGENCY = TableArtefact(
    "contingency", "voxels of each pair of segment and ground-truth body", SCHEMA, level=1, page_checksums=False
)
POINTS = TableArtefact("points", "points at synapses of each pair of segment and ground-truth body", SCHEMA)
CONNECTIONS = TableArtefact(
    "connections", "connections by the segments and ground-truth bodies at both ends", ConnectionTable.SCHEMA
)
SKELETON_NODES = TableArtefact("skeleton_nodes", "segment at each node of a skeleton", SkeletonNodes.SCHEMA)
