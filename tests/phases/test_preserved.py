"""Runs over a release whose ROI cuts subvolumes, and runs that preserve bodies: what survives is equal voxel by voxel.

A proofreader took a supervoxel out of a body of the release (the server gave the new body an id that no voxel has),
and that body, as well as one that crosses subvolumes, is to be preserved. A third run preserves a body of the second
one, too. Oracles: the release as it was, the same run into an empty instance, numpy on what DVID returns, and DVID's
own sizes.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

import numpy as np
import pytest
from tests.phases.runs_over import (
    MAX_SCALE,
    SEGMENTATION,
    VOXEL_NM,
    Runs,
    check_indices_against_voxels,
    check_one_to_one,
    labels_in,
    state,
    with_roi,
)

from emseg.array_types import Labels64, Mask
from emseg.config import RunSpec
from emseg.dvid import (
    DvidServer,
    Labelmap,
    Node,
    block_counts,
    downsample_labels,
    indexed_labels,
    indices,
    mappings,
    post_indices,
    write_brick,
)
from emseg.errors import PermanentError
from emseg.geometry import Box, cells_of
from emseg.phases.segment.labels import SegmentedSubvolume
from emseg.phases.write import portions
from emseg.phases.write.artefacts import SUBSTITUTES
from emseg.phases.write.substitute_ids import SubstituteIds
from emseg.stitch.review import joins_of
from emseg.tasks.stitch_review import StitchReview

pytestmark = pytest.mark.services

SHAPE = (64, 128, 230)
WHOLE = Box((0, 0, 0), (64, 128, 256))
CORE = (64, 64, 192)
"""Of the four subvolumes the two long ones are written in two bricks each: both must find the same ids held."""
ROI_BLOCKS = [(z, y, x) for z, y, x in np.ndindex(2, 4, 8) if x not in (1, 4, 6) and (z, y) not in {(0, 1), (1, 2)}]
"""Blocks of 32 voxels; each subvolume, and each brick, is cut."""


@dataclass(frozen=True)
class Release:
    """The release, a node below it that holds the ROI, and two of its bodies."""

    labelmap: Labelmap
    node: Node
    crossing: int
    cleaved: int

    @property
    def both(self) -> list[int]:
        return [self.crossing, self.cleaved]


@pytest.fixture(scope="module")
def runs(server: DvidServer, tmp_path_factory) -> Runs:
    return Runs(server, tmp_path_factory.mktemp("preserved"), "kept", CORE)


@pytest.fixture(scope="module")
def old(runs: Runs) -> Release:
    release = runs.stitched(runs.pinned(runs.volume(SHAPE, seed=11), threshold=0.75))
    crossing, cleaved = _proofread(release)
    release.node.commit("release")
    return Release(release, with_roi(release.node, "cut", ROI_BLOCKS), crossing, cleaved)


def _proofread(labelmap: Labelmap) -> tuple[int, int]:
    """The largest body of several subvolumes, and one that the server made of a supervoxel of the next largest."""
    table = indices(labelmap, indexed_labels(labelmap).tolist())
    pairs = np.unique(np.stack([table.body, cells_of(table.supervoxel).astype(np.uint64)], axis=1), axis=0)
    bodies, cells = np.unique(pairs[:, 0], return_counts=True)
    sizes = [int(table.count[table.body == body].sum()) for body in bodies[cells > 1]]
    nearly, crossing = bodies[cells > 1][np.argsort(sizes, kind="stable")[-2:]].tolist()
    one = int(table.supervoxel[table.body == nearly].max())
    server = labelmap.node.server
    answer = server.post_json(labelmap.node.path(labelmap.instance, "cleave", str(nearly)), [one])
    return crossing, json.loads(answer)["CleavedLabel"]


def substitutes_of(runs: Runs, spec: RunSpec) -> SubstituteIds:
    folder = runs.context(spec).folder("write")
    return SubstituteIds.joined([SubstituteIds.from_arrow(SUBSTITUTES.read(folder, m)) for m in folder.manifest()])


@pytest.fixture(scope="module")
def cut(old, runs) -> Labelmap:
    """A run inside the ROI, over the release."""
    return runs.stitched(runs.pinned(old.node, roi="cut", threshold=0.6))


@pytest.fixture(scope="module")
def fresh(old, runs) -> Labelmap:
    """The same run into an instance of its own."""
    return runs.stitched(runs.pinned(old.node, "fresh", roi="cut", threshold=0.6))


@pytest.fixture(scope="module")
def second(old, runs) -> RunSpec:
    """A run over the whole release that preserves two of its bodies."""
    return runs.pinned(old.node, keep=old.both, threshold=0.5)


@pytest.fixture(scope="module")
def kept(second, runs) -> Labelmap:
    """What it left in many partitions, after it was killed before it posted indices and before it posted mappings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions, "PARTITION_ROWS", 60)
        for attempt, sign in enumerate((0, 1)):
            runs.killed(second, f"killed-{attempt}", sign)
        return runs.stitched(second)


