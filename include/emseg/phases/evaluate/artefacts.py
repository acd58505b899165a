"""What `evaluate` leaves for each subvolume."""

from __future__ import annotations

from emseg.evaluate.component_parts import ComponentParts
from emseg.evaluate.connections import ConnectionTable
from emseg.evaluate.contingency import SCHEMA
from emseg.evaluate.skeleton_nodes import SkeletonNodes
from emseg.phases.artefact import TableArtefact

CONTINGENCY = TableArtefact(
    "contingency",
    "voxels of each pair of segment and ground-truth body, or part of a component",
    SCHEMA,
    level=1,
    page_checksums=False,
)
COMPONENT_PARTS = TableArtefact(
    "component_parts", "parts of components of ground-truth bodies, and what they meet", ComponentParts.SCHEMA
)
POINTS = TableArtefact("points", "points at synapses of each pair of segment and ground-truth body", SCHEMA)
CONNECTIONS = TableArtefact(
    "connections", "connections by the segments and ground-truth bodies at both ends", ConnectionTable.SCHEMA
)
SKELETON_NODES = TableArtefact("skeleton_nodes", "segment at each node of a skeleton", SkeletonNodes.SCHEMA)
