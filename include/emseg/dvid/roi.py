"""Regions of interest in DVID: sets of blocks, kept as runs along X."""

from __future__ import annotations

import json

import numpy as np

from emseg.dvid.instances import create_instance, refuse_instance
from emseg.dvid.nodes import Node
from emseg.errors import IntegrityError
from emseg.geometry import Roi


class RoiInstance:
    """The roi instance `name`, as it is in `node`."""

    def __init__(self, node: Node, name: str) -> None:
        """Nothing is sent."""
        self.node, self.name = node, name

    def create(self, block_vox: int = 32) -> None:
        """Make the instance, or adopt one with the same block size."""
        settings = {"BlockSize": ",".join([str(block_vox)] * 3)}
        if not create_instance(self.node, self.name, "roi", settings) and self.block_vox() != block_vox:
            raise refuse_instance(
                self.node, self.name, f"it exists with blocks of {self.block_vox()} voxels", "Use another name"
            )

    def block_vox(self) -> int:
        """Edge of the instance's cubic blocks in voxels."""
        record = self.node.server.get_json(self.node.path(self.name, "info"))
        sizes = set(record["Extended"].get("BlockSize", ())) if record["Base"]["TypeName"] == "roi" else set()
        if len(sizes) != 1:
            raise refuse_instance(
                self.node, self.name, f"it is of type {record['Base']['TypeName']}", "Name a roi with cubic blocks"
            )
        return int(sizes.pop())

    def read(self) -> Roi:
        """The region; empty if nothing was written."""
        block_vox = self.block_vox()
        where = self.node.path(self.name, "roi")
        runs = np.array(self.node.server.get_json(where), np.int64).reshape(-1, 4)
        lengths = runs[:, 3] - runs[:, 2] + 1
        if bool((lengths < 1).any()):
            raise IntegrityError("reading a ROI", f"GET {where}", "a run ends before it begins", "Write the ROI again")
        blocks = np.repeat(runs[:, :3], lengths, axis=0)
        firsts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        blocks[:, 2] += np.arange(len(blocks)) - firsts
        return Roi.of_blocks(blocks, block_vox)

    def write(self, roi: Roi) -> None:
        """Replace the region."""
        if roi.block_vox != self.block_vox():
            raise refuse_instance(
                self.node,
                self.name,
                f"its blocks have {self.block_vox()} voxels, those of the region {roi.block_vox}",
                "Create the ROI with the region's block size",
            )
        starts = np.ones(len(roi.blocks), bool)
        steps = np.diff(roi.blocks, axis=0)
        starts[1:] = (steps != (0, 0, 1)).any(axis=1)
        first = np.flatnonzero(starts)
        last = np.append(first[1:], len(roi.blocks)) - 1 if len(first) else first
        runs = np.column_stack((roi.blocks[first], roi.blocks[last, 2]))
        self.node.server.post(self.node.path(self.name, "roi"), json.dumps(runs.tolist()).encode(), repeatable=True)
