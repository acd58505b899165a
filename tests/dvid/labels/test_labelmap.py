"""Labels on the real server: the very bytes kept, absent blocks read as 0, and the server agrees with our codec."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pytest

from emseg.dvid import (
    DvidServer,
    IndexTable,
    Labelmap,
    LabelmapInfo,
    Node,
    NodeLockedError,
    downsample_labels,
    post_indices,
)
from emseg.dvid.coordinates import xyz_text
from emseg.dvid.labels import labelmap as labelmap_module
from emseg.dvid.labels.block import pack_block
from emseg.dvid.labels.labelmap import PackedBlock
from emseg.dvid.labels.stream import frame, frames
from emseg.errors import PermanentError, TransientError
from emseg.geometry import Box, Coordinate

pytestmark = pytest.mark.services

Labels = npt.NDArray[np.uint64]
VOXEL_NM = (8.0, 8.0, 8.0)
BLOCK = (64, 64, 64)


def _scattered(seed: int, palette: int, grain: int = 1, first: int = 1) -> Labels:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(first, first + palette, (64 // grain,) * 3).astype(np.uint64)
    return np.ascontiguousarray(coarse.repeat(grain, 0).repeat(grain, 1).repeat(grain, 2))


def _kinds_of_block() -> dict[str, Labels]:
    with_zeros = _scattered(1, 7, 4, first=0)
    with_zeros[:16, :16] = 0
    return {
        "solid": np.full(BLOCK, 2**63 + 1, np.uint64),
        "smooth": _scattered(2, 12, 8),
        "with zeros": with_zeros,
        # The same 512 everywhere: where the server makes indices of its own, it takes minutes for 64^3 labels.
        "512 in a sub-block": np.tile(np.arange(1, 513, dtype=np.uint64).reshape(8, 8, 8), (8, 8, 8)),
        "two of large ids": np.where(_scattered(3, 2) == 1, 2**48 - 1, 2**40).astype(np.uint64),
        "257 in a sub-block": _scattered(4, 257),
    }


def test_an_instance_is_adopted_only_by_its_equal(node: Node, labelmap: Labelmap) -> None:
    """Kills numbers in the settings (DVID wants strings) and adopting fewer scales than asked for."""
    assert labelmap.info() == LabelmapInfo(None, VOXEL_NM, 2)
    Labelmap(node, "seg").create(2, VOXEL_NM)
    with pytest.raises(PermanentError) as caught:
        Labelmap(node, "seg").create(3, VOXEL_NM)
    assert "scales up to 2" in caught.value.found
    flat = Labelmap(node, "flat")
    flat.create(0, VOXEL_NM)
    assert flat.info().max_scale == 1  # viewers ignore a labelmap without coarser scales


def test_a_labelmap_with_other_blocks_is_refused(node: Node) -> None:
    """Kills posting 64^3 blocks into it: DVID takes them, and dies at the next read."""
    settings = {"typename": "labelmap", "dataname": "small", "BlockSize": "32,32,32", "Compression": "gzip"}
    node.server.post_json(f"/api/repo/{node.uuid}/instance", settings)
    for use in (
        lambda: Labelmap(node, "small").create(2, VOXEL_NM),
        lambda: Labelmap(node, "small").read(Box.of_shape(BLOCK)),
    ):
        with pytest.raises(PermanentError, match=r"\(32, 32, 32\)"):
            use()


def test_the_very_bytes_are_kept_and_posting_twice_changes_nothing(labelmap: Labelmap) -> None:
    """Kills bytes that depend on the clock (gzip) or on order, and digests of something else than what is stored."""
    kinds = enumerate(_kinds_of_block().values())
    blocks: dict[Coordinate, bytes] = {(i, -i, 2 * i): pack_block(labels) for i, labels in kinds}
    digests = {block: sha256(packed).hexdigest() for block, packed in blocks.items()}
    for _ in range(2):
        assert labelmap.ingest_supervoxels(0, blocks.items()) == digests
    assert dict(labelmap.stored_blocks(Box((-1, -6, -1), (7, 2, 12)), 0)) == blocks


@pytest.mark.parametrize("kind", _kinds_of_block())
def test_the_server_unpacks_what_we_pack(labelmap: Labelmap, kind: str) -> None:
    """Oracle: the server's own uncompressed voxels. Kills a codec that only agrees with itself."""
    labels = _kinds_of_block()[kind]
    labelmap.ingest_supervoxels(0, [((1, 2, 3), pack_block(labels))])
    where = labelmap.node.path("seg", "raw", "0_1_2", xyz_text(BLOCK), xyz_text((64, 128, 192)))
    raw = labelmap.node.server.get(where, {"supervoxels": "true"}, expected_bytes=8 * 64**3)
    np.testing.assert_array_equal(np.frombuffer(raw, "<u8").reshape(BLOCK), labels)


