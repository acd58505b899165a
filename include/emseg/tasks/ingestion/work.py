"""The work on one brick of an ingestion, wherever it runs.

Memory of a task: 400 MB for grayscale and labels alike (a part of 128 MB of the source, up to twice that beside it for
a window or for what is encoded), the chunks that are decoded at a time, and 100 MB of Python and its libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import JsonValue

from emseg.config.base import INGESTIONS
from emseg.config.ingestion import INGEST, IngestParameters, IngestSpec
from emseg.config.runspec import digest_of
from emseg.dvid import DvidServer, Node
from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import VolumeSource, WindowedSource, open_source
from emseg.ingest.bricks import LABEL_BYTES, bricks_of
from emseg.ingest.folders import Gaps
from emseg.ingest.gray_pyramid import GrayPyramid
from emseg.ingest.label_bricks import LabelBricks
from emseg.ingest.opening import split_address
from emseg.phases.services import DvidServices
from emseg.phases.write.artefacts import NEW_COUNTS, counts_table
from emseg.store import ItemMarker, PhaseFolder

_PREFIX = "br-"
ROWS = "rows"
"""What a brick of labels counts: voxels of a label in a block."""


@dataclass(frozen=True)
class IngestBrick:
    """The work on one brick; it travels to Spark's workers, and holds no connection and no secret."""

    spec: IngestSpec
    attempt: str
    open_services: Callable[[], DvidServices]
    volume: Box | None = None
    """Of grayscale: what the instance will hold, with the parts that were ingested before."""

    def __call__(self, item: str) -> ItemMarker:
        """Write the brick named `item` at every scale, and commit it."""
        services = self.open_services()
        brick = bricks_of_source(self.spec)[int(item.removeprefix(_PREFIX))]
        folder = phase_folder(self.spec, services, self.attempt)
        voxels = brick.clipped(box_of(self.spec)).voxels
        if self.spec.kind == "grayscale":
            gray_target(self.spec, services.server, self.volume).write(brick)
            return folder.commit_item(item, [], {"voxels": voxels})
        counts = label_target(self.spec, services.server).write(brick)
        table = NEW_COUNTS.write(folder, item, counts_table(counts))
        return folder.commit_item(item, [table], {"voxels": voxels, ROWS: len(counts)})


def items_of(spec: IngestSpec) -> tuple[str, ...]:
    """Names of all bricks."""
    return tuple(f"{_PREFIX}{number:08d}" for number in range(len(bricks_of_source(spec))))


def box_of(spec: IngestSpec) -> Box:
    """The voxels of the source, where they lie in DVID."""
    return Box.of_shape(spec.shape_vox, spec.offset_vox)


def phase_folder(spec: IngestSpec, services: DvidServices, attempt: str) -> PhaseFolder:
    """Where the markers are."""
    return PhaseFolder(services.store, INGESTIONS, INGEST, spec.key, attempt)


def gray_target(spec: IngestSpec, server: DvidServer, volume: Box | None = None) -> GrayPyramid:
    """Where grayscale goes; `volume` as `GrayPyramid.create` returned it."""
    return GrayPyramid(Node(server, spec.node), spec.instance, source_of(spec), box_of(spec), spec.max_scale, volume)


def label_target(spec: IngestSpec, server: DvidServer) -> LabelBricks:
    """Where labels go."""
    return LabelBricks(Node(server, spec.node), spec.instance, source_of(spec), box_of(spec), spec.max_scale)


@cache
def bricks_of_source(spec: IngestSpec) -> list[Box]:
    """The bricks in the order of their numbers, the same in every process."""
    source = source_of(spec)
    size = LABEL_BYTES if spec.kind == "labels" else source.dtype.itemsize
    return bricks_of(box_of(spec), spec.max_scale, size, source.info.chunk_vox)


@cache
def source_of(spec: IngestSpec) -> VolumeSource:
    """The source, opened once a process. PermanentError where it is not the one that was pinned."""
    source = opened(spec)
    if digest_of_source(source) != spec.source_digest:
        raise PermanentError(
            "opening the source of an ingestion",
            spec.source,
            "it has changed since it was pinned: its size, its time, or what it says of itself",
            "Clear the task `pin` to ingest it as it is now",
        )
    return source


def opened(chosen: IngestParameters | IngestSpec) -> VolumeSource:
    """The source, through a window where one is given."""
    source = open_source(chosen.source, chosen.missing_chunks, Gaps(chosen.gaps))
    return WindowedSource(source, *chosen.window) if chosen.window else source


def digest_of_source(source: VolumeSource) -> str:
    """Digest of what the source tells of itself; of a file, and of the files of a folder, also size and time.

    Voxels that change in a chunk further down do not change it.
    """
    info = source.info
    path = Path(split_address(info.address)[0])
    told: list[JsonValue] = [str(info), str(source.shape), source.dtype.str]
    files = [path] if path.is_file() else sorted(path.glob("[!.]*")) if path.is_dir() else []
    for file in files:
        about = file.stat()
        told += [file.name, about.st_size, about.st_mtime_ns]
    return digest_of(told)
