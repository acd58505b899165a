"""Data instances: making one, or adopting the one that an earlier call made; and what all types of voxels share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emseg.dvid.coordinates import told_box, zyx
from emseg.dvid.errors import AlreadyExistsError
from emseg.dvid.http import path
from emseg.dvid.nodes import Node
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box, Coordinate, VoxelSize, checked_voxel_size

VecNm = VoxelSize


@dataclass(frozen=True)
class ArrayInfo:
    """What `/info` says of an instance of voxels. `extents` is None until they are set; `max_scale` is a labelmap's."""

    type: str
    extents: Box | None
    block_vox: Coordinate
    voxel_size_nm: VecNm
    compression: str
    max_scale: int


def create_instance(node: Node, name: str, kind: str, settings: Mapping[str, str]) -> bool:
    """Make an instance; False when one of this name exists already (the caller checks that it is as needed).

    All settings are strings: DVID refuses numbers.
    """
    wanted = {"typename": kind, "dataname": name} | dict(settings)
    try:
        node.server.post_json(path("repo", node.uuid, "instance"), wanted)
    except AlreadyExistsError:
        return False
    return True


def voxel_settings(node: Node, name: str, voxel_size_nm: VecNm) -> dict[str, str]:
    """`VoxelSize` and `VoxelUnits` of a new instance; PermanentError for what is no size.

    DVID would take it: with an edge of nan the server can list none of its repositories any more.
    """
    size = checked_voxel_size(voxel_size_nm, "making a DVID instance", f"{name!r} in node {node.uuid}")
    return {
        "VoxelSize": ",".join(f"{edge:.12g}" for edge in reversed(size)),
        "VoxelUnits": "nanometers,nanometers,nanometers",
    }


def array_info(node: Node, name: str) -> ArrayInfo:
    """Read `/info` of an instance of voxels."""
    where = node.path(name, "info")
    record = node.server.get_json(where)
    try:
        extended = record["Extended"]
        if set(extended["VoxelUnits"]) != {"nanometers"}:
            raise PermanentError(
                "reading an instance's record",
                f"GET {where}",
                f"its voxel units are {extended['VoxelUnits']}",
                "Set VoxelUnits to nanometers on every axis",
            )
        return ArrayInfo(
            record["Base"]["TypeName"],
            told_box(record),
            zyx(extended["BlockSize"]),
            _voxel_size(extended["VoxelSize"], node, name),
            record["Base"]["Compression"],
            int(extended.get("MaxDownresLevel", 0)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise IntegrityError(
            "reading an instance's record",
            f"GET {where}",
            f"it is not the record of an instance of voxels ({type(error).__name__} {error})",
            "Check the instance's name and type",
        ) from None


def refuse_instance(node: Node, name: str, found: str, remedy: str) -> PermanentError:
    """The error for an instance that is not what a caller needs."""
    return PermanentError("opening a DVID instance", f"{name!r} in node {node.uuid}", found, remedy)


def _voxel_size(stored_xyz: Sequence[float], node: Node, name: str) -> VoxelSize:
    """The size that the server keeps, Z Y X. Another client may have stored what is none, and then must mend it."""
    where = f"{node.server.url}{path('node', 'OPEN_NODE', name, 'resolution')}"
    return checked_voxel_size(
        list(reversed(stored_xyz)),
        "reading an instance's record",
        f"{name!r} in node {node.uuid}",
        f"Set the true size in an open node of the repository, nm, X first: POST [8, 8, 8] to {where}",
    )
