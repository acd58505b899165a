"""Skeletons in DVID: SWC files in a keyvalue instance, under keys such as `7_swc`."""

from __future__ import annotations

from emseg.codec.swc import Skeleton, read_swc
from emseg.dvid.keyvalue import KeyValues
from emseg.errors import PermanentError
from emseg.geometry import VoxelSize

ENDING = "swc"
MOST_NODES = 10_000_000
"""Nodes of all skeletons together: each process that looks them up holds 64 bytes of each, here 640 MB."""


def read_skeletons(values: KeyValues, unit_nm: VoxelSize) -> dict[str, Skeleton]:
    """By key in ascending order, all whose key ends in `swc`; positions are multiples of `unit_nm`.

    PermanentError for an instance without any, for one that is no SWC, and for more nodes than `MOST_NODES`.
    """
    found: dict[str, Skeleton] = {}
    nodes, on = 0, f"instance {values.instance}, node {values.node.uuid}"
    known = values.keys()
    for key in known:
        if key.endswith(ENDING):
            found[key] = read_swc(values.read(key), unit_nm, f"{on}, key {key}")
            nodes += len(found[key].nodes_nm)
            if nodes > MOST_NODES:
                told, remedy = f"more than {MOST_NODES} nodes", "Name an instance with fewer, or thin them out"
                raise PermanentError("reading skeletons", on, told, remedy)
    if not found:
        told, remedy = f"no key ends in {ENDING!r}", "Keep SWC files under keys such as 7_swc"
        raise PermanentError("reading skeletons", on, told, remedy)
    return found