@pytest.mark.parametrize("kind", _kinds_of_block())
def test_we_unpack_what_the_server_packs(labelmap: Labelmap, kind: str) -> None:
    """Oracle: voxels posted raw, so that the server does the packing."""
    labels = _kinds_of_block()[kind]
    where = labelmap.node.path("seg", "raw", "0_1_2", xyz_text(BLOCK), xyz_text((64, 128, 192)))
    labelmap.node.server.post(where, gzip.compress(labels.tobytes(), 1), {"mutate": "true", "compression": "gzip"})
    box = Box.of_shape(BLOCK, (64, 128, 192))
    np.testing.assert_array_equal(labelmap.read(box, supervoxels=True), labels)


def test_any_box_is_read_and_absent_blocks_are_zero(labelmap: Labelmap) -> None:
    """Kills single-block /raw (500 over an absent block) and a paste at the wrong corner."""
    first, second = _scattered(1, 9, 4), _scattered(2, 9, 4)
    labelmap.ingest_supervoxels(0, [((-1, 0, 0), pack_block(first)), ((0, 0, 1), pack_block(second))])
    box = Box((-70, 10, 3), (30, 50, 140))
    expected = np.zeros((192, 64, 192), np.uint64)
    expected[64:128, :, :64] = first
    expected[128:192, :, 64:128] = second
    np.testing.assert_array_equal(labelmap.read(box), expected[58:158, 10:50, 3:140])
    assert not labelmap.read(Box.of_shape(BLOCK, (640, 640, 640))).any()
    assert not list(labelmap.stored_blocks(Box.of_shape((2, 2, 2), (10, 10, 10)), 0))
    assert set(dict(labelmap.stored_blocks(Box((-1, 0, 0), (1, 1, 2)), 0))) == {(-1, 0, 0), (0, 0, 1)}


