"""A run over a released segmentation, inside a ROI with holes: what it replaces, and that nothing else is touched.

The release was worked on before it was committed: two bodies were merged by the server itself, and labels were added
beyond the edge of the volume, in blocks that the second run writes and in one that it does not. Oracles: the same
second run into an empty instance, the release as it was, numpy on what DVID returns, and DVID's own sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from tests.stages.runs_over import check_indices_against_voxels, killed, lose_markers, state, stitched

from emseg.config import RunParameters, RunSpec
from emseg.dvid import (
    DvidServer,
    IndexTable,
    Labelmap,
    Node,
    NodeLockedError,
    RoiInstance,
    block_counts,
    create_repo,
    downsample_labels,
    indexed_labels,
    indices,
    post_indices,
    write_brick,
)
from emseg.dvid.label_block import pack_block
from emseg.geometry import Box, Roi
from emseg.ingest import ingest_grayscale, ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.stages import DvidServices, InProcess, Workplace, resolve_run, run_segment, run_stitch, stage_keys
from emseg.store import FolderStore
from emseg.synthetic import make_volume

pytestmark = pytest.mark.services

Labels = npt.NDArray[np.uint64]
SHAPE = (100, 150, 170)
WHOLE = Box((0, 0, 0), (128, 192, 384))
"""All blocks in use: those of the volume, and one beyond it in X."""
MAX_SCALE = 1
HOLES = {(0, 1, 1), (1, 1, 1), (0, 2, 0), (1, 0, 2)}
BEYOND = 40 << 24
"""Ids of no subvolume of the volume."""
NAME = "over"


@dataclass(frozen=True)
class Old:
    """The committed release, and the node below it that holds the ROI."""

    release: Node
    with_roi: Node
    merged: tuple[int, int]


def dataset_file(folder: Path, node: str, instance: str) -> Path:
    document = {
        "name": NAME,
        "description": "a run over a release",
        "volume": {"node": node, "groundtruth": {"instance": "groundtruth"}},
        "segmentation": {"core_vox": [64, 64, 64], "halo_vox": [20, 20, 20]},
        "output": {"instance": instance, "max_scale": MAX_SCALE},
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{NAME}.yaml").write_text(yaml.safe_dump(document))
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> FolderStore:
    return FolderStore(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def old(server: DvidServer, store, tmp_path_factory) -> Old:
    made = make_volume(SHAPE, seed=5)
    root = Node(server, create_repo(server, "over", "a run over a release"))
    ingest_grayscale(root, "grayscale", ArrayVolume(made.grayscale, "grayscale"), (10.0, 10.0, 10.0))
    ingest_labels(root, "groundtruth", ArrayVolume(made.groundtruth, "groundtruth"), (10.0, 10.0, 10.0))
    root.commit("volume")
    folder = dataset_file(tmp_path_factory.mktemp("first"), root.uuid, "segmentation")
    release = stitched(resolve_run(RunParameters(dataset=NAME), "first", folder, server), store, server)
    merged = _merged_by_the_server(release)
    _labels_beyond_the_volume(release)
    release.node.commit("release")
    node = release.node.branch("regions")
    region = RoiInstance(node, "ring")
    region.create()
    blocks = [
        (z, y, x)
        for z, y, x in np.ndindex(4, 6, 6)
        if (z // 2, y // 2, x // 2) not in HOLES  # a subvolume is 2 blocks of the ROI a side
    ]
    region.write(Roi.of_blocks(blocks))
    node.commit("a ring")
    return Old(release.node, node, merged)


def _merged_by_the_server(labelmap: Labelmap) -> tuple[int, int]:
    """Two large bodies made one, as a proofreader does; both reach into the hole and out of it."""
    bodies = labelmap.read(Box.of_shape(SHAPE))
    inside, outside = np.unique(bodies[:, 64:128, 64:128]), np.unique(bodies[:, :, :64])
    both = np.intersect1d(inside, outside)
    assert len(both) > 3
    keep, gone = int(both[1]), int(both[2])
    labelmap.node.server.post_json(labelmap.node.path("segmentation", "merge"), [keep, gone])
    return keep, gone


def _labels_beyond_the_volume(labelmap: Labelmap) -> None:
    """Labels past the last voxel in Y, in a column of blocks that the volume shares, and in a block of their own."""
    for scale in range(MAX_SCALE + 1):
        side = 64 >> scale
        column = labelmap.read(Box((0, 128 >> scale, 0), (64, (128 >> scale) + 64, 64)), supervoxels=True, scale=scale)
        column[:, (192 - 128) // 2 >> scale : side, :] = BEYOND | 1
        write_blocks_at(labelmap, scale, column, (0, (128 >> scale) // 64, 0))
        write_blocks_at(labelmap, scale, np.full((64, 64, 64), BEYOND | 2, np.uint64), (0, 0, 5 >> scale))
    rows = [(0, 2, 0, 1, 64 * 32 * 64), (0, 0, 5, 2, 64**3)]
    for z, y, x, local, count in rows:
        one = np.array([BEYOND | local], np.uint64)
        post_indices(labelmap, IndexTable(np.array([[z, y, x]], np.int32), one, one, np.array([count], np.uint32)))
    labelmap.raise_max_label(BEYOND | 2)
    labelmap.set_extents(WHOLE)


def write_blocks_at(labelmap: Labelmap, scale: int, voxels: Labels, block: tuple[int, int, int]) -> None:
    labelmap.ingest_supervoxels(scale, [(block, pack_block(voxels))])


@pytest.fixture(scope="module")
def spec_of(old: Old, server, tmp_path_factory) -> Callable[[str], RunSpec]:
    """The second run: other supervoxels, inside the ring, into an instance."""

    def make(instance: str) -> RunSpec:
        folder = dataset_file(tmp_path_factory.mktemp("second"), old.with_roi.uuid, instance)
        steps = {"agglomerate": {"threshold": 0.6}}
        return resolve_run(RunParameters(dataset=NAME, roi="ring", step_parameters=steps), "second", folder, server)

    return make


@pytest.fixture(scope="module")
def fresh(spec_of, store, server) -> Labelmap:
    """The second run into an instance of its own."""
    return stitched(spec_of("fresh"), store, server)


@pytest.fixture(scope="module")
def over(spec_of, store, server) -> Labelmap:
    """The second run over the release, killed three times: before it posts mappings, indices, and their deletion.

    The mappings are there after the second time, so in the third the second sign of life is that of the deletion.
    """
    spec = spec_of("segmentation")
    for attempt, sign in enumerate((0, 1, 1)):
        killed(spec, store, server, f"killed-{attempt}", sign)
    return stitched(spec, store, server)


@pytest.fixture(scope="module")
def replaced(spec_of, server) -> npt.NDArray[np.bool_]:
    """Which voxels of WHOLE lie in a chosen subvolume, clipped to the volume."""
    mask = np.zeros(WHOLE.shape, bool)
    for z, y, x in np.ndindex(2, 3, 3):
        if (z, y, x) not in HOLES:
            mask[64 * z : 64 * z + 64, 64 * y : 64 * y + 64, 64 * x : 64 * x + 64] = True
    mask[SHAPE[0] :] = mask[:, SHAPE[1] :] = mask[:, :, SHAPE[2] :] = False
    return mask


def whole(labelmap: Labelmap, scale: int, supervoxels: bool) -> Labels:
    z, y, x = (n >> scale for n in WHOLE.stop)
    return labelmap.read(Box((0, 0, 0), (z, y, x)), supervoxels=supervoxels, scale=scale)


@pytest.mark.parametrize("scale", range(MAX_SCALE + 1))
def test_every_voxel_is_the_new_one_inside_and_the_old_one_outside(old, over, fresh, replaced, scale):
    """Kills zeros around the ROI, whole border blocks taken over, and coarser scales computed over the edge."""
    inside = replaced[:: 1 << scale, :: 1 << scale, :: 1 << scale]
    before = whole(Labelmap(old.release, "segmentation"), scale, supervoxels=True)
    expected = np.where(inside, whole(fresh, scale, supervoxels=True), before)
    found = whole(over, scale, supervoxels=True)
    assert (before != expected)[inside].mean() > 0.2
    assert (before[inside] != 0).any()
    np.testing.assert_array_equal(found, expected)


def test_blocks_that_no_chosen_subvolume_touches_are_the_very_ones_of_the_release(old, over, server):
    """Kills rewriting of blocks with the same voxels: the run's node must not even have them."""
    before, after = Labelmap(old.release, "segmentation"), over
    (z, y, x), blocks = (64, 64, 64), Box((0, 1, 1), (2, 2, 2))
    assert dict(before.stored_blocks(blocks, 0)) == dict(after.stored_blocks(blocks, 0))
    assert before.read(Box((0, y, x), (z, y + 64, x + 64))).any()


