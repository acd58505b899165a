"""`emseg ingest`: volumes from files (image stack, npz/npy, HDF5, Zarr, N5, precomputed) into DVID."""

from __future__ import annotations

from typing import Annotated

import typer

from emseg.cli.connecting import dvid_server
from emseg.cli.console import bricks_shown, console
from emseg.dvid import Node, create_repo, resolve_node
from emseg.ingest import MissingChunks, ingest_grayscale, ingest_labels, ingest_roi, open_source

cli = typer.Typer(no_args_is_help=True)

Source = Annotated[
    str, typer.Argument(help="FILE, FOLDER or ADDRESS (https, s3, gs), with :NAME for an array or a scale inside")
]
Missing = Annotated[
    MissingChunks, typer.Option(help="What a chunk is that is not there: an error, or empty (Zarr, N5, precomputed)")
]
Uuid = Annotated[str, typer.Option("--node", help="Open DVID node to write to: UUID or unique prefix")]
VoxelSize = Annotated[tuple[float, float, float], typer.Option(help="Size of a voxel, nm, Z Y X")]
Offset = Annotated[tuple[int, int, int], typer.Option(help="Position of the first voxel, voxels Z Y X")]


@cli.command()
def repo(alias: str, description: str = "") -> None:
    """Make a repository and print the UUID of its root node."""
    console.print(create_repo(dvid_server(), alias, description))


@cli.command()
def grayscale(
    source: Source,
    node: Uuid,
    voxel_size_nm: VoxelSize,
    instance: str = "grayscale",
    offset: Offset = (0, 0, 0),
    missing_chunks: Missing = "refuse",
) -> None:
    """Write uint8 grayscale."""
    receipt = ingest_grayscale(
        _node(node),
        instance,
        open_source(source, missing_chunks),
        voxel_size_nm,
        offset,
        bricks_shown(f"grayscale {instance}"),
    )
    console.print(f"{receipt.box.voxels / 1e6:.1f} Mvoxels at {receipt.box.start} in {instance}")


@cli.command()
def labels(
    source: Source,
    node: Uuid,
    voxel_size_nm: VoxelSize,
    instance: str = "groundtruth",
    max_scale: int = 2,
    offset: Offset = (0, 0, 0),
    missing_chunks: Missing = "refuse",
) -> None:
    """Write labels (ground truth, or a segmentation made elsewhere) with their indices at every scale."""
    receipt = ingest_labels(
        _node(node),
        instance,
        open_source(source, missing_chunks),
        voxel_size_nm,
        max_scale,
        offset,
        bricks_shown(f"labels {instance}"),
    )
    console.print(f"{receipt.labels} labels in {receipt.box.voxels / 1e6:.1f} Mvoxels at {receipt.box.start}")


@cli.command()
def roi(
    source: Source,
    node: Uuid,
    name: str = "roi",
    offset: Offset = (0, 0, 0),
    missing_chunks: Missing = "refuse",
) -> None:
    """Write a mask as a region of interest: every 32-voxel block that holds a voxel other than 0."""
    region = ingest_roi(
        _node(node), name, open_source(source, missing_chunks), offset=offset, progress=bricks_shown(f"roi {name}")
    )
    console.print(f"{len(region.blocks)} blocks in {name}")


@cli.command()
def commit(node: Uuid, note: str) -> None:
    """Lock the node: only a committed node can be segmented."""
    _node(node).commit(note)
    console.print(f"committed {_node(node).uuid}")


def _node(reference: str) -> Node:
    server = dvid_server()
    return Node(server, resolve_node(server, reference).uuid)
