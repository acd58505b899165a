"""Instances that viewers cannot open although their nodes have extents: written by other programs, or by early emseg.

Example: release 3 was made on a branch, and `/api/repos/info` tells no extents of its instance. Its node is locked for
good. What viewers are told belongs to the instance, though, so it can be set through any open node.
"""

from __future__ import annotations

from itertools import count

from emseg.dvid.grayscale import Grayscale
from emseg.dvid.http import DvidServer
from emseg.dvid.instances import array_info, refuse_instance
from emseg.dvid.labels.labelmap import Labelmap
from emseg.dvid.nodes import Node, resolve_locked_node
from emseg.geometry import Box


def tell_viewers(server: DvidServer, reference: str, name: str) -> Box:
    """Tell viewers the extents that an instance has in a locked node, through a branch off that node; returns them.

    The branch is named `emseg-viewers-`, 16 digits of the node and a number. It holds the same voxels as the node.
    Doing it twice changes nothing more. PermanentError where the node has no extents of the instance, or where master
    tells viewers others.
    """
    node = Node(server, resolve_locked_node(server, reference).uuid)
    found = array_info(node, name)
    if found.extents is None:
        raise refuse_instance(node, name, "the node tells no extents of it", "Set them there first: POST /extents")
    kind = Labelmap if found.type == "labelmap" else Grayscale
    kind(_open_branch(node), name).set_extents(found.extents)
    shown = node.repo().instances[name].shown
    if shown is None or not shown.contains(found.extents):
        raise refuse_instance(
            node,
            name,
            f"it holds {found.extents}, and viewers are told {shown}, the extents in the newest node of master",
            "Post the extents to that node, too, or restart DVID: then it tells those of the instance",
        )
    return found.extents


def _open_branch(node: Node) -> Node:
    """The branch for viewers off a locked node; another one where somebody has committed it."""
    note = "emseg: holds what its parent holds, so that viewers are told the extents"
    branches = (node.branch(f"emseg-viewers-{node.uuid[:16]}-{number}", note=note) for number in count(1))
    return next(branch for branch in branches if not branch.is_locked())
