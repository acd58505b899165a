"""All stages on the real servers, in one process: what lies in DVID afterwards, and what damage does."""

from __future__ import annotations

import json
from html import escape
from itertools import product
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
import yaml
from scipy import stats
from skimage.metrics import adapted_rand_error, variation_of_information
from skimage.util import view_as_blocks
from tests.refusals import refused
from tests.running import after

from emseg.alerts import Alert
from emseg.cli.results import judged_by
from emseg.codec.swc import Skeleton
from emseg.config import RunParameters
from emseg.config.edits import Edit, EditKind, Edits
from emseg.config.gate import GatePolicy
from emseg.config.runspec import PinnedGroundTruth, PinnedRelease
from emseg.dvid import KeyValues, Node, RoiInstance, indices, mappings
from emseg.dvid.instances import create_instance
from emseg.engine.items import InProcess
from emseg.errors import IntegrityError, PermanentError
from emseg.evaluate import OPTIONAL_FIGURES, contingency_table, score, score_skeletons
from emseg.geometry import Box, Roi, Subvolume, supervoxel_ids
from emseg.ingest import ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.phases.evaluate.work import read_evaluation
from emseg.phases.labelmaps import of_served
from emseg.phases.labelmaps import segmentation as segmentation_of
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import SegmentedSubvolume
from emseg.phases.services import DvidServices
from emseg.phases.survey.work import read_survey
from emseg.phases.write import work as write
from emseg.phases.write.replaced_region import ReplacedRegion
from emseg.quality import Findings, QualityReport, Verdict, View, read_history
from emseg.stitch import Ids
from emseg.store import FolderStore
from emseg.tasks.alerting import publication_alert, refusal_alert
from emseg.tasks.approval import evidence
from emseg.tasks.gate import gate_run
from emseg.tasks.jobs import run_stage
from emseg.tasks.pin import pin_run
from emseg.tasks.plan import plan_run
from emseg.tasks.publish import publish_run
from emseg.tasks.report_joins import joins_of
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.run_links import finding_links, hidden_from_viewers, run_links, view_link
from emseg.tasks.run_list import runs_of
from emseg.tasks.served import served_source

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def run(server, volume, dataset_files: Path, tmp_path_factory) -> RunContext[DvidServices]:
    """A run that has been segmented, stitched and evaluated; artefacts in a folder, labels in DVID."""
    services = DvidServices(FolderStore(tmp_path_factory.mktemp("store")), server)
    spec = pin_run(RunParameters(dataset="stages"), "stages", dataset_files, server)
    run = RunContext(spec, "first", lambda: services)
    after(run, "segment", "stitch", "evaluate")
    return run


@pytest.fixture(scope="module")
def segmentation(run, volume) -> np.ndarray:
    return segmentation_of(run).read(Box.of_shape(volume.grayscale.shape))


def test_scores_equal_those_of_scikit_image_on_what_dvid_returns(run, segmentation, volume):
    """Kills tables that do not add up over subvolumes, and a labelmap that is not what was measured."""
    figures = read_evaluation(run).score
    _, renamed = np.unique(segmentation, return_inverse=True)  # scikit-image counts up to the largest id
    truth = volume.groundtruth.astype(np.int64)
    split, merge = variation_of_information(truth, renamed)
    error, _, _ = adapted_rand_error(truth, renamed)
    assert figures.vi_split == pytest.approx(split, abs=1e-9)
    assert figures.vi_merge == pytest.approx(merge, abs=1e-9)
    assert figures.adapted_rand_error == pytest.approx(error, abs=1e-9)


def test_dvid_holds_supervoxels_whose_mapping_gives_the_bodies(run, segmentation, volume):
    labelmap = segmentation_of(run)
    supervoxels = labelmap.read(Box.of_shape(volume.grayscale.shape), supervoxels=True)
    known, bodies = mappings(labelmap)
    expected = supervoxels.copy()
    index = np.minimum(np.searchsorted(known, supervoxels), len(known) - 1)
    found = known[index] == supervoxels
    expected[found] = bodies[index[found]]
    assert np.array_equal(expected, segmentation)
    assert len(np.unique(supervoxels)) > len(np.unique(segmentation))


