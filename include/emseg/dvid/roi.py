"""Regions of interest in DVID: sets of blocks, kept as runs along X."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt

from emseg.dvid.instances import create_instance, refuse_instance
from emseg.dvid.nodes import Node
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import LIMIT_VOX, Roi


class RoiInstance:
    """The roi instance `name`, as it is in `node`."""

    def __init__(self, node: Node, name: str) -> None:
        """Nothing is sent."""
        self.node, self.name = node, name

    def create(self, block_vox: int = 32) -> None:
        """Make the instance, or adopt one with the same block size."""
        settings = {"BlockSize": ",".join([str(block_vox)] * 3)}
        if not create_instance(self.node, self.name, "roi", settings):
            self.require(block_vox)

    def require(self, block_vox: int = 32) -> None:
        """PermanentError unless the instance, which exists, is a roi of this block size."""
        if self.block_vox() != block_vox:
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
        runs = _runs(self.node.server.get_json(where), f"GET {where}")
        lengths = runs[:, 3] - runs[:, 2] + 1
        blocks = np.repeat(runs[:, :3], lengths, axis=0)
        firsts = np.repeat(np.cumsum(lengths) - lengths, lengths)
        blocks[:, 2] += np.arange(len(blocks)) - firsts
        return Roi.of_blocks(blocks, block_vox)

    def write(self, roi: Roi) -> None:
        """Replace the region; refuses one without blocks."""
        require_blocks(roi, self.name)
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


def require_blocks(roi: Roi, name: str) -> None:
    """PermanentError for a region without blocks."""
    if roi.is_empty:
        raise PermanentError(
            "writing a region of interest",
            name,
            "it has no block, so a run would have nothing to segment",
            "Give a mask with a voxel other than 0, or leave the ROI out to take the whole volume",
        )


def _runs(answer: object, where: str) -> npt.NDArray[np.int64]:
    """Runs along X as (n, 4): z, y, first x, last x, in blocks. IntegrityError for anything else in the answer."""
    try:
        runs = np.array(answer, np.int64).reshape(-1, 4)
    except (TypeError, ValueError, OverflowError):
        raise IntegrityError("reading a ROI", where, "these are no runs of blocks", "Write the ROI again") from None
    if len(runs) and (np.abs(runs).max() > LIMIT_VOX or (runs[:, 3] < runs[:, 2]).any()):
        found = "a run ends before it begins, or lies where DVID has no blocks"
        raise IntegrityError("reading a ROI", where, found, "Write the ROI again")
    return runs
