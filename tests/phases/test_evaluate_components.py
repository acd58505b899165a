"""Phase `evaluate` against components: those of the whole region, whatever the cut, and named by body and place."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError
from tests.array_labelmap import ArrayLabelmap
from tests.component_oracle import components_named
from tests.refusals import refused
from tests.running import a_spec

from emseg.config.groundtruth import Counting, GroundTruth
from emseg.config.runspec import PinnedBox, PinnedGroundTruth, PinnedSynapses, digest_of
from emseg.engine.items import InProcess
from emseg.errors import PermanentError
from emseg.evaluate import ContingencyTable, contingency_table, large_bodies, per_body, score
from emseg.evaluate.boundary_band import near_boundary
from emseg.geometry import Box, Roi
from emseg.phases import phase_named
from emseg.phases.evaluate.work import read_evaluation
from emseg.phases.keys import phase_keys
from emseg.phases.run_context import RunContext
from emseg.quality import Measured, against_release, worst_findings
from emseg.store import FolderStore
from emseg.tasks.jobs import run_phases
from emseg.tasks.judged import groundtruth_identity

START = (10, 20, 30)
SHAPE = (60, 70, 80)
BOUNDS = Box.of_shape(SHAPE, START)
SIZE_NM = 8.0


@cache
def tubes() -> np.ndarray:
    """Bodies that wind through the volume, of voxels in blocks of 3, with many components each; 0 among them."""
    coarse = np.random.default_rng(5).integers(0, 4, (20, 24, 27)).astype(np.uint64)
    return np.kron(coarse, np.ones((3, 3, 3), np.uint64))[: SHAPE[0], : SHAPE[1], : SHAPE[2]].copy()


FOUND = np.random.default_rng(1).integers(0, 5, SHAPE).astype(np.uint64)


def run_of(tmp_path, truth, found=FOUND, core_vox=(64, 64, 64), roi=None, start=START, **groundtruth) -> RunContext:
    bounds = Box.of_shape(truth.shape, start)

    def labelmap(_, instance: str) -> ArrayLabelmap:
        """The volume, and body 1 all around it: nobody may join bodies through what is outside."""
        whole = np.ones(bounds.stop + 8, np.uint64)
        whole[bounds.slices()] = truth if instance == "groundtruth" else found
        return ArrayLabelmap(whole)

    services = SimpleNamespace(store=FolderStore(tmp_path), roi=lambda _: roi, labelmap=labelmap)
    pinned = PinnedGroundTruth(node="ab", instance="groundtruth", **({"components": True} | groundtruth))
    spec = a_spec(bounds, groundtruth=pinned)
    segmentation = spec.segmentation.model_copy(update={"core_vox": core_vox, "halo_vox": (0, 0, 0)})
    return RunContext(spec.model_copy(update={"segmentation": segmentation}), "one", lambda: services)


def evaluated(run: RunContext):
    run_phases("evaluate", (phase_named("evaluate"),), run, InProcess())
    return read_evaluation(run)


def oracle(region: np.ndarray, counts: np.ndarray | bool = True, found=FOUND) -> ContingencyTable:
    """All of the volume at once; `region` are the bodies in it, and `counts` tells which of its voxels do."""
    return contingency_table(found, np.where(counts, components_named(region), np.uint64(0)))


@pytest.mark.parametrize("core_vox", [(64, 64, 64), (128, 64, 128), (32, 16, 128), (128, 128, 128)])
def test_the_table_is_the_same_for_every_cut_and_that_of_scikit_image(tmp_path, core_vox):
    """Kills components that end at faces of cores, that go on outside the volume, and names that follow the cut."""
    evaluation = evaluated(run_of(tmp_path, tubes(), core_vox=core_vox))
    assert evaluation.whole == oracle(tubes())
    assert evaluation.score == score(oracle(tubes()))
    assert sum(each.voxels for each in evaluation.subvolumes.values()) == evaluation.whole.voxels
    assert evaluation.score.bodies > len(np.unique(tubes()))


ROI = Roi.of_blocks([[0, 0, 0], [0, 1, 1], [0, 1, 2], [1, 1, 1], [1, 2, 2], [1, 1, 3], [0, 2, 3], [2, 2, 3]])


def test_what_lies_outside_of_the_roi_joins_nothing(tmp_path):
    """Kills components of the box in place of those of the region."""
    inside = np.where(ROI.mask(BOUNDS), tubes(), np.uint64(0))
    found = evaluated(run_of(tmp_path, tubes(), core_vox=(64, 64, 64), roi=ROI)).whole
    assert found == oracle(inside) != oracle(tubes(), inside != 0)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("roi", [None, ROI], ids=["box", "roi"])
def test_at_a_coarser_scale_components_are_those_of_its_voxels(tmp_path, scale, roi):
    """Kills planes between cores of scale 0, where a core begins at an odd voxel."""
    first = [(-at) % (1 << scale) for at in START]
    coarse = tuple(slice(at, None, 1 << scale) for at in first)
    inside = tubes() if roi is None else np.where(roi.mask(BOUNDS), tubes(), np.uint64(0))
    expected = oracle(inside[coarse], found=FOUND[coarse])
    assert evaluated(run_of(tmp_path, tubes(), core_vox=(32, 64, 64), roi=roi, scale=scale)).whole == expected


def test_what_does_not_count_cuts_no_component(tmp_path):
    """Band, boxes of training and the list take voxels away. Kills components of what is left over."""
    box = Box((30, 40, 50), (40, 60, 90))
    near = near_boundary(tubes(), SIZE_NM, (SIZE_NM,) * 3)
    counts = ~near & np.isin(tubes(), [1, 3])
    counts[box.slices(START)] = False
    options = {
        "ignore_boundary_nm": SIZE_NM,
        "bodies": (1, 3),
        "excluded": (PinnedBox(start=box.start, stop=box.stop),),
    }
    evaluation = evaluated(run_of(tmp_path, tubes(), core_vox=(32, 64, 64), **options))
    assert evaluation.whole == oracle(tubes(), counts)
    assert evaluation.left_out == np.count_nonzero(
        ~near[box.slices(START)] & np.isin(tubes(), [1, 3])[box.slices(START)]
    )
    with refused(PermanentError, "bodies", 77):
        evaluated(run_of(tmp_path, tubes(), bodies=(1, 77)))


def test_the_floor_is_one_of_components(tmp_path):
    """Kills a floor for the parts in single cores, and crumbs of large bodies that count."""
    floor = 200
    found = evaluated(run_of(tmp_path, tubes(), core_vox=(32, 64, 64), min_body_vox=floor)).whole
    assert found == large_bodies(oracle(tubes()), floor)
    assert 0 < found.voxels < oracle(tubes()).voxels


def leaving_and_returning() -> tuple[np.ndarray, np.ndarray]:
    """8 voxels of body 7 left and 8 right, and 16 of body 9 between; segments 1 and 2 for the two, 3 for body 9."""
    truth = np.zeros((1, 1, 32), np.uint64)
    truth[..., :8] = truth[..., 24:] = 7
    truth[..., 8:24] = 9
    found = np.repeat(np.array([1, 3, 2], np.uint64), [8, 16, 8]).reshape(truth.shape)
    return truth, found


def test_a_body_that_leaves_and_comes_back_is_no_split(tmp_path):
    """By hand. Half of the voxels are of body 7, in two equal halves: 1/2 bit. Kills an option that does nothing."""
    truth, found = leaving_and_returning()
    bodies, components = (
        evaluated(run_of(tmp_path, truth, found, (16, 16, 16), start=(0, 0, 0), components=asked))
        for asked in (False, True)
    )
    assert (bodies.score.vi_split, bodies.score.vi_merge) == (0.5, 0.0)
    assert (components.score.vi_split, components.score.vi_merge) == (0.0, 0.0)
    assert (bodies.score.bodies, components.score.bodies) == (2, 3)
    merges = [
        {figure.name: value for figure, value in each.figures.items()}["merges_90"] for each in (bodies, components)
    ]
    assert merges == [1.0, 0.0]


def test_a_segment_that_joins_two_components_is_a_merge_and_is_told_as_one(tmp_path):
    """Kills ids of components that people are told as bodies, in findings and beside a release."""
    truth, found = leaving_and_returning()
    joined = np.where(found == 2, np.uint64(1), found)
    served, own = (
        evaluated(run_of(tmp_path / name, truth, labels, (16, 16, 16), start=(4, 5, 6)))
        for name, labels in (("served", found), ("own", joined))
    )
    assert own.score.vi_merge == 0.5
    findings = worst_findings(own.whole, names=own.names)
    (joining,) = findings.joining
    assert (joining.body, joining.partners, joining.partner_ids) == (1, 2, (7,))
    assert findings.sentences()[-1].endswith("90 % of it lies in 2 components")
    measured = [Measured.of(e.score, e.parts, "ab", Counting().unassigned, e.figures, e.names) for e in (own, served)]
    said = against_release(*measured, 3, a_spec(BOUNDS).gate.regression, Counting().unassigned).where
    assert "Component at Z 4, Y 5, X 6 of body 7 of the ground truth merged: +0.250 bits" in "\n".join(said)
    assert "now holds component at Z 4, Y 5, X 30 of body 7 too" in "\n".join(said)


def test_a_cut_component_is_told_with_its_body_and_place(tmp_path):
    """Kills a finding whose body nobody finds in DVID."""
    truth, found = leaving_and_returning()
    cut = found.copy()
    cut[..., 28:] = 5
    evaluation = evaluated(run_of(tmp_path, truth, cut, (16, 16, 16), start=(4, 5, 6)))
    (finding,) = worst_findings(evaluation.whole, names=evaluation.names).cut
    assert (finding.body, finding.component_vox, finding.partner_ids) == (7, (4, 5, 30), (2, 5))
    (told, *_) = worst_findings(evaluation.whole, names=evaluation.names).sentences()
    assert told.startswith("Component at Z 4, Y 5, X 30 of body 7 of the ground truth (8 voxels) costs 0.250 bits")
    assert len(per_body(evaluation.whole)) == 3


def test_a_lost_item_is_counted_again_and_joins_as_before(tmp_path):
    """Kills names that depend on which items were counted together."""
    run = run_of(tmp_path, tubes(), core_vox=(32, 64, 64))
    before, folder = evaluated(run), run.folder("evaluate")
    lost = folder.manifest()[1]
    for key in (lost.artefact("component_parts").key, folder.marker_key):
        folder.store.delete(key)
    (key,) = [
        key for key in folder.store.keys_under("brain/phases/evaluate") if key.endswith(f"items/{lost.item}.json")
    ]
    folder.store.delete(key)
    again = evaluated(run_of(tmp_path, tubes(), core_vox=(32, 64, 64)))
    assert again.whole == before.whole == oracle(tubes())


def test_components_are_in_the_key_and_in_the_identity_of_the_ground_truth(tmp_path):
    """Kills figures of bodies that are found, or compared, where components were asked for; and histories that end."""
    specs = [run_of(tmp_path, tubes(), components=asked).spec for asked in (False, True)]
    bodies, components = (phase_keys(spec) for spec in specs)
    assert bodies["evaluate"] != components["evaluate"]
    assert bodies["write"] == components["write"]
    assert len({groundtruth_identity(spec) for spec in specs}) == 2
    known = {name: getattr(specs[0].groundtruth, name) for name in ("unassigned", "bodies", "min_body_vox", "scale")}
    document = {"node": "ab", "instance": "groundtruth", "ignore_boundary_nm": 0.0, "excluded": [], **known}
    assert groundtruth_identity(specs[0]) == digest_of(document | {"bodies": []})
    assert Counting.model_validate(Counting(components=True).model_dump()).components


def test_synapses_are_not_scored_against_components():
    """Kills connections between bodies that are counted beside voxels of components."""
    synapses = {"instance": "synapses"}
    assert GroundTruth(instance="truth", synapses=synapses).synapses is not None
    with pytest.raises(ValidationError, match="Leave `synapses` out, or `components`"):
        GroundTruth(instance="truth", components=True, synapses=synapses)
    with pytest.raises(ValidationError, match="Leave `synapses` out, or `components`"):
        PinnedGroundTruth(
            node="ab", instance="truth", components=True, synapses=PinnedSynapses(node="ab", instance="synapses")
        )