def test_bodies_inside_are_the_new_ones_and_those_outside_are_cut_as_before(old, over, fresh, replaced):
    """Kills mappings of the release that catch new supervoxels, and old bodies that fall apart or run together."""
    found, before = whole(over, 0, supervoxels=False), whole(Labelmap(old.release, "segmentation"), 0, False)
    np.testing.assert_array_equal(found[replaced], whole(fresh, 0, supervoxels=False)[replaced])
    old_names, old_places = np.unique(before[~replaced], return_inverse=True)
    names, places = np.unique(found[~replaced], return_inverse=True)
    assert len(np.unique(old_places * len(names) + places)) == len(old_names) == len(names)
    assert len(np.intersect1d(old_names, names)) > 1
    assert not np.isin(names[names > 0], found[replaced]).any()


def test_the_merge_of_a_proofreader_holds_outside(old, over, replaced):
    """The two bodies that the server merged are one in the hole; both had voxels there."""
    keep, gone = old.merged
    (parent,) = old.release.info().parents
    release = Labelmap(old.release, "segmentation")
    supervoxels = whole(release, 0, supervoxels=True)
    assert parent != old.release.uuid
    bodies_before, bodies_after = whole(release, 0, False), whole(over, 0, False)
    of_merged = (bodies_before == keep) & ~replaced
    assert np.isin(gone, indexed_labels(release)) == np.False_
    assert len(np.unique(supervoxels[of_merged])) > 1
    assert len(np.unique(bodies_after[of_merged])) == 1


