"""DVID: versions (nodes), grayscale, labels with their mappings and indices, regions of interest.

Start with `DvidServer(connection)` and `resolve_locked_node(server, "3f2a:master")` to read, or
`Node(server, uuid).branch("run-7")` to write. Coordinates are ZYX everywhere; boxes are half-open.
"""

from emseg.dvid.annotations import Annotations, Synapses
from emseg.dvid.errors import NodeLockedError, NotFoundError
from emseg.dvid.grayscale import Grayscale, GrayscaleInfo
from emseg.dvid.http import DvidServer
from emseg.dvid.keyvalue import KeyValues
from emseg.dvid.labels.bodies import BodyContents
from emseg.dvid.labels.bricks import ForeignBlocksError, block_counts, write_blocks, write_brick
from emseg.dvid.labels.contents import LabelContents
from emseg.dvid.labels.downsample import downsample_labels
from emseg.dvid.labels.index import (
    IndexTable,
    IndexTableError,
    check_indices,
    delete_indices,
    indexed_labels,
    indices,
    listed_labels,
    post_indices,
)
from emseg.dvid.labels.inherited import LabelClashError, surviving_by_index, surviving_in_box
from emseg.dvid.labels.inherited_names import Claims, InheritedNames
from emseg.dvid.labels.labelmap import Labelmap, LabelmapInfo
from emseg.dvid.labels.mappings import MappingError, MappingPair, bodies_of, mappings, post_mappings
from emseg.dvid.labels.points import labels_at
from emseg.dvid.labels.preserved import voxels_of_bodies
from emseg.dvid.labels.pyramid import LabelPyramid, NewLabels
from emseg.dvid.nodes import Node, resolve_locked_node, resolve_node
from emseg.dvid.repos import InstanceInfo, NodeInfo, RepoInfo, create_repo, repo_info
from emseg.dvid.roi import RoiInstance
from emseg.dvid.viewers import tell_viewers
from emseg.kernels.sub_blocks import BLOCK_VOX

__all__ = [
    "BLOCK_VOX",
    "Annotations",
    "BodyContents",
    "Claims",
    "DvidServer",
    "ForeignBlocksError",
    "Grayscale",
    "GrayscaleInfo",
    "IndexTable",
    "IndexTableError",
    "InheritedNames",
    "InstanceInfo",
    "KeyValues",
    "LabelClashError",
    "LabelContents",
    "LabelPyramid",
    "Labelmap",
    "LabelmapInfo",
    "MappingError",
    "MappingPair",
    "NewLabels",
    "Node",
    "NodeInfo",
    "NodeLockedError",
    "NotFoundError",
    "RepoInfo",
    "RoiInstance",
    "Synapses",
    "block_counts",
    "bodies_of",
    "check_indices",
    "create_repo",
    "delete_indices",
    "downsample_labels",
    "indexed_labels",
    "indices",
    "labels_at",
    "listed_labels",
    "mappings",
    "post_indices",
    "post_mappings",
    "repo_info",
    "resolve_locked_node",
    "resolve_node",
    "surviving_by_index",
    "surviving_in_box",
    "tell_viewers",
    "voxels_of_bodies",
    "write_blocks",
    "write_brick",
]
