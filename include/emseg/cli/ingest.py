"""`emseg ingest`: volumes from files (image stack, TIFF, npz/npy, HDF5, Zarr, N5, precomputed) into DVID."""

from __future__ import annotations

from typing import Annotated

import typer

from emseg.cli.connecting import dvid_server
from emseg.cli.console import bricks_shown, console
from emseg.dvid import Grayscale, Node, create_repo, resolve_node
from emseg.geometry import Box, Coordinate
from emseg.ingest import (
    Gaps,
    MissingChunks,
    Place,
    VolumeSource,
    WindowedSource,
    ingest_grayscale,
    ingest_labels,
    ingest_roi,
    offset_of,
    open_source,
    placed,
)
from emseg.ingest.gray_extents import extents_with
from emseg.ingest.grayscale import check_grayscale, gray_target
from emseg.ingest.label_bricks import check_label_source
from emseg.ingest.labels import label_target
from emseg.ingest.placing import known_size
from emseg.ingest.roi import check_mask, check_region
from emseg.ingest.summary import summary
from emseg.ingest.targets import open_node

cli = typer.Typer(no_args_is_help=True)

Source = Annotated[
    str, typer.Argument(help="FILE, FOLDER or ADDRESS (https, s3, gs), with :NAME for an array or a scale inside")
]
Missing = Annotated[
    MissingChunks,
    typer.Option(help="What a chunk is that is not there: an error, or empty (HDF5, Zarr, N5, precomputed)"),
]
Uuid = Annotated[str, typer.Option("--node", help="Open DVID node to write to: UUID or unique prefix")]
VoxelSize = Annotated[
    tuple[float, float, float] | None, typer.Option(help="Size of a voxel, nm, Z Y X; what the file says by default")
]
Offset = Annotated[
    tuple[int, int, int] | None,
    typer.Option(help="Position of the first voxel, voxels Z Y X; what the file says, or 0 0 0, by default"),
]
Window = Annotated[
    tuple[int, int] | None, typer.Option(help="Gray values that become 0 and 255, for files of 16 bits: LOW HIGH")
]
Overrule = Annotated[bool, typer.Option("--overrule-file", help="Go by the options where the file says otherwise")]
OnGaps = Annotated[
    Gaps, typer.Option(help="A folder lacks numbers: refuse it, put blank sections there, or close the sections up")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what was found and where it would go; write nothing")]


@cli.command()
def repo(alias: str, description: str = "") -> None:
    """Make a repository and print the UUID of its root node."""
    console.print(create_repo(dvid_server(), alias, description))


@cli.command()
def grayscale(
    source: Source,
    node: Uuid,
    *,
    voxel_size_nm: VoxelSize = None,
    instance: str = "grayscale",
    max_scale: Annotated[int, typer.Option(min=0, max=4, help="Coarser scales, as instances NAME_1, NAME_2, ...")] = 0,
    offset: Offset = None,
    window: Window = None,
    gaps: OnGaps = Gaps.REFUSE,
    missing_chunks: Missing = "refuse",
    overrule_file: Overrule = False,
    dry_run: DryRun = False,
) -> None:
    """Write uint8 grayscale, or 16 bits through a window. Parts of a volume may go into one instance, one by one."""
    opened = open_source(source, missing_chunks, gaps)
    windowed = None if window is None else WindowedSource(opened, *window)
    volume: VolumeSource = windowed or opened
    check_grayscale(volume, instance)
    place = placed(volume.info, voxel_size_nm, offset, overrule_file)
    target = open_node(dvid_server(), node)
    gray_target(target, instance, volume, place.voxel_size_nm, place.offset, max_scale)
    _show_place(volume, place, f"{_told(target)}, grayscale {instance}")
    _show_extents(target, instance, Box.of_shape(volume.shape, place.offset))
    _show_clipped(windowed, "of the voxels that were looked at")
    if dry_run:
        return
    shown = bricks_shown(f"grayscale {instance}")
    receipt = ingest_grayscale(target, instance, volume, place.voxel_size_nm, place.offset, shown, max_scale)
    _show_clipped(windowed, "of all voxels")
    console.print(f"{receipt.box.voxels / 1e6:.1f} Mvoxels at {receipt.box.start} in {instance}")


@cli.command()
def labels(
    source: Source,
    node: Uuid,
    *,
    voxel_size_nm: VoxelSize = None,
    instance: str = "groundtruth",
    max_scale: int = 2,
    offset: Offset = None,
    gaps: OnGaps = Gaps.REFUSE,
    missing_chunks: Missing = "refuse",
    overrule_file: Overrule = False,
    dry_run: DryRun = False,
) -> None:
    """Write labels (ground truth, or a segmentation made elsewhere) with their indices at every scale."""
    volume = open_source(source, missing_chunks, gaps)
    check_label_source(volume)
    place = placed(volume.info, voxel_size_nm, offset, overrule_file)
    target = open_node(dvid_server(), node)
    label_target(target, instance, volume, place.voxel_size_nm, max_scale, place.offset)
    _show_place(volume, place, f"{_told(target)}, labels {instance}")
    if dry_run:
        return
    shown = bricks_shown(f"labels {instance}")
    receipt = ingest_labels(target, instance, volume, place.voxel_size_nm, max_scale, place.offset, shown)
    console.print(f"{receipt.labels} labels in {receipt.box.voxels / 1e6:.1f} Mvoxels at {receipt.box.start}")


@cli.command()
def roi(
    source: Source,
    node: Uuid,
    name: str = "roi",
    offset: Offset = None,
    gaps: OnGaps = Gaps.REFUSE,
    missing_chunks: Missing = "refuse",
    overrule_file: Overrule = False,
    dry_run: DryRun = False,
) -> None:
    """Write a mask as a region of interest: every 32-voxel block that holds a voxel other than 0."""
    volume = open_source(source, missing_chunks, gaps)
    check_mask(volume)
    start, said = offset_of(volume.info, known_size(volume.info), offset, overrule_file)
    target = open_node(dvid_server(), node)
    check_region(target, name, volume, start)
    _show(volume, start, "", f"{tuple(start)}, says {said}", f"{_told(target)}, region {name}")
    if dry_run:
        return
    region = ingest_roi(target, name, volume, offset=start, progress=bricks_shown(f"roi {name}"))
    console.print(f"{len(region.blocks)} blocks in {name}")


@cli.command()
def commit(node: Uuid, note: str) -> None:
    """Lock the node: only a committed node can be segmented."""
    _node(node).commit(note)
    console.print(f"committed {_node(node).uuid}")


def _node(reference: str) -> Node:
    server = dvid_server()
    return Node(server, resolve_node(server, reference).uuid)


def _told(node: Node) -> str:
    return f"DVID {node.server.url}, node {node.uuid}"


def _show_place(source: VolumeSource, place: Place, goes_to: str) -> None:
    _show(source, place.offset, *place.told, goes_to)


def _show(source: VolumeSource, start: Coordinate, size: str, offset: str, goes_to: str) -> None:
    """The summary, before anything is written. Reading the sample finds damage early, too."""
    for name, value in summary(source, Box.of_shape(source.shape, start), size, offset, goes_to):
        console.print(f"{name:<12} {value}", markup=False, highlight=False)


def _show_extents(node: Node, instance: str, box: Box) -> None:
    """What an instance that exists holds already: this may be the second part of a volume."""
    if not node.has(instance):
        return
    gray = Grayscale(node, instance)
    before, after = gray.info().extents, extents_with(gray, box)
    if before is not None and before != after:
        console.print(
            f"{'holds now':<12} voxels {tuple(before.start)} to {tuple(before.stop)}; "
            f"with these, {tuple(after.start)} to {tuple(after.stop)}",
            highlight=False,
        )


def _show_clipped(windowed: WindowedSource | None, of: str) -> None:
    if windowed is not None:
        share = windowed.clipped / windowed.voxels
        console.print(f"{'clipped':<12} {100 * share:.3g} % {of} lie outside of the window", highlight=False)
        windowed.recount()