@pytest.fixture(scope="module")
def of_second(kept, second, runs) -> int:
    """A body of the second run that is named by a supervoxel with a substitute id."""
    named = np.intersect1d(indexed_labels(kept), substitutes_of(runs, second).substitute)
    table = indices(kept, named.tolist())
    bodies, rows = np.unique(table.body, return_counts=True)
    return int(bodies[rows.argmax()])


@pytest.fixture(scope="module")
def third(old, kept, of_second, runs) -> RunSpec:
    """A run inside the ROI over the second one, which was released; it preserves a body of that, too."""
    kept.node.commit("second release")
    return runs.pinned(kept.node, roi="cut", keep=[*old.both, of_second], threshold=0.4)


@pytest.fixture(scope="module")
def kept_again(third, runs) -> Labelmap:
    return runs.stitched(third)


def whole(labelmap: Labelmap, supervoxels: bool, scale: int = 0) -> Labels64:
    return labels_in(labelmap, WHOLE, supervoxels, scale)


def in_roi() -> Mask:
    """Which voxels of WHOLE lie in the ROI and in the volume."""
    mask = np.zeros(WHOLE.shape, bool)
    for z, y, x in ROI_BLOCKS:
        mask[32 * z : 32 * z + 32, 32 * y : 32 * y + 32, 32 * x : 32 * x + 32] = True
    mask[:, :, SHAPE[2] :] = False
    return mask


@pytest.mark.parametrize("scale", range(MAX_SCALE + 1))
def test_outside_of_the_roi_every_voxel_is_as_it_was_at_every_scale(old, cut, scale):
    """Kills subvolumes that are replaced whole: each of them is cut, and each has inherited voxels outside."""
    step = slice(None, None, 1 << scale)
    outside = ~in_roi()[step, step, step]
    before, after = whole(old.labelmap, True, scale), whole(cut, True, scale)
    cells = np.unique(cells_of(before[outside & (before > 0)]))
    assert cells.tolist() == list(range(4))
    np.testing.assert_array_equal(after[outside], before[outside])
    assert (after[~outside] != before[~outside]).mean() > 0.2


def test_outside_of_the_roi_bodies_are_cut_as_before(old, cut):
    """Kills new mappings of surviving supervoxels."""
    outside = ~in_roi()
    check_one_to_one(whole(old.labelmap, False)[outside], whole(cut, False)[outside])


def test_inside_of_the_roi_supervoxels_and_bodies_are_those_of_the_run(cut, fresh):
    """Kills substitute ids that join two supervoxels, and a body that is lost because its name is a substitute id."""
    inside = in_roi()
    for supervoxels in (True, False):
        found, expected = whole(cut, supervoxels)[inside], whole(fresh, supervoxels)[inside]
        check_one_to_one(found, expected)
        assert 0 < (found != expected).mean() < 0.9


def test_no_new_label_has_the_id_of_a_surviving_one(old, cut, fresh):
    """Default ids would clash: the run in its own instance gives some that surviving labels hold."""
    inside = in_roi()
    for supervoxels in (True, False):
        after = whole(cut, supervoxels)
        surviving = np.unique(after[~inside & (after > 0)])
        assert not np.isin(after[inside], surviving).any()
    assert np.isin(whole(fresh, True)[inside], np.unique(whole(old.labelmap, True)[~inside])).any()


@pytest.mark.parametrize("labelmap", ["cut", "kept", "kept_again"])
def test_sizes_and_indices_are_those_of_the_voxels(labelmap, request):
    check_indices_against_voxels(request.getfixturevalue(labelmap), WHOLE)


@pytest.mark.parametrize("labelmap", ["cut", "kept", "kept_again"])
def test_a_coarse_voxel_that_is_not_as_before_is_the_mode_of_all_eight(labelmap, request, old, kept):
    """Kills coarse voxels at the edge of a preserved body or of the ROI that are made of the new labels alone."""
    after = request.getfixturevalue(labelmap)
    before = kept if labelmap == "kept_again" else old.labelmap
    fine, coarse, coarse_before = whole(after, True), whole(after, True, 1), whole(before, True, 1)
    changed = coarse != coarse_before
    assert changed.any()
    np.testing.assert_array_equal(coarse[changed], downsample_labels(fine)[changed])


