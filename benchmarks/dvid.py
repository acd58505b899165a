"""What emseg adds to DVID's own time: encoding and the read-back check of written labels, and unpacking on reading.

A real DVID is started in a folder of its own and stopped at the end (the first time in a checkout it is built, which
takes minutes). Wall time, because the server works, too; every round writes into an instance of its own. Labels are
written twice: with one core for the client and the others for the server, as where Spark and DVID have machines of
their own, and with all cores shared, where two cores leave client and server waiting for each other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.data import PROJECT, labelled_em, segmentations
from benchmarks.rows import Row
from benchmarks.side_by_side import side_by_side
from emseg.devstack import down, up
from emseg.dvid import BLOCK_VOX, DvidServer, Grayscale, Labelmap, Node, create_repo, write_brick
from emseg.dvid.coordinates import xyz_text
from emseg.dvid.labels.block import encode_block, pack_block
from emseg.dvid.labels.bricks import blocks_of
from emseg.dvid.labels.labelmap import PackedBlock, digests_of
from emseg.dvid.labels.stream import frame
from emseg.geometry import Box, Coordinate

ROUNDS = 15
VOXEL_SIZE_NM = (8.0, 8.0, 8.0)
FIRST_BLOCK = Coordinate(0, 0, 0)


def run() -> list[Row]:
    """Labels written and read, grayscale read, each beside the bare request."""
    with open_node(client_cores=1) as node:
        rows = _labels_written(node, "client on one core, server on the others")
    with open_node() as node:
        return [*rows, *_labels_written(node, "all cores shared"), *_labels_read(node), *_grayscale_read(node)]


@contextmanager
def open_node(client_cores: int | None = None) -> Iterator[Node]:
    """A node of a new repository; the server lives as long as the context.

    Of `client_cores` this process has the use as long, and the server of all others (at least one).
    """
    cores = sorted(os.sched_getaffinity(0))
    with TemporaryDirectory() as folder:
        try:
            os.sched_setaffinity(0, cores[client_cores:] or cores)  # a server keeps what it was started with
            stack = up(Path(folder), PROJECT / "build" / "tools")
            os.sched_setaffinity(0, cores[:client_cores])
            server = DvidServer(stack.dvid)
            yield Node(server, create_repo(server, "bench", "benchmarks of emseg"))
        finally:
            os.sched_setaffinity(0, cores)
            down(Path(folder))


def _labels_written(node: Node, cores: str) -> list[Row]:
    volume = segmentations()[0]
    labels = volume.labels.astype(np.uint64)
    ids, places = np.unique(labels, return_inverse=True)
    local = places.reshape(labels.shape).astype(np.uint32)
    blocks = list(blocks_of(labels, FIRST_BLOCK))
    local_blocks = list(blocks_of(local, FIRST_BLOCK))  # type: ignore[arg-type] # it cuts any dtype alike
    body = b"".join(frame(block, pack_block(voxels)) for block, voxels in blocks)
    box = Box.of_shape(labels.shape).coarser(BLOCK_VOX)
    written, bare = "write_brick (encode, count, post, read back)", "post of ready bytes"
    sent, sent_local, checked = "encode and post", "encode local labels and post", "post of ready bytes, bare read back"

    def packed() -> Iterator[PackedBlock]:
        return ((block, pack_block(voxels)) for block, voxels in blocks)

    def packed_local() -> Iterator[PackedBlock]:
        return ((block, encode_block(voxels, ids).packed()) for block, voxels in local_blocks)

    read_back = Labelmap(node, "brick-0")
    times = side_by_side(
        {
            written: _into_new(node, "brick", lambda to: write_brick(to, 0, labels, FIRST_BLOCK)),
            sent: _into_new(node, "encoded", lambda to: to.ingest_supervoxels(0, packed())),
            sent_local: _into_new(node, "local", lambda to: to.ingest_supervoxels(0, packed_local())),
            "encode": lambda: list(packed()),
            "encode local labels": lambda: list(packed_local()),
            bare: _into_new(node, "bare", lambda to: posted(to, body)),
            checked: _into_new(node, "checked", lambda to: (posted(to, body), bare_read(to, box))),
            "read back digests": lambda: digests_of(read_back.stored_blocks(box, 0)),
        },
        ROUNDS,
        time.perf_counter,
    )
    mvoxels, said = labels.size / 1e6, f"{volume.name} labels, {cores}"
    rows = [Row(f"{said}: {name}", 1e3 * times.median_s(name) / mvoxels, "ms/Mvoxel") for name in times.seconds]
    beside = ((written, checked), (sent, bare), (sent_local, bare), ("encode local labels", bare))
    ratios = [Row(f"{said}: {name} / {to}", times.ratio(name, to), "x") for name, to in beside]
    return [*rows, *ratios]


def _into_new(node: Node, name: str, write: Callable[[Labelmap], object]) -> Callable[[], object]:
    """`write` on the next of the instances made here: one a round and one for the round that is not counted.

    Their settings are known already, as to every task of a process but the first.
    """
    targets = [Labelmap(node, f"{name}-{number}") for number in range(ROUNDS + 1)]
    for labelmap in targets:
        labelmap.create(1, VOXEL_SIZE_NM)
        assert not list(labelmap.stored_blocks(Box.of_shape((1, 1, 1)), 0))
    unused = iter(targets)
    return lambda: write(next(unused))


def posted(labelmap: Labelmap, body: bytes, scale: int = 0) -> bytes:
    """Answer to a stream of blocks that is ready."""
    where = labelmap.node.path(labelmap.instance, "ingest-supervoxels")
    return labelmap.node.server.post(where, body, {"scale": str(scale)}, repeatable=True)


def bare_read(labelmap: Labelmap, box_blocks: Box, scale: int = 0) -> bytes:
    """The stored stream of every block of the box, which begins at block (0, 0, 0)."""
    voxels = xyz_text(box_blocks.shape * BLOCK_VOX)
    path = labelmap.node.path(labelmap.instance, "blocks", voxels, xyz_text(FIRST_BLOCK))
    return labelmap.node.server.get(path, {"compression": "blocks", "supervoxels": "true", "scale": str(scale)})


def _labels_read(node: Node) -> list[Row]:
    volume = segmentations()[0]
    labelmap, box = Labelmap(node, "brick-0"), Box.of_shape(volume.labels.shape)
    assert np.array_equal(labelmap.read(box, supervoxels=True), volume.labels)
    blocks = box.coarser(BLOCK_VOX)
    read, bare = "Labelmap.read", "the bare requests"
    times = side_by_side(
        {read: lambda: labelmap.read(box, supervoxels=True), bare: lambda: bare_read(labelmap, blocks)},
        ROUNDS,
        time.perf_counter,
    )
    mvoxels, said = box.voxels / 1e6, f"{volume.name} labels"
    rows = [Row(f"{said}: {name}", 1e3 * times.median_s(name) / mvoxels, "ms/Mvoxel") for name in times.seconds]
    return [*rows, Row(f"{said}: {read} / {bare}", times.ratio(read, bare), "x")]


def _grayscale_read(node: Node) -> list[Row]:
    em = labelled_em()
    grayscale, box = Grayscale(node, "grayscale"), Box.of_shape(em.grayscale.shape)
    grayscale.create(VOXEL_SIZE_NM)
    grayscale.write(box, em.grayscale)
    assert np.array_equal(grayscale.read(box), em.grayscale)
    path = node.path("grayscale", "raw", "0_1_2", xyz_text(box.shape), xyz_text(box.start))
    read, bare = "Grayscale.read", "the bare request"
    times = side_by_side(
        {read: lambda: grayscale.read(box), bare: lambda: node.server.get(path)}, ROUNDS, time.perf_counter
    )
    said = f"{em.name} grayscale"
    rows = [Row(f"{said}: {name}", box.voxels / times.median_s(name) / 1e6, "MB/s") for name in times.seconds]
    return [*rows, Row(f"{said}: {read} / {bare}", times.ratio(read, bare), "x")]