def test_sizes_and_blocks_of_every_body_are_those_of_the_voxels(over):
    """Kills stale indices of the release."""
    check_indices_against_voxels(over, WHOLE)


def test_extents_and_largest_label_cover_both(over):
    assert over.info().extents == WHOLE
    assert over.node.server.get_json(over.node.path("segmentation", "maxlabel")) == {"maxlabel": BEYOND | 2}


def test_the_release_is_as_it_was(old, over, replaced):
    release = Labelmap(old.release, "segmentation")
    assert not np.array_equal(whole(release, 0, False), whole(over, 0, False))
    assert np.isin(old.merged[0], indexed_labels(release))


def test_a_run_that_lost_its_markers_leaves_the_same_again(over, spec_of, store, server):
    """Kills a retry that counts twice, and one that takes its own first try for labels of the ancestor."""
    before, spec = state(over, WHOLE, MAX_SCALE), spec_of("segmentation")
    lose_markers(spec, store)
    post_indices(over, _another_index(over))
    assert state(over, WHOLE, MAX_SCALE) != before
    stitched(spec, store, server, "again")
    assert state(over, WHOLE, MAX_SCALE) == before


def _another_index(labelmap: Labelmap) -> IndexTable:
    """What a try of another code may have left: a body of the run with one block and a wrong count."""
    table = indices(labelmap, [int(indexed_labels(labelmap)[0])])
    return IndexTable(table.block[:1], table.supervoxel[:1], table.body[:1], table.count[:1] + np.uint32(1))


def test_ids_of_labels_that_were_not_made_on_this_grid_are_not_given(server, old, spec_of, store):
    """Kills a run that gives ids which voxels outside the ROI have already."""
    other = Node(server, old.with_roi.uuid).branch("foreign")
    labelmap = Labelmap(other, "foreign")
    labelmap.create(MAX_SCALE, (10.0, 10.0, 10.0))
    labels = np.zeros((128, 128, 128), np.uint64)
    labels[:64, 64:, 64:] = 5  # an id of subvolume 0 in the hole
    write_brick(labelmap, 0, labels, (0, 0, 0))
    write_brick(labelmap, 1, downsample_labels(labels), (0, 0, 0))
    post_indices(labelmap, block_counts(labels, (0, 0, 0)))
    labelmap.set_extents(Box.of_shape((128, 128, 128)))
    other.commit("somebody else's labels")
    spec = spec_of("foreign").model_copy(
        update={"volume": spec_of("foreign").volume.model_copy(update={"node": other.uuid})}
    )
    run = stitched(spec, store, server)
    check_indices_against_voxels(run, WHOLE)
    after = run.read(Box.of_shape((128, 128, 128)), supervoxels=True)
    np.testing.assert_array_equal(after == 5, labels == 5)
    assert np.isin([1, 2, 3, 4, 7], after).all()


def test_a_node_that_somebody_committed_meanwhile_is_named(spec_of, store, server):
    """Kills a run that tries brick after brick, and one that takes a locked node for done."""
    spec = spec_of("locked")
    services = DvidServices(store, server)
    place = Workplace(spec, "first", lambda: services)
    run_segment(place, InProcess())
    node = Node(server, spec.volume.node).branch(f"emseg-{stage_keys(spec).write[:16]}", uuid=stage_keys(spec).write)
    node.commit("too early")
    child = node.branch("went-on")
    with pytest.raises(NodeLockedError, match=f"{node.uuid}.*'too early'.*{child.uuid}"):
        run_stitch(place, InProcess())
    assert place.folder("write").done_items() == frozenset()
    assert "locked" not in node.repo().instances