def check_kept(before: Labelmap, after: Labelmap, body: int) -> None:
    """The body has the same voxels, supervoxels, mappings and index, and nothing else has one of its ids."""
    mask = whole(before, False) == body
    assert mask.any()
    np.testing.assert_array_equal(whole(after, False) == body, mask)
    supervoxels = whole(before, True)[mask]
    found = whole(after, True)
    np.testing.assert_array_equal(found[mask], supervoxels)
    assert not np.isin(found[~mask], supervoxels).any()
    tables = [indices(labelmap, [body]) for labelmap in (before, after)]
    assert tables[0].count.sum() == mask.sum()
    for column in ("block", "supervoxel", "count"):
        np.testing.assert_array_equal(getattr(tables[0], column), getattr(tables[1], column))
    mapped = [dict(zip(*(c.tolist() for c in mappings(labelmap)), strict=True)) for labelmap in (before, after)]
    for one in np.unique(supervoxels).tolist():
        assert mapped[0].get(one, one) == mapped[1].get(one, one) == body


def test_preserved_bodies_are_the_same_voxel_for_voxel(old, kept):
    """One crosses subvolumes; of the other no voxel has the name."""
    supervoxels = whole(old.labelmap, True)
    assert len(np.unique(cells_of(supervoxels[whole(old.labelmap, False) == old.crossing]))) > 1
    assert not (supervoxels == old.cleaved).any()
    for body in old.both:
        check_kept(old.labelmap, kept, body)


def test_all_other_voxels_are_new(old, kept):
    """Kills a run that preserves more than it should: no inherited body but the two is there as it was."""
    before, after = whole(old.labelmap, False), whole(kept, False)
    mask = np.isin(before, np.array(old.both, np.uint64))
    assert mask.mean() > 0.02
    assert (before[~mask] != after[~mask]).mean() > 0.1
    assert not np.isin(after[~mask], np.array(old.both, np.uint64)).any()


def test_default_ids_of_new_supervoxels_are_held_by_preserved_ones_and_one_is_the_name_of_a_body(
    old, kept, second, runs
):
    """Without it the tests above would hold for a run that looks at no id."""
    substitutes = substitutes_of(runs, second)
    mask = np.isin(whole(old.labelmap, False), np.array(old.both, np.uint64))
    assert np.isin(substitutes.default, np.append(whole(old.labelmap, True)[mask], np.uint64(old.cleaved))).all()
    of_cleaved = substitutes.substitute[substitutes.default == old.cleaved]
    assert np.isin(of_cleaved, whole(kept, True)).tolist() == [True]
    assert np.isin(substitutes.substitute, whole(kept, True)).sum() > 2


def test_a_review_speaks_of_bodies_and_supervoxels_as_dvid_shows_them(old, kept, second, of_second, runs):
    """Kills an explanation of another body: that which had the id in the segmentation."""
    review = StitchReview(runs.context(second))
    members = review.members(review.numbered(of_second))
    in_dvid = np.unique(whole(kept, True)[whole(kept, False) == of_second])
    assert len(in_dvid) > 1
    assert np.isin(in_dvid, review.shown(members)).all()
    assert review.voxels(members) == (whole(kept, False) == of_second).sum()
    joins = review.shown_rows(review.ledger_rows(lambda ledger: joins_of(ledger, members)))
    assert np.isin(joins["first"].to_numpy(), review.shown(members)).all()
    assert np.isin(joins["second"].to_numpy(), in_dvid).any()
    with pytest.raises(PermanentError) as caught:
        review.numbered(old.cleaved)
    assert caught.value.on == f"{old.cleaved} of run {second.run}"


def test_segmentation_leaves_preserved_voxels_out(old, kept, second, runs):
    """Kills labels that grow through a preserved body and are cut by writing only."""
    mask = np.isin(whole(old.labelmap, False), np.array(old.both, np.uint64))
    for segmented in SegmentedSubvolume.several(runs.context(second), range(4)):
        labels, inside = segmented.core_labels(), mask[segmented.subvolume.core.slices()]
        assert labels.any()
        assert not labels[inside].any()


def test_a_third_run_preserves_a_body_of_the_second_beside_those_of_the_first(old, kept, kept_again, of_second):
    """Kills ids that are free in the release only; the body of the second run has a substitute id."""
    for body in (*old.both, of_second):
        check_kept(kept, kept_again, body)
    step = ~in_roi()
    np.testing.assert_array_equal(whole(kept_again, True)[step], whole(kept, True)[step])
    assert (whole(kept_again, True) != whole(kept, True)).any()


def test_a_run_that_lost_its_markers_leaves_the_same_again(third, kept_again, runs):
    """Kills ids that depend on what the run itself has written."""
    before = state(kept_again, WHOLE)
    runs.lose_markers(third)
    runs.stitched(third, "again")
    assert state(kept_again, WHOLE) == before


