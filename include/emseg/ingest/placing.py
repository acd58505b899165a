"""Where a volume lies and how large its voxels are: what the file says, what the options say, and never one against the
other in silence.

Example: CREMI's labels say `resolution` 40 x 4 x 4 nm and `offset` 160, 64, 64 nm. They begin at voxel (4, 16, 16),
also where no option says so; with `--voxel-size-nm 4 4 40` they are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose, isfinite

from emseg.errors import PermanentError
from emseg.geometry import ORIGIN, Coordinate, VoxelSize, checked_voxel_size
from emseg.ingest.sources import SaidSize, SourceInfo

DOING = "placing a volume"
OVERRULE = "give --overrule-file to go by the option"
TOLERANCE = 1e-3
"""Files keep sizes as fractions or float32: 4.5 nm may be 4.50001 there. Relative; of an offset, in voxels."""


@dataclass(frozen=True)
class Place:
    """Size of a voxel, position of the first voxel, and in words who said so."""

    voxel_size_nm: VoxelSize
    offset: Coordinate
    said: tuple[str, str]

    @property
    def told(self) -> tuple[str, str]:
        """Size and position for people, each with who said so."""
        size, offset = self.said
        return (
            f"{told_size(self.voxel_size_nm)} nm, Z Y X, says {size}",
            f"{tuple(self.offset)}, Z Y X, says {offset}",
        )


def placed(
    info: SourceInfo,
    voxel_size_nm: Sequence[float] | None = None,
    offset: tuple[int, int, int] | None = None,
    overrule: bool = False,
) -> Place:
    """The place of a source: the options where they are given, else the file.

    PermanentError where both speak and contradict each other or what the file says cannot be used (unless `overrule`),
    where neither tells a voxel size, and for an offset that is below 0 or between two voxels.
    """
    _require_usable(info, offset, overrule)
    size, said_of_size = _size(info, voxel_size_nm, overrule)
    start, said_of_offset = offset_of(info, size, offset, overrule)
    return Place(size, start, (said_of_size, said_of_offset))


def offset_of(
    info: SourceInfo, voxel_size_nm: VoxelSize | None, offset: tuple[int, int, int] | None, overrule: bool = False
) -> tuple[Coordinate, str]:
    """Position of the first voxel, and who said so; see `placed`."""
    _require_usable(info, offset, overrule)
    told = _said_offset(info, voxel_size_nm) if info.offset_nm is not None and not (overrule and offset) else None
    if offset is not None and told is not None and tuple(offset) != tuple(told):
        raise PermanentError(
            DOING,
            info.address,
            f"the file says that its first voxel is {told}, and the option --offset {tuple(offset)} (voxels Z Y X)",
            f"Leave the option out to go by the file, or {OVERRULE}",
        )
    start = Coordinate.of(offset if offset is not None else told or ORIGIN)
    if min(start) < 0:
        raise PermanentError(
            DOING,
            info.address,
            f"its first voxel would be {tuple(start)}: DVID cannot serve bodies at negative positions",
            "Give --offset with numbers from 0, moving all volumes of the dataset alike"
            + (", and --overrule-file" if told is not None else ""),
        )
    return start, "the option" if offset is not None else "the file" if told is not None else "nobody: the origin"


def _require_usable(info: SourceInfo, offset: tuple[int, int, int] | None, overrule: bool) -> None:
    if info.unusable and (offset is None or not overrule):
        raise PermanentError(
            DOING,
            info.address,
            f"what the file says of its voxels and its place cannot be used: {'; '.join(info.unusable)}",
            "Correct it in the file, or remove it there; or give --offset (for grayscale and labels --voxel-size-nm, "
            "too) and --overrule-file",
        )


def _size(info: SourceInfo, given: Sequence[float] | None, overrule: bool) -> tuple[VoxelSize, str]:
    said = info.voxel_size_nm
    if given is not None:
        size = checked_voxel_size(given, DOING, f"--voxel-size-nm, {info.address}")
        if said is not None and not overrule and not _agree(said, size):
            raise PermanentError(
                DOING,
                info.address,
                f"the file says that its voxels are {told_size(said)} nm, the option says {told_size(size)} nm (Z Y X)",
                f"Correct the option or leave it out, or {OVERRULE}",
            )
        return size, "the option" if said is None or overrule else "the option, and the file agrees"
    size_of_file = known_size(info)
    if size_of_file is None:
        found = "the file does not tell the size of its voxels"
        if said is not None:
            found = f"of the size of its voxels the file tells only {told_size(said)} nm"
        raise PermanentError(DOING, info.address, f"{found} (Z Y X)", "Give --voxel-size-nm Z Y X")
    return size_of_file, "the file"


def _agree(said: SaidSize, given: VoxelSize) -> bool:
    return all(edge is None or isclose(edge, other, rel_tol=TOLERANCE) for edge, other in zip(said, given, strict=True))


def _said_offset(info: SourceInfo, size: VoxelSize | None) -> Coordinate | None:
    if info.offset_nm is None or not any(info.offset_nm):
        return None if info.offset_nm is None else Coordinate.of(ORIGIN)
    if size is None:
        found = f"the file says that it begins at {info.offset_nm} nm, and tells no size of its voxels"
        raise PermanentError(DOING, info.address, found, f"Give --offset in voxels; {OVERRULE}")
    voxels = [offset / edge for offset, edge in zip(info.offset_nm, size, strict=True)]
    if not all(isfinite(each) and isclose(each, round(each), abs_tol=TOLERANCE) for each in voxels):
        raise PermanentError(
            DOING,
            info.address,
            f"the file says that it begins at {info.offset_nm} nm, which lies between voxels of {told_size(size)} nm",
            f"Resample it to whole voxels; or give --offset in voxels, and {OVERRULE}",
        )
    return Coordinate.of([round(each) for each in voxels])


def known_size(info: SourceInfo) -> VoxelSize | None:
    """The size of a voxel where the file tells all of it."""
    if info.voxel_size_nm is None or None in info.voxel_size_nm:
        return None
    return checked_voxel_size(info.voxel_size_nm, DOING, info.address)  # type: ignore[arg-type]


def told_size(size: SaidSize) -> str:
    """`40 x 4 x 4`; `?` for an axis of which nobody knows."""
    return " x ".join("?" if edge is None else f"{edge:.6g}" for edge in size)
