"""What early emseg left in DVID: extents that the node tells, and viewers are not told."""

from __future__ import annotations

from emseg.dvid import Node
from emseg.geometry import Box


def tell_node_alone(node: Node, instance: str, box: Box) -> None:
    """Set the extents by `POST /extents` and nothing else."""
    last = [side - 1 for side in reversed(box.stop)]
    node.server.post_json(node.path(instance, "extents"), {"MinPoint": list(reversed(box.start)), "MaxPoint": last})