def test_bodies_that_are_not_there_cannot_be_preserved(old, runs):
    """Kills a misspelt id that is preserved in silence by preserving nothing; a supervoxel is no body."""
    known, bodies = mappings(old.labelmap)
    supervoxel = int(known[(known != bodies) & (bodies > 0)][0])
    many = [*range(1 << 47, (1 << 47) + 7), supervoxel]
    for instance, bodies_kept, unknown in (
        (SEGMENTATION, [supervoxel, old.crossing], "1 of 2 "),
        (SEGMENTATION, many, "8 of 8 "),
        ("another", [old.crossing], "1 of 1 "),
    ):
        with pytest.raises(PermanentError) as caught:
            runs.pinned(old.node, instance, keep=bodies_kept)
        assert "output.preserve_bodies" in caught.value.on
        assert caught.value.found.startswith(unknown)
        assert repr(instance) in caught.value.found
        assert old.node.uuid in caught.value.found
        assert str(bodies_kept[0]) in caught.value.on
        assert len(caught.value.on) < 150


@pytest.fixture(scope="module")
def foreign(old, server) -> Labelmap:
    """Labels64 5 and 6, ids of subvolume 0, lie in subvolume 2; 5 has half of a block, which is inside of the ROI."""
    labelmap = Labelmap(old.node.branch("foreign"), "foreign")
    labelmap.create(MAX_SCALE, VOXEL_NM)
    labels = np.zeros((128, 128, 128), np.uint64)
    labels[:, 96:, :32] = 5
    labels[:, 96:, 64:128] = 6
    assert in_roi()[:64, 96:128, :32].all()
    write_brick(labelmap, 0, labels[:64], (0, 0, 0))
    write_brick(labelmap, 1, downsample_labels(labels), (0, 0, 0))
    post_indices(labelmap, block_counts(labels[:64], (0, 0, 0)))
    labelmap.set_extents(Box.of_shape((64, 128, 128)))
    labelmap.node.commit("somebody else's labels")
    return labelmap


@pytest.mark.parametrize(("roi", "keep", "surviving"), [("cut", [], [5, 6]), (None, [6], [6]), (None, [], [])])
def test_ids_of_another_subvolume_are_not_given_where_they_may_survive(foreign, runs, roi, keep, surviving):
    """In a block that the ROI cuts, and in a preserved body; where all voxels are replaced they are given anew."""
    run = runs.stitched(runs.pinned(foreign.node, "foreign", roi=roi, keep=keep, threshold=0.75))
    check_indices_against_voxels(run, WHOLE)
    before, after = whole(foreign, True), whole(run, True)
    survives = np.isin(before, np.array(keep, np.uint64))
    if roi is not None:
        survives |= ~in_roi()
    np.testing.assert_array_equal(after[survives], before[survives])
    new = np.unique(after[~survives])
    for label in (5, 6):
        assert (label in new) == (label not in surviving)
    assert np.isin(np.arange(1, 8), np.union1d(new, surviving)).all()


def split_in_two(labelmap: Labelmap, label: int, names: list[int]) -> None:
    """What a proofreader does to a supervoxel; `names` are the ids of its halves, of the last subvolume as a server's.

    A server that is told no names counts up from its largest label, which is of the last subvolume.
    """
    z, y, x = np.nonzero(whole(labelmap, True) == label)
    half = np.stack([x, y, z, np.ones_like(x)], axis=1)[: len(x) // 2].astype("<i4")
    spans = bytes([0, 3, 0, 0]) + struct.pack("<II", 0, len(half)) + half.tobytes()
    path = labelmap.node.path(labelmap.instance, "split-supervoxel", str(label))
    answer = labelmap.node.server.post(path, spans, dict(zip(("split", "remain"), map(str, names), strict=True)))
    assert list(json.loads(answer).values())[:2] == names


def test_what_a_proofreader_split_off_keeps_its_ids_in_another_subvolume(old, runs):
    """Kills a run that gives them anew: two bodies far apart would be one."""
    alone = whole(runs.stitched(runs.pinned(old.node, "alone", roi="cut", threshold=0.4)), True)
    before, outside = whole(old.labelmap, True), ~in_roi()
    new = np.setdiff1d(alone, before)
    names = new[cells_of(new) == 3][-2:].tolist()
    of_first, sizes = np.unique(before[:64, :64, :192], return_counts=True)
    labelmap = Labelmap(old.node.branch("split"), SEGMENTATION)
    split_in_two(labelmap, int(of_first[1:][sizes[1:].argmax()]), names)
    labelmap.node.commit("a supervoxel is split")
    before = whole(labelmap, True)
    assert all((before[outside] == name).any() for name in names)

    run = runs.stitched(runs.pinned(labelmap.node, roi="cut", threshold=0.4))
    after = whole(run, True)
    np.testing.assert_array_equal(after[outside], before[outside])
    assert not np.isin(after[~outside], names).any()
    check_one_to_one(after[~outside], alone[~outside])
    check_indices_against_voxels(run, WHOLE)