def test_large_boxes_and_posts_go_in_several_requests(labelmap: Labelmap, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a last batch that is never sent, or a part asked for at the wrong block."""
    monkeypatch.setattr(labelmap_module, "REQUEST_BLOCKS", 2)
    monkeypatch.setattr(labelmap_module, "POST_BLOCKS", 2)
    blocks: dict[Coordinate, bytes] = {(0, i, 0): pack_block(np.full(BLOCK, i + 1, np.uint64)) for i in range(7)}
    assert labelmap.ingest_supervoxels(1, blocks.items()).keys() == blocks.keys()
    assert dict(labelmap.stored_blocks(Box.of_shape((1, 9, 1)), 1)) == blocks
    seen = labelmap.read(Box((5, 0, 5), (6, 448, 6)), scale=1)[0, :, 0]
    np.testing.assert_array_equal(seen, np.arange(1, 8).repeat(64))


def test_a_refusal_is_heard_while_megabytes_are_still_being_sent(labelmap: Labelmap) -> None:
    """Kills taking the server, which stops listening once it has answered, for a lost connection, and trying again."""
    labelmap.node.commit("done")
    noise = (np.random.default_rng(i).integers(1, 2**40, BLOCK).astype(np.uint64) for i in range(8))
    blocks = [((0, 0, i), pack_block(labels)) for i, labels in enumerate(noise)]
    with pytest.raises(NodeLockedError):
        labelmap.ingest_supervoxels(0, blocks)


def test_a_source_that_fails_under_way_is_not_taken_for_its_end(labelmap: Labelmap) -> None:
    """Whatever fails in it: kills a repeated request that posts what came before the failure, and reports success."""

    def blocks() -> Iterator[tuple[Coordinate, bytes]]:
        yield (0, 0, 0), pack_block(np.full(BLOCK, 5, np.uint64))
        raise ConnectionResetError("the store is gone")

    with pytest.raises((ConnectionResetError, TransientError)):
        labelmap.ingest_supervoxels(0, blocks())


def test_each_scale_is_kept_apart_and_none_beyond_the_last(labelmap: Labelmap) -> None:
    """Kills a forgotten scale parameter; DVID silently takes scales that nobody is ever shown."""
    for scale in range(3):
        labelmap.ingest_supervoxels(scale, [((0, 0, 0), pack_block(np.full(BLOCK, scale + 1, np.uint64)))])
    assert [int(labelmap.read(Box.of_shape((1, 1, 1)), scale=scale)[0, 0, 0]) for scale in range(3)] == [1, 2, 3]
    for scale in (-1, 3):
        with pytest.raises(PermanentError) as caught:
            labelmap.ingest_supervoxels(scale, [((0, 0, 0), pack_block(np.full(BLOCK, 1, np.uint64)))])
        assert f"scale {scale} " in caught.value.found


def test_our_coarser_scale_is_the_servers_where_no_voxel_is_zero(labelmap: Labelmap) -> None:
    """Oracle: DVID's own downsampling of an indexed post. (It ignores zeros, so there are none here.)"""
    labels = np.random.default_rng(1).integers(1, 4, (128, 128, 128)).astype(np.uint64)
    corners = [(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)]
    stream = b"".join(
        frame(c, pack_block(np.ascontiguousarray(labels[Box.of_shape(BLOCK, tuple(64 * v for v in c)).slices()])))  # type: ignore[arg-type]
        for c in corners
    )
    labelmap.node.server.post(labelmap.node.path("seg", "blocks"), stream, {"downres": "true"})
    for _ in range(100):  # the server computes coarser scales after it has answered
        coarse = labelmap.read(Box.of_shape(BLOCK), scale=1, supervoxels=True)
        if coarse.any():
            break
        time.sleep(0.02)
    np.testing.assert_array_equal(coarse, downsample_labels(labels))


def test_extents_are_what_was_set(labelmap: Labelmap) -> None:
    """Ingestion leaves them empty, and a viewer shows nothing outside of them."""
    labelmap.ingest_supervoxels(0, [((0, 0, 0), pack_block(np.full(BLOCK, 5, np.uint64)))])
    assert labelmap.info().extents is None
    for box in (Box((3, 0, 5), (64, 60, 70)), Box((0, 0, 0), (10, 11, 12))):
        labelmap.set_extents(box)
        assert labelmap.info().extents == box


def test_the_largest_label_is_asked_of_the_parents(labelmap: Labelmap) -> None:
    """A child that wrote nothing has none of its own at v1.0.0: kills an error where the answer is the parent's."""
    assert labelmap.max_label() == 0
    one = np.array([41], np.uint64)
    post_indices(labelmap, IndexTable(np.zeros((1, 3), np.int32), one, one, np.ones(1, np.uint32)))
    labelmap.node.commit("done")
    assert Labelmap(labelmap.node.branch("run-1"), "seg").max_label() == 41


def test_a_child_sees_its_parents_blocks_and_changes_only_its_own(server: DvidServer, labelmap: Labelmap) -> None:
    labelmap.ingest_supervoxels(0, [((0, 0, 0), pack_block(np.full(BLOCK, 5, np.uint64)))])
    labelmap.node.commit("done")
    child = Labelmap(labelmap.node.branch("run-1"), "seg")
    child.ingest_supervoxels(0, [((0, 0, 1), pack_block(np.full(BLOCK, 6, np.uint64)))])
    row = Box((0, 0, 0), (1, 1, 128))
    np.testing.assert_array_equal(np.unique(child.read(row)), [5, 6])
    np.testing.assert_array_equal(np.unique(labelmap.read(row)), [0, 5])


def test_the_stored_stream_is_ours_byte_for_byte(labelmap: Labelmap) -> None:
    """Kills framing that our own reader forgives: DVID's stream of one block is exactly what we would send."""
    labels = _scattered(8, 5, 8)
    labelmap.ingest_supervoxels(0, [((-2, 1, 3), pack_block(labels))])
    where = labelmap.node.path("seg", "specificblocks")
    stream = labelmap.node.server.get(where, {"blocks": "3,1,-2", "supervoxels": "true"})
    assert stream == frame((-2, 1, 3), pack_block(labels))
    assert [block for block, _ in frames(stream, "test")] == [(-2, 1, 3)]


def test_blocks_that_are_made_from_what_the_server_holds_do_not_wait_for_themselves(labelmap: Labelmap) -> None:
    """Kills a request that is begun before its body is made: with one request at a time, reading waits for writing."""
    labelmap.node.server._window.size = 1.0

    def made() -> Iterator[PackedBlock]:
        for z in range(2):
            assert not list(labelmap.stored_blocks(Box((z, 0, 0), (z + 1, 1, 1)), 0))
            yield Coordinate(z, 0, 0), pack_block(np.full(BLOCK, z + 1, np.uint64))

    written = threading.Thread(target=labelmap.ingest_supervoxels, args=(0, made()), daemon=True)
    written.start()
    written.join(timeout=20)
    assert not written.is_alive()
    assert labelmap.read(Box((0, 0, 0), (128, 1, 1)))[:, 0, 0].tolist() == [1] * 64 + [2] * 64
