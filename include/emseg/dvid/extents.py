"""Extents: the box of voxels that an instance holds, as DVID tells it to emseg and to viewers.

Example: a run writes voxels (0, 0, 0)-(100, 200, 200) on a branch. `POST /extents` gives this box to the run's node,
and `/info` of the node tells it. Viewers do not ask the node: neuroglancer reads `/api/repos/info`, where DVID v1.0.0
tells the box of the newest node of master. Where that one has none, and always after a restart, it tells the box of the
instance. `POST /extents` does not set that box. Only a post of blocks does, and only where it makes the box of its node
larger. So `set_extents` takes the node's box away, posts its first and its last block once more as they are, and gives
the box back.
"""

from __future__ import annotations

from collections.abc import Callable

from emseg.dvid.coordinates import zyx
from emseg.dvid.nodes import Node
from emseg.geometry import Box, Coordinate, checked_box


def set_extents(
    node: Node, name: str, box: Box, block_vox: int, post_again: Callable[[list[Coordinate]], None]
) -> None:
    """Tell the node and viewers which voxels hold data; overwrites what the node told.

    What viewers are told only grows, because another branch may hold more. `post_again` posts blocks as they are, all
    in one request: then no kill leaves the node with the box of only one of them. PermanentError for a box without
    voxels or outside of what DVID can serve.
    """
    checked_box(box, "setting extents in DVID", f"{name!r} in node {node.uuid}", "Write the voxels at other positions")
    blocks = around(box, node.repo().instances[name].shown).coarser(block_vox)
    _post(node, name, Box(box.start, box.start))
    post_again(sorted({blocks.start, blocks.stop - 1}))
    _post(node, name, box)


def around(first: Box, second: Box | None) -> Box:
    """The smallest box around both; None is no box."""
    return first if second is None else first.joined(second)


def _post(node: Node, name: str, box: Box) -> None:
    body = {"MinPoint": zyx(box.start), "MaxPoint": zyx(box.stop - 1)}  # the last voxel is inside
    node.server.post_json(node.path(name, "extents"), body, repeatable=True)
