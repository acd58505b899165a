"""All stages on the real servers, in one process: what lies in DVID afterwards, and what damage does."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from scipy import stats
from skimage.metrics import adapted_rand_error, variation_of_information
from skimage.util import view_as_blocks

from emseg.config import RunParameters
from emseg.dvid import Node, RoiInstance, indices, mappings
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box, Roi, Subvolume
from emseg.stages import (
    DvidServices,
    InProcess,
    RunFolder,
    Workplace,
    gate_run,
    plan_run,
    publish_run,
    read_evaluation,
    resolve_run,
    run_evaluate,
    run_segment,
    run_stitch,
    stage_keys,
    write,
)
from emseg.stages.chosen_cell import ChosenCell
from emseg.stages.match import read_labels
from emseg.stitch import Ids, supervoxel_ids
from emseg.store import FolderStore

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def work(server, volume, dataset_files: Path, tmp_path_factory) -> Workplace[DvidServices]:
    """A run that has been segmented, stitched and evaluated; artefacts in a folder, labels in DVID."""
    services = DvidServices(FolderStore(tmp_path_factory.mktemp("store")), server)
    spec = resolve_run(RunParameters(dataset="stages"), "stages", dataset_files, server)
    place = Workplace(spec, "first", lambda: services)
    for stage in (run_segment, run_stitch, run_evaluate):
        stage(place, InProcess())
    return place


@pytest.fixture(scope="module")
def segmentation(work, volume) -> np.ndarray:
    return work.open_services().segmentation(work.spec).read(Box.of_shape(volume.grayscale.shape))


def test_scores_equal_those_of_scikit_image_on_what_dvid_returns(work, segmentation, volume):
    """Kills tables that do not add up over subvolumes, and a labelmap that is not what was measured."""
    figures = read_evaluation(work.folder("evaluate")).score
    _, renamed = np.unique(segmentation, return_inverse=True)  # scikit-image counts up to the largest id
    truth = volume.groundtruth.astype(np.int64)
    split, merge = variation_of_information(truth, renamed)
    error, _, _ = adapted_rand_error(truth, renamed)
    assert figures.vi_split == pytest.approx(split, abs=1e-9)
    assert figures.vi_merge == pytest.approx(merge, abs=1e-9)
    assert figures.adapted_rand_error == pytest.approx(error, abs=1e-9)


def test_dvid_holds_supervoxels_whose_mapping_gives_the_bodies(work, segmentation, volume):
    labelmap = work.open_services().segmentation(work.spec)
    supervoxels = labelmap.read(Box.of_shape(volume.grayscale.shape), supervoxels=True)
    known, bodies = mappings(labelmap)
    expected = supervoxels.copy()
    place = np.minimum(np.searchsorted(known, supervoxels), len(known) - 1)
    found = known[place] == supervoxels
    expected[found] = bodies[place[found]]
    assert np.array_equal(expected, segmentation)
    assert len(np.unique(supervoxels)) > len(np.unique(segmentation))


def test_the_servers_own_sizes_are_the_voxels_of_each_body(work, segmentation):
    """Kills indices that were posted twice over, or for a part of the blocks only."""
    labelmap = work.open_services().segmentation(work.spec)
    ids, sizes = np.unique(segmentation[segmentation != 0], return_counts=True)
    table = indices(labelmap, ids.tolist())
    counted = np.array([int(table.count[table.body == body].sum()) for body in ids])
    assert np.array_equal(counted, sizes)
    assert labelmap.max_label() >= int(ids.max())


def test_coarser_scales_hold_the_mode_of_the_finer_one(work, volume):
    labelmap = work.open_services().segmentation(work.spec)
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

    def chosen(place: Workplace[DvidServices], subvolume: Subvolume, staying: Ids) -> ChosenCell:
        opened.append(subvolume.name)
        return ChosenCell(place, subvolume, staying)

    monkeypatch.setattr(write, "CELLS_HELD", 1)
    monkeypatch.setattr(write, "ChosenCell", chosen)
    services = DvidServices(FolderStore(tmp_path), server)
    parameters = RunParameters(dataset="stages", core_vox=(64, 192, 64))
    spec = resolve_run(parameters, "crossing", dataset_files, server)
    place = Workplace(spec, "first", lambda: services)
    run_segment(place, InProcess())
    run_stitch(place, InProcess())
    found = services.segmentation(spec).read(spec.volume.bounds, supervoxels=True)
    folder = place.folder("segment")
    for number in range(6):
        cell = spec.grid.subvolume(number)
        (marker,) = folder.item_markers([cell.name])
        labels = read_labels(folder, marker, "labels")
        np.testing.assert_array_equal(found[cell.core.slices()], supervoxel_ids(labels, number))
    assert len(opened) > len(set(opened)) == 6


def test_the_node_stays_open_until_it_is_published(work):
    assert not work.open_services().segmentation(work.spec).node.info().locked


def test_a_damaged_artefact_is_set_aside_and_computed_again_to_the_same_bytes(
    server, volume, dataset_files: Path, tmp_path: Path
):
    """Kills a reader that trusts damaged bytes, and a retry that cannot get past them."""
    services = DvidServices(FolderStore(tmp_path), server)
    spec = resolve_run(RunParameters(dataset="damaged"), "damage", dataset_files, server)
    first = Workplace(spec, "first", lambda: services)
    run_segment(first, InProcess())
    digest = first.folder("segment").stage_marker().content_digest
    (victim,) = first.folder("segment").item_markers(["sv-00000004"])
    artefact = victim.artefact("overlap-00000005")
    data = bytearray(services.store.get(artefact.key))
    data[len(data) // 2] ^= 1
    services.store.put(artefact.key, bytes(data))

    with pytest.raises(IntegrityError, match="sv-00000004"):
        run_stitch(first, InProcess())
    report = run_stitch(Workplace(spec, "second", lambda: services), InProcess())
    assert {p.phase for p in report.phases} == {"match", "resolve", "write"}
    repaired = first.folder("segment")
    assert repaired.stage_marker().content_digest == digest
    assert {m.item: m.attempt for m in repaired.manifest()}["sv-00000004"] == "second"
    assert [m.attempt for m in repaired.manifest()].count("second") == 1


def test_the_gate_and_publication_leave_everything_that_explains_them(work):
    services = work.open_services()
    folder = RunFolder(services.store, work.spec.dataset, work.spec.run)
    verdict = gate_run(work.spec, services)
    assert verdict.passed
    paths = {path for path, _ in folder.files()}
    assert paths >= {"report.html", "datadocs/index.html", "pictures/slices.png", "verdict.json", "findings.json"}
    release = publish_run(work.spec, services)
    assert release.uuid == stage_keys(work.spec).write
    assert services.segmentation(work.spec).node.info().locked
    assert publish_run(work.spec, services) == release


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
    spec = resolve_run(parameters, "ring", dataset_files, server)
    place = Workplace(spec, "first", lambda: services)
    assert plan_run(spec, services).subvolumes == 16
    for stage in (run_segment, run_stitch, run_evaluate):
        stage(place, InProcess())
    labels = services.segmentation(spec).read(Box.of_shape(volume.grayscale.shape))
    inside = Roi.of_blocks(blocks).mask(Box.of_shape(volume.grayscale.shape))
    assert not labels[~inside].any()
    assert (labels[inside] != 0).mean() > 0.95
    assert read_evaluation(place.folder("evaluate")).whole.count.sum() == (inside & (volume.groundtruth != 0)).sum()


def test_an_output_instance_that_the_run_would_inherit_labels_from_is_refused(server, volume, dataset_files, tmp_path):
    (tmp_path / "demo.yaml").write_text(
        (dataset_files / "demo.yaml").read_text() + "\noutput: {instance: groundtruth}\n"
    )
    with pytest.raises(PermanentError, match=r"output\.instance = groundtruth.*another instance name"):
        resolve_run(RunParameters(dataset="demo"), "run", tmp_path, server)
