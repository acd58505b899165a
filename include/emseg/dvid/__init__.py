"""DVID: versions (nodes), grayscale, labels with their mappings and indices, regions of interest, small values.

Start with `DvidServer(connection)` and `resolve_locked_node(server, "3f2a:master")` to read, or
`Node(server, uuid).branch("run-7")` to write. Coordinates are ZYX everywhere; boxes are half-open.
"""

from emseg.dvid.downsample import downsample_labels
from emseg.dvid.grayscale import Grayscale, GrayscaleInfo
from emseg.dvid.http import DvidServer, NodeLockedError, NotFoundError
from emseg.dvid.keyvalue import KeyValue
from emseg.dvid.label_bricks import ForeignBlocksError, block_counts, write_blocks, write_brick
from emseg.dvid.label_contents import LabelContents
from emseg.dvid.label_index import (
    IndexTable,
    IndexTableError,
    check_indices,
    delete_indices,
    indexed_labels,
    indices,
    post_indices,
)
from emseg.dvid.label_mappings import MappingError, check_mappings, mappings, post_mappings
from emseg.dvid.label_pyramid import LabelPyramid, Mask, NewLabels
from emseg.dvid.label_remains import LabelClashError, staying_supervoxels
from emseg.dvid.labelmap import Labelmap, LabelmapInfo
from emseg.dvid.nodes import Node, resolve_locked_node, resolve_node
from emseg.dvid.preserved import kept_supervoxels, voxels_of_bodies
from emseg.dvid.repos import InstanceInfo, NodeInfo, RepoInfo, create_repo, repo_info
from emseg.dvid.roi import RoiInstance
from emseg.dvid.sub_blocks import BLOCK_VOX

__all__ = [
    "BLOCK_VOX",
    "DvidServer",
    "ForeignBlocksError",
    "Grayscale",
    "GrayscaleInfo",
    "IndexTable",
    "IndexTableError",
    "InstanceInfo",
    "KeyValue",
    "LabelClashError",
    "LabelContents",
    "LabelPyramid",
    "Labelmap",
    "LabelmapInfo",
    "MappingError",
    "Mask",
    "NewLabels",
    "Node",
    "NodeInfo",
    "NodeLockedError",
    "NotFoundError",
    "RepoInfo",
    "RoiInstance",
    "block_counts",
    "check_indices",
    "check_mappings",
    "create_repo",
    "delete_indices",
    "downsample_labels",
    "indexed_labels",
    "indices",
    "kept_supervoxels",
    "mappings",
    "post_indices",
    "post_mappings",
    "repo_info",
    "resolve_locked_node",
    "resolve_node",
    "staying_supervoxels",
    "voxels_of_bodies",
    "write_blocks",
    "write_brick",
]