def test_the_servers_own_sizes_are_the_voxels_of_each_body(run, segmentation):
    """Kills indices that were posted twice over, or for a part of the blocks only."""
    labelmap = segmentation_of(run)
    ids, sizes = np.unique(segmentation[segmentation != 0], return_counts=True)
    table = indices(labelmap, ids.tolist())
    counted = np.array([int(table.count[table.body == body].sum()) for body in ids])
    assert np.array_equal(counted, sizes)
    assert labelmap.max_label() >= int(ids.max())


def test_coarser_scales_hold_the_mode_of_the_finer_one(run, volume):
    labelmap = segmentation_of(run)
    shape = volume.grayscale.shape
    fine = labelmap.read(Box.of_shape(shape), supervoxels=True)
    coarse = labelmap.read(Box.of_shape(tuple(n // 2 for n in shape)), supervoxels=True, scale=1)
    eights = view_as_blocks(fine, (2, 2, 2)).reshape(*coarse.shape, 8)
    full = (eights != 0).all(-1)
    assert np.array_equal(coarse[full], stats.mode(eights[full], axis=-1).mode)


def test_cores_that_cross_the_halves_of_a_brick_are_written_whole_however_few_are_held(
    server, volume, dataset_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Oracle: the stored labels of each core. Kills a subvolume that is let go before its last block, a block taken
    from its neighbour, and a brick that holds each subvolume it ever met.
    """
    opened: list[str] = []

    def opening(run: RunContext[DvidServices], subvolume: Subvolume, staying: Ids) -> ReplacedRegion:
        opened.append(subvolume.name)
        return ReplacedRegion(run, subvolume, staying)

    monkeypatch.setattr(write, "CELLS_HELD", 1)
    monkeypatch.setattr(write, "ReplacedRegion", opening)
    services = DvidServices(FolderStore(tmp_path), server)
    parameters = RunParameters(dataset="stages", core_vox=(64, 192, 64))
    spec = pin_run(parameters, "crossing", dataset_files, server)
    run = RunContext(spec, "first", lambda: services)
    after(run, "segment", "stitch")
    found = segmentation_of(run).read(spec.volume.bounds, supervoxels=True)
    for each in SegmentedSubvolume.several(run, range(6)):
        expected = supervoxel_ids(each.core_labels(), each.subvolume.number)
        np.testing.assert_array_equal(found[each.subvolume.core.slices()], expected)
    assert len(opened) > len(set(opened)) == 6


def test_the_node_stays_open_until_it_is_published(run):
    assert not segmentation_of(run).node.info().locked


def test_a_damaged_artefact_is_set_aside_and_computed_again_to_the_same_bytes(
    server, volume, dataset_files: Path, tmp_path: Path
):
    """Kills a reader that trusts damaged bytes, and a retry that cannot get past them."""
    services = DvidServices(FolderStore(tmp_path), server)
    spec = pin_run(RunParameters(dataset="damaged"), "damage", dataset_files, server)
    first = RunContext(spec, "first", lambda: services)
    after(first, "segment")
    digest = first.folder("segment").phase_marker().content_digest
    (victim,) = first.folder("segment").item_markers(["sv-00000004"])
    part = first.folder("segment").parts(victim.artefact("labels"))["overlap-00000005"]
    data = bytearray(services.store.get(part.key))
    data[part.start + part.size // 2] ^= 1
    services.store.put(part.key, bytes(data))

    with refused(IntegrityError, "sv-00000004"):
        after(first, "stitch")
    report = run_stage("stitch", RunContext(spec, "second", lambda: services), InProcess()).report
    assert {p.phase for p in report.phases} == {"match", "resolve", "write"}
    repaired = first.folder("segment")
    assert repaired.phase_marker().content_digest == digest
    assert {m.item: m.attempt for m in repaired.manifest()}["sv-00000004"] == "second"
    assert [m.attempt for m in repaired.manifest()].count("second") == 1


@pytest.fixture(scope="module")
def judged(run) -> RunFolder:
    """The folder of the run, with its verdict."""
    assert gate_run(run).passed
    return RunFolder(run.open_services().store, run.spec.dataset, run.spec.run)


def test_every_link_is_at_a_voxel_of_what_it_is_about_and_selects_it(run, judged, segmentation, volume):
    """Kills links to the middle of the volume or of a block, and positions in another order of the axes."""
    findings = judged.read("findings", Findings)
    assert findings.cut
    assert findings.joining
    ids, sizes = np.unique(segmentation[segmentation != 0], return_counts=True)
    assert findings.view.segments == tuple(ids[np.lexsort((ids, -sizes))][:20].tolist())
    assert at(segmentation, findings.view) == findings.view.segments[0]
    for cut in findings.cut:
        assert (cut.view.bodies, at(volume.groundtruth, cut.view)) == ((cut.body,), cut.body)
        assert at(segmentation, cut.view) in cut.view.segments == cut.partner_ids
    for joining in findings.joining:
        assert (joining.view.segments, at(segmentation, joining.view)) == ((joining.body,), joining.body)
        assert at(volume.groundtruth, joining.view) in joining.view.bodies == joining.partner_ids
    for large in findings.largest:
        assert (large.view.segments, at(segmentation, large.view)) == ((large.body,), large.body)
    # 192 voxels of 10 nm; seen from a voxel near a corner the volume is nearly twice as wide.
    assert all(640 <= each.view.span_nm < 2 * 1920 for each in (*findings.cut, *findings.joining))


def at(labels: np.ndarray, view: View) -> int:
    return int(labels[tuple(int(position) for position in view.position_vox)])


def test_report_alert_and_command_line_have_the_same_links(run, judged):
    """Kills a page that looks elsewhere: all links come from one function."""
    findings = judged.read("findings", Findings)
    links = finding_links(run, findings)
    assert len(links) == len(findings.cut) + len(findings.joining) + len(findings.largest)
    report = dict(judged.files())["report.html"].decode()
    assert all(
        escape(link) in report for link in (*links.values(), *run_links(run).values()) if link.startswith("http")
    )
    assert view_link(run) in run_links(run).values()
    assert hidden_from_viewers(run) == ()


@pytest.fixture(scope="module")
def small_truth(server, volume) -> PinnedGroundTruth:
    """Ground truth in a corner of the volume: about 2 % of its voxels."""
    child = Node(server, volume.node).branch(f"corner-{uuid4().hex[:8]}")
    corner = np.zeros_like(volume.groundtruth)
    corner[:52, :52, :52] = volume.groundtruth[:52, :52, :52]
    assert 0.01 < np.count_nonzero(corner) / corner.size < 0.03
    ingest_labels(child, "corner", ArrayVolume(corner, "corner"), (10.0, 10.0, 10.0))
    child.commit("ground truth of a corner")
    return PinnedGroundTruth(node=child.uuid, instance="corner")


def test_a_merge_outside_of_small_ground_truth_is_refused_and_its_place_is_named(
    run, judged, segmentation, small_truth
):
    """Kills a gate that sees only what has ground truth: every score here is that of the release."""
    inside = np.unique(segmentation[:52, :52, :52])
    ids, sizes = np.unique(segmentation[~np.isin(segmentation, inside)], return_counts=True)
    merged = sorted(ids[np.argsort(-sizes)][:6].tolist())
    joins = tuple(Edit(kind=EditKind.JOIN, first=merged[0], second=other) for other in merged[1:])
    other, verdict, alert = _judged_beside_itself(run, small_truth, Edits(edits=joins), "merged")
    assert not verdict.passed
    assert all(row.keeps_limit for row in verdict.rows if row.scope == "volume")
    failing = {row.metric for row in verdict.rows if not row.keeps_limit}
    assert failing >= {"change_body_size_um3"}
    assert failing <= {"change_body_size_um3", "change_largest_body_share"}
    written = segmentation_of(other).read(Box.of_shape(segmentation.shape))
    assert np.array_equal(written[:52, :52, :52], segmentation[:52, :52, :52])
    largest = RunFolder(run.open_services().store, "stages", "merged").read("findings", Findings).largest[0]
    assert (largest.body, largest.voxels) == (merged[0], np.count_nonzero(written == merged[0]))
    assert at(written, largest.view) == merged[0]
    named = [reason for reason in verdict.reasons if reason == largest.sentence()]
    assert named
    assert f"Body {merged[0]} " in named[0]
    assert str(alert.places[0]).startswith(named[0])
    assert alert.kind == "regression"
    _, clean, _ = _judged_beside_itself(run, small_truth, Edits(), "clean")
    assert clean.passed


def _judged_beside_itself(
    run: RunContext[DvidServices], truth: PinnedGroundTruth, edits: Edits, name: str
) -> tuple[RunContext[DvidServices], Verdict, Alert]:
    """The run with `edits` and another ground truth, judged beside a release that is the run as it was."""
    key, spec = run.keys["write"], run.spec
    release = PinnedRelease(
        number=1,
        root=spec.volume.root,
        node=key,
        instance=spec.output.instance,
        fingerprint=key,
        region=spec.volume.region,
        figures=read_survey(run).survey.figures,
    )
    changed = {"run": name, "edits": edits, "groundtruth": truth, "served": release}
    services = run.open_services()
    other = RunContext(spec.model_copy(update=changed), name, lambda: services)
    other = after(other, "segment", "stitch", "evaluate")
    folder = RunFolder(services.store, spec.dataset, name)
    folder.write("spec", other.spec)
    verdict = gate_run(other)
    return other, verdict, refusal_alert(other, verdict, {})


def test_a_dataset_without_ground_truth_is_judged_by_the_rest_and_published(run, judged, server, tmp_path):
    """Kills an evaluation that needs ground truth anywhere, and a release that hides that there was none."""
    services, store = DvidServices(FolderStore(tmp_path), server), run.open_services().store
    for key in store.keys_under("stages/phases"):
        services.store.put(key, store.get(key))
    spec = run.spec.model_copy(update={"run": "none", "groundtruth": None})
    other = RunContext(spec, "none", lambda: services)
    assert plan_run(other).phases["evaluate"].items == 0
    other = after(other, "segment", "stitch", "evaluate")
    verdict = gate_run(other)
    folder = RunFolder(services.store, spec.dataset, "none")
    folder.write("spec", spec)
    assert verdict.passed
    assert not verdict.has_groundtruth
    assert {row.scope for row in verdict.rows} == {"everywhere"}
    assert "subvolumes" not in verdict.figures
    assert "has no ground truth" in folder.read_file("report.html").decode()
    assert "without ground truth" in evidence(other, "report.html")
    record = publish_run(other)
    in_dvid = KeyValues(segmentation_of(other).node, "emseg-quality")
    assert in_dvid.read("stages") == folder.read_file("quality.json")
    assert not record.has_groundtruth
    assert record.figures == verdict.figures == served_source(services.store)("stages").figures
    (entry,) = read_history(services.store, "stages").entries
    assert entry.judged.groundtruth == "none"
    assert entry.value("body_size_um3") == verdict.figures["body_size_um3"]
    assert [each.verdict for each in runs_of(services.store, "stages")] == ["passed without ground truth"]
    assert "no ground truth, " in judged_by(record.figures, record.has_groundtruth)
    assert "It was judged without ground truth" in publication_alert("published", "Published", record, {}).reasons


def test_what_was_counted_is_what_dvid_returns(run, segmentation):
    """Oracle: NumPy on all voxels. Kills bodies counted once a subvolume, sizes of supervoxels, and halos counted."""
    counted = read_survey(run)
    ids, sizes = np.unique(segmentation[segmentation != 0], return_counts=True)
    survey = counted.survey
    assert (survey.bodies, survey.voxels, survey.core_vox) == (len(ids), int(sizes.sum()), segmentation.size)
    assert survey.squares == pytest.approx(float((sizes.astype(float) ** 2).sum()))
    assert survey.figure("unlabelled_share") == pytest.approx((segmentation == 0).mean())
    order = np.lexsort((ids, -sizes))[:100]
    assert counted.largest.tolist() == ids[order].tolist()
    assert counted.largest_vox.tolist() == sizes[order].tolist()
    faces = [np.take(segmentation, end, axis) for axis in range(3) for end in (0, -1)]
    reaching = np.unique(np.concatenate([face.ravel() for face in faces]))
    small = sizes * survey.voxel_um3 <= run.spec.gate.everywhere.orphan_um3
    orphan = small & ~np.isin(ids, reaching)
    assert (survey.orphans, survey.orphan_vox) == (orphan.sum(), sizes[orphan].sum())
    assert (survey.seams_met, survey.seams_ended) == _ends(segmentation, 64)
    assert (survey.inside_met, survey.inside_ended) == _ends(segmentation, 32)


def _ends(bodies: np.ndarray, first: int) -> tuple[int, int]:
    """Sides of bodies at planes `first`, `first` + 64, ... of each axis, 64 x 64 voxels at a time; those that end."""
    met = ended = 0
    for axis in range(3):
        layers = np.moveaxis(bodies, axis, 0)
        for at, y, x in product(range(first, len(layers), 64), *(range(0, n, 64) for n in layers.shape[1:])):
            low, high = (layers[n, y : y + 64, x : x + 64] for n in (at - 1, at))
            real = (low > 0) & (high > 0)
            going_on = set(low[real & (low == high)].tolist())
            for side in (set(low[real].tolist()), set(high[real].tolist())):
                met, ended = met + len(side), ended + len(side - going_on)
    return met, ended


def test_the_gate_and_publication_leave_everything_that_explains_them(run, judged):
    folder = judged
    paths = {path for path, _ in folder.files()}
    assert paths >= {"report.html", "datadocs/index.html", "pictures/slices.png", "verdict.json", "findings.json"}
    report = folder.read("quality", QualityReport)
    assert {each.picture.path for each in report.places if each.picture} <= paths
    release = publish_run(run)
    assert release.uuid == run.keys["write"]
    assert segmentation_of(run).node.info().locked
    assert publish_run(run) == release
    kept = json.loads(KeyValues(segmentation_of(run).node, "emseg-quality").read("stages"))
    assert (kept["kind"], kept["schema"], kept["content"]["fingerprint"]) == ("quality", 1, run.keys["write"])


def test_the_report_measures_what_is_there(run, judged, volume):
    """Kills a page without pictures, voxels that are not those of the ground truth, and joins that nobody looked at."""
    report = judged.read("quality", QualityReport)
    assert report.missing == ()
    assert [place.body for place in report.places if place.picture]
    ids, sizes = np.unique(volume.groundtruth, return_counts=True)
    voxels = dict(zip(ids.tolist(), sizes.tolist(), strict=True))
    cut = [place for place in report.places if place.kind == "cut"]
    assert all(place.voxels == voxels[place.body] for place in cut)
    assert cut[0].volume_um3 == pytest.approx(voxels[cut[0].body] * 1e-6)  # 10 nm a side
    errors = {tile.subvolume: tile.value for shown in report.maps for tile in shown.tiles}
    assert max(errors.values()) == report.worst_subvolumes[0].error
    this_run, *modes = report.joins.accuracy
    assert report.joins.overlaps_read <= report.joins.overlaps == 89  # (4 x 7 x 7 - 18) / 2
    assert 0.9 < this_run.precision <= 1
    assert 0.5 < this_run.recall <= 1
    assert {mode.rules: mode.joins > 0 for mode in modes}["mode none"] is False
    assert {mode.wanted for mode in modes} == {this_run.wanted}
    assert [len(each.points) for each in report.trends] == [1] * len(report.trends)


@pytest.mark.parametrize("scale", [0, 1])
def test_joins_are_judged_alike_whether_ground_truth_is_read_for_one_overlap_or_for_all_of_a_subvolume(
    run, volume, scale: int, monkeypatch: pytest.MonkeyPatch
):
    """Kills ground truth that lies beside the labels that it is compared with."""
    bodies = np.setdiff1d(volume.groundtruth, [0])
    measured = run.spec.groundtruth.model_copy(update={"scale": scale})
    looked = RunContext(run.spec.model_copy(update={"groundtruth": measured}), "looked", run.open_services)
    together = joins_of(looked, bodies, ())
    monkeypatch.setattr("emseg.tasks.report_joins.MOST_TOGETHER_VOX", 0)
    assert joins_of(looked, bodies, ()) == together
    assert together.accuracy[0].right > 0


def no_picture(*_: object) -> bytes:
    raise RuntimeError("no room for a picture")


def test_a_run_that_is_worse_than_the_release_is_refused_inside_of_all_limits(
    run, judged, server, dataset_files, monkeypatch: pytest.MonkeyPatch
):
    """Kills a gate of fixed limits, a release that is measured a second time though nothing has changed, and a gate
    that fails over a picture."""
    monkeypatch.setattr("emseg.tasks.report_places.place_jpeg", no_picture)
    services, key = run.open_services(), run.keys["write"]
    given = {"root": run.spec.volume.root, "node": key, "instance": run.spec.output.instance, "fingerprint": key}
    release = PinnedRelease(number=1, region=run.spec.volume.region, **given)
    parameters = RunParameters(dataset="stages", stitch="none")
    spec = pin_run(parameters, "worse", dataset_files, server, served=lambda _: release)
    loose = GatePolicy(vi_split_max=9, vi_merge_max=9, are_max=1, subvolume_vi_max=9)
    worse = RunContext(spec.model_copy(update={"gate": loose}), "worse", lambda: services)
    worse = after(worse, "segment", "stitch", "evaluate")
    assert {marker.attempt for marker in of_served(worse).folder("evaluate").manifest()} == {"first"}
    verdict = gate_run(worse)
    own, other = read_evaluation(worse).score, read_evaluation(run).score
    change = next(row.value for row in verdict.rows if row.metric == "change_vi")
    assert change == pytest.approx(own.vi - other.vi)
    assert not verdict.passed
    assert all(row.keeps_limit for row in verdict.rows if row.scope == "volume")
    assert any("broke" in reason for reason in verdict.reasons)
    assert verdict.replaces == key
    told = RunFolder(services.store, "stages", "worse").read("quality", QualityReport)
    vi = told.figures[0]
    assert (vi.value, vi.served, vi.worsening) == pytest.approx((own.vi, other.vi, own.vi - other.vi))
    assert vi.worsening_interval.low < vi.worsening < vi.worsening_interval.high
    assert sum(each.change for each in told.changed_subvolumes) > 0
    assert told.joins.accuracy[0].joins == 0
    assert [point.passed for point in told.trends[0].points] == [True, False]
    assert told.missing[0].endswith("no room for a picture")
    assert {place.no_picture for place in told.places} == {"no room for a picture", ""}
    entries = {each.judged.run: each for each in read_history(services.store, "stages").entries}
    passed = {name: entries[name].judged.verdict_passed for name in ("stages", "worse")}
    assert passed == {"stages": True, "worse": False}
    assert entries["worse"].value("change_vi") == pytest.approx(change)
    assert entries["stages"].value("vi") == pytest.approx(other.vi)
    with refused(PermanentError, "worse"):
        publish_run(worse)
    gone = release.model_copy(update={"node": "9" * 32})
    with refused(PermanentError, "release 1", "9" * 32):
        pin_run(parameters, "gone", dataset_files, server, served=lambda _: gone)


def test_synapses_and_skeletons_are_judged_kept_and_compared(
    run, judged, segmentation, server, volume, dataset_files, tmp_path
):
    """Oracle: labels of whole arrays at all points. Kills figures that stand in one place only, and lost limits."""
    rng = np.random.default_rng(2)
    shape = volume.grayscale.shape
    pre, post = (rng.permutation(np.unique(rng.integers(0, shape, (300, 3)), axis=0))[:200] for _ in range(2))
    walk = np.clip(np.cumsum(rng.integers(-9, 10, (150, 3)), axis=0) + np.array(shape) // 2, 0, np.array(shape) - 1)
    node = with_points(server, volume.node, pre, post, walk)
    document = yaml.safe_load((dataset_files / "stages.yaml").read_text())
    document["volume"]["groundtruth"] |= {
        "synapses": {"instance": "synapses", "node": node},
        "skeletons": {"instance": "skeletons", "node": node},
    }
    document["gate"]["figures"] = {"erl_nm": {"limit": 1e6}, "connectivity_recall": {"limit": 0, "regression": 0.1}}
    (tmp_path / "stages.yaml").write_text(yaml.safe_dump(document))
    services, store = DvidServices(FolderStore(tmp_path), server), run.open_services().store
    for key in store.keys_under("stages/phases"):
        services.store.put(key, store.get(key))
    release = PinnedRelease(
        number=1,
        root=run.spec.volume.root,
        node=run.keys["write"],
        instance=run.spec.output.instance,
        fingerprint=run.keys["write"],
    )
    spec = pin_run(RunParameters(dataset="stages"), "points", tmp_path, server, served=lambda _: release)
    other = after(RunContext(spec, "points", lambda: services), "segment", "stitch", "evaluate")
    verdict = gate_run(other)
    at_points = contingency_table(*(labels[tuple(np.r_[pre, post].T)] for labels in (segmentation, volume.groundtruth)))
    nodes, figures = Skeleton(walk * 10.0, np.column_stack([np.arange(149), np.arange(1, 150)])), verdict.figures
    skeletons = score_skeletons([nodes], [segmentation[tuple(walk.T)]])
    assert figures["synapse_vi_split"] == pytest.approx(score(at_points).vi_split)
    assert (figures["erl_nm"], figures["skeleton_splits"]) == (skeletons.erl_nm, skeletons.splits)
    segments, bodies = ([each[tuple(ends.T)] for ends in (pre, post)] for each in (segmentation, volume.groundtruth))
    known = (bodies[0] > 0) & (bodies[1] > 0)
    assert figures["autapses"] == (known & (segments[0] == segments[1]) & (segments[0] > 0)).sum()
    assert verdict.reasons == (
        f"Expected run length of the volume is {skeletons.erl_nm:.6g} nm; the gate asks for at least 1e+06 nm",
    )
    assert {row.metric: row.value for row in verdict.rows}["change_connectivity_recall"] == 0
    (entry,) = read_history(services.store, "stages").entries
    assert {name: entry.value(name) for name in OPTIONAL_FIGURES} == {n: figures.get(n) for n in OPTIONAL_FIGURES}
    report = RunFolder(services.store, "stages", "points").read("quality", QualityReport)
    shown = {each.metric: (each.title, each.value, each.served) for each in report.figures}
    for name, figure in OPTIONAL_FIGURES.items():
        assert shown[name] == (figure.title, figures.get(name), figures.get(name))
    document["volume"]["groundtruth"]["synapses"]["instance"] = "skeletons"
    (tmp_path / "stages.yaml").write_text(yaml.safe_dump(document))
    with refused(
        PermanentError, "volume.groundtruth.synapses.instance = skeletons", "of type keyvalue, not annotation"
    ):
        pin_run(RunParameters(dataset="stages"), "wrong", tmp_path, server)
    assert shown["change_connectivity_recall"][0] == "Worsening of Connected pairs of bodies that are found, share"


def with_points(server, parent: str, pre: np.ndarray, post: np.ndarray, walk: np.ndarray) -> str:
    """A committed version with connections, from row to row, and one skeleton along `walk`; voxels ZYX."""
    child = Node(server, parent).branch(f"points-{uuid4().hex[:8]}")
    create_instance(child, "synapses", "annotation", {})
    elements = [
        {"Pos": a[::-1], "Kind": "PreSyn", "Rels": [{"Rel": "PreSynTo", "To": b[::-1]}]}
        for a, b in zip(pre.tolist(), post.tolist(), strict=True)
    ]
    elements += [{"Pos": b[::-1], "Kind": "PostSyn", "Rels": []} for b in post.tolist()]
    server.post_json(child.path("synapses", "elements"), [each | {"Tags": [], "Prop": {}} for each in elements])
    create_instance(child, "skeletons", "keyvalue", {})
    swc = "".join(f"{n} 0 {x} {y} {z} 1 {n - 1 or -1}\n" for n, (z, y, x) in enumerate(walk.tolist(), 1))
    server.post(child.path("skeletons", "key", "1_swc"), swc.encode())
    server.post(child.path("skeletons", "key", "1_info"), b"{}")
    child.commit("synapses and a skeleton")
    return child.uuid


def test_a_region_with_a_hole_is_segmented_and_nothing_else_is_touched(
    server, volume, dataset_files: Path, tmp_path: Path
):
    """Kills work outside the ROI, and joins through a subvolume that was not computed."""
    blocks = [(z, y, x) for z in range(4) for y in range(6) for x in range(6) if not (y in (2, 3) and x in (2, 3))]
    child = Node(server, volume.node).branch(f"roi-{uuid4().hex[:8]}")
    region = RoiInstance(child, "ring")
    region.create()
    region.write(Roi.of_blocks(blocks))
    child.commit("a ring")
    services = DvidServices(FolderStore(tmp_path), server)
    parameters = RunParameters(dataset="demo", node=child.uuid, roi="ring")
    spec = pin_run(parameters, "ring", dataset_files, server)
    run = RunContext(spec, "first", lambda: services)
    assert plan_run(run).subvolumes == 16
    after(run, "segment", "stitch", "evaluate")
    labels = segmentation_of(run).read(Box.of_shape(volume.grayscale.shape))
    inside = Roi.of_blocks(blocks).mask(Box.of_shape(volume.grayscale.shape))
    assert not labels[~inside].any()
    assert (labels[inside] != 0).mean() > 0.95
    assert read_evaluation(run).whole.count.sum() == (inside & (volume.groundtruth != 0)).sum()


def test_an_output_instance_that_the_run_would_inherit_labels_from_is_refused(server, volume, dataset_files, tmp_path):
    (tmp_path / "demo.yaml").write_text(
        (dataset_files / "demo.yaml").read_text() + "\noutput: {instance: groundtruth}\n"
    )
    with refused(PermanentError, "output.instance = groundtruth"):
        pin_run(RunParameters(dataset="demo"), "run", tmp_path, server)
