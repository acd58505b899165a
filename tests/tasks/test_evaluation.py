"""Any two labelmaps of a real DVID compared in one process: figures, what counts, what is reused, what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from skimage.metrics import adapted_rand_error, variation_of_information
from tests.component_oracle import components_named
from tests.links.viewer import state_of
from tests.refusals import refused

from emseg.array_types import Labels64
from emseg.config.base import EVALUATIONS
from emseg.config.evaluation import EvaluationParameters, EvaluationSpec
from emseg.devstack import DevStack
from emseg.dvid import DvidServer, Labelmap, Node, RoiInstance, create_repo
from emseg.engine.items import InProcess
from emseg.engine.report import StageReport
from emseg.errors import PermanentError
from emseg.evaluate import contingency_table, merged
from emseg.geometry import Box, Roi
from emseg.ingest import ingest_grayscale, ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.phases.evaluate.work import EvaluateSubvolume, read_evaluation
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.quality.scores import Scores
from emseg.store import FolderStore
from emseg.tasks.evaluation import pin_evaluation, run_evaluation, scored
from emseg.tasks.evaluation.job import context_of
from emseg.tasks.run_folder import RunFolder

pytestmark = pytest.mark.services

SHAPE, START = (90, 100, 140), (10, 20, 30)
"""Of the ground truth, which begins at no block and at no core; the segmentation begins at voxel 0."""
SIZE_NM = (16.0, 8.0, 8.0)
BOUNDS = Box.of_shape(SHAPE, START)


@cache
def cells(shape: tuple[int, int, int], number: int, seed: int) -> Labels64:
    """Labels in cells of many voxels, 0 among them."""
    random = np.random.default_rng(seed)
    nearest, best = np.zeros(shape, np.uint64), np.full(shape, np.inf)
    grid = np.ogrid[tuple(map(slice, shape))]
    for label, seeded in enumerate(random.integers(0, shape, (number, 3)).tolist()):
        distance = sum((axis - at) ** 2 for axis, at in zip(grid, seeded, strict=True))
        nearest[distance < best], best = label, np.minimum(best, distance)
    return nearest


TRUTH, SUPERVOXELS = cells(SHAPE, 20, 1), cells(tuple(BOUNDS.stop), 60, 2)
MERGED = {5: (5, 6, 7), 20: (20, 33)}
"""Bodies of several supervoxels, as a proofreader joined them."""
BODIES = SUPERVOXELS.copy()
for _body, _held in MERGED.items():
    BODIES[np.isin(SUPERVOXELS, _held)] = _body


@dataclass(frozen=True)
class Place:
    """A locked version with two labelmaps, and one below it on a branch, which has one more."""

    services: DvidServices
    node: str

    def chosen(self, **given: object) -> EvaluationParameters:
        both = {"segmentation": f"{self.node}:seg", "groundtruth": f"{self.node}:truth", "core_vox": (64, 64, 64)}
        return EvaluationParameters.model_validate(both | given)

    def pinned(self, **given: object) -> EvaluationSpec:
        return pin_evaluation(self.chosen(**given), self.services.server)

    def context(self, spec: EvaluationSpec, attempt: str = "one") -> RunContext[DvidServices]:
        return context_of(spec, attempt, lambda: self.services)

    def measured(self, **given: object) -> tuple[StageReport, Scores]:
        spec = self.pinned(**given)
        run = self.context(spec)
        return run_evaluation(run, InProcess()), scored(run, spec)


@pytest.fixture(scope="module")
def place(devstack: DevStack, tmp_path_factory: pytest.TempPathFactory) -> Place:
    server = DvidServer(devstack.dvid)
    node = Node(server, create_repo(server, "two", "any two labelmaps", uuid4().hex))
    ingest_labels(node, "truth", ArrayVolume(TRUTH, "truth"), SIZE_NM, 2, START)
    ingest_labels(node, "seg", ArrayVolume(SUPERVOXELS, "seg"), SIZE_NM, 1)
    ingest_labels(node, "copy", ArrayVolume(SUPERVOXELS, "seg"), SIZE_NM, 1)
    ingest_labels(node, "of-8-nm", ArrayVolume(SUPERVOXELS[:64, :64, :64], "x"), (8.0, 8.0, 8.0), 1)
    ingest_labels(node, "elsewhere", ArrayVolume(SUPERVOXELS[:64, :64, :64], "x"), SIZE_NM, 1, (0, 0, 256))
    ingest_grayscale(node, "gray", ArrayVolume(np.ones((8, 8, 8), np.uint8), "x"), SIZE_NM)
    Labelmap(node, "empty").create(1, SIZE_NM)
    for body, (_, *others) in MERGED.items():
        server.post_json(node.path("seg", "merge"), [body, *others])
    for name, blocks in (("roi", [[0, 1, 1], [1, 1, 2], [2, 2, 2]]), ("beside", [[20, 0, 0]])):
        region = RoiInstance(node, name)
        region.create()
        region.write(Roi.of_blocks(blocks))
    RoiInstance(node, "nothing").create()
    node.commit("two labelmaps")
    node.branch("open")
    return Place(DvidServices(FolderStore(tmp_path_factory.mktemp("store")), server), node.uuid)


def oracle(segmentation: Labels64, truth: Labels64) -> tuple[float, float, float]:
    """VI split, VI merge and adapted Rand error of scikit-image, where there is ground truth."""
    known = truth > 0
    found, bodies = (np.unique(labels[known], return_inverse=True)[1] for labels in (segmentation, truth))
    return (*variation_of_information(bodies, found), adapted_rand_error(bodies + 1, found + 1)[0])


def figures(scores: Scores) -> tuple[float, ...]:
    return tuple(scores.figures[name] for name in ("vi_split", "vi_merge", "adapted_rand_error"))


@pytest.mark.parametrize(("supervoxels", "labels"), [(False, BODIES), (True, SUPERVOXELS)])
def test_the_figures_are_those_of_scikit_image(place: Place, supervoxels: bool, labels: Labels64) -> None:
    """Kills a mapping that is not asked for, or always; and a region that is not where both have voxels."""
    report, scores = place.measured(segmentation_supervoxels=supervoxels)
    assert report.items_done + report.items_reused == len(place.context(place.pinned()).cells) > 8
    assert figures(scores) == pytest.approx(oracle(labels[BOUNDS.slices()], TRUTH), abs=1e-9)
    assert scores.figures["voxels"] == np.count_nonzero(TRUTH)
    assert Box(scores.start, scores.stop) == BOUNDS
    assert sum(each.bits for each in scores.subvolumes) <= scores.figures["vi"] + 1e-9


def test_the_roles_may_be_changed_and_the_ground_truth_read_as_supervoxels(place: Place) -> None:
    """Kills supervoxels of the wrong side. VI split and VI merge change places, by their definition."""
    swapped = {"segmentation": f"{place.node}:truth", "groundtruth": f"{place.node}:seg"}
    _, scores = place.measured(**swapped, groundtruth_supervoxels=True)
    assert figures(scores) == pytest.approx(oracle(TRUTH, SUPERVOXELS[BOUNDS.slices()]), abs=1e-9)
    assert scores.groundtruth_supervoxels


def test_a_killed_try_is_gone_on_with_and_the_next_evaluation_finds_all_of_it(place: Place) -> None:
    """Kills items that are counted twice, and markers that only their own run finds."""
    spec = place.pinned(min_body_vox=1)
    first, *others = place.context(spec).folder("evaluate").done_items() or _items(place.context(spec))
    EvaluateSubvolume(place.context(spec, "killed"))(first)
    report = run_evaluation(place.context(spec), InProcess())
    assert (report.items_done, report.items_reused) == (len(others), 1)
    again = run_evaluation(place.context(place.pinned(min_body_vox=1), "two"), InProcess())
    assert (again.items_done, again.items_reused) == (0, len(others) + 1)


def _items(run: RunContext[DvidServices]) -> list[str]:
    return [run.grid.subvolume(number).name for number in run.cells]


def test_box_roi_and_what_counts_are_as_counted_on_the_arrays(place: Place) -> None:
    """Oracle: NumPy and SciPy on the arrays. Kills an option that is lost on the way, and boxes in other voxels."""
    box, out = (20, 40, 40, 90, 110, 150), (30, 50, 60, 64, 80, 100)
    options = {"ignore_boundary_nm": 20.0, "bodies": (2, 4, 5, 9, 11), "min_body_vox": 1000, "unassigned": "singletons"}
    spec = place.pinned(box=box, leave_out=(out,), roi=f"{place.node}:roi", **options)
    run_evaluation(place.context(spec), InProcess())
    whole = read_evaluation(place.context(spec)).whole
    counts = np.zeros(SHAPE, bool)
    counts[Box(box[:3], box[3:]).slices(START)] = True
    counts[Box(out[:3], out[3:]).slices(START)] = False
    counts &= Roi.of_blocks([[0, 1, 1], [1, 1, 2], [2, 2, 2]]).mask(BOUNDS)
    near = np.zeros(SHAPE, bool)
    for body in options["bodies"]:
        near |= (body == TRUTH) & (distance_transform_edt(body == TRUTH, sampling=SIZE_NM) <= 20.0)
    counts &= ~near & np.isin(TRUTH, options["bodies"])
    sizes = np.bincount(TRUTH[counts].astype(np.int64), minlength=20)
    counts &= sizes[TRUTH.astype(np.int64)] >= 1000
    assert 0 < counts.sum() < np.isin(TRUTH, options["bodies"]).sum() / 2
    assert whole == contingency_table(BODIES[BOUNDS.slices()], np.where(counts, TRUTH, np.uint64(0)))


def test_a_box_is_a_choice_and_not_taken_for_turned_axes(place: Place) -> None:
    """Kills the refusal of a box that is too long along Z, and would fit in with its axes turned."""
    spec = place.pinned(box=(0, 0, 0, 170, 120, 100))
    assert (spec.start, spec.stop) == ((10, 20, 30), (100, 120, 100))


def test_tables_of_parts_add_up_to_that_of_the_whole_also_with_a_band(place: Place) -> None:
    """Kills a band that ends at the face of the box, where it does not see the boundary beyond."""
    z0, y0, x0, z1, y1, x1 = 10, 20, 30, 100, 120, 170
    boxes = [(z0, y0, x0, 47, y1, x1), (47, y0, x0, z1, y1, x1), (z0, y0, x0, z1, y1, x1)]
    tables = []
    for box in boxes:
        spec = place.pinned(box=box, ignore_boundary_nm=40.0)
        run_evaluation(place.context(spec), InProcess())
        tables.append(read_evaluation(place.context(spec)).whole)
    assert merged(tables[:2]) == tables[2]
    assert tables[2].voxels > 0


def test_a_coarser_scale_is_the_labels_that_dvid_has_there(place: Place) -> None:
    """Kills a scale of one side only."""
    spec = place.pinned(scale=1)
    run_evaluation(place.context(spec), InProcess())
    coarse = Box((5, 10, 15), (50, 60, 85))
    node = Node(place.services.server, place.node)
    labels, truth = (Labelmap(node, name).read(coarse, scale=1) for name in ("seg", "truth"))
    assert read_evaluation(place.context(spec)).whole == contingency_table(labels, truth)


@pytest.mark.parametrize(("supervoxels", "labels"), [(False, BODIES), (True, SUPERVOXELS)])
def test_each_of_the_worst_bodies_has_a_link_to_a_voxel_of_it(
    place: Place, supervoxels: bool, labels: Labels64
) -> None:
    """Kills a place outside of the region, a place of the body that holds a supervoxel, and links without bodies."""
    box = (20, 30, 40, 90, 110, 160)
    _, scores = place.measured(box=box, segmentation_supervoxels=supervoxels)
    found = scores.findings
    assert found.cut
    assert found.joining
    for finding, there in (*((f, TRUTH) for f in found.cut), *((f, labels[BOUNDS.slices()]) for f in found.joining)):
        at = np.floor(finding.view.position_vox).astype(int)
        assert np.all(at >= box[:3])
        assert np.all(at < box[3:])
        assert there[tuple(at - START)] == finding.body
    worst = found.joining[0]
    state = state_of(scores.places[len(found.cut)].link)
    layers = {layer["name"]: layer for layer in state["layers"]}
    assert state["position"] == [*reversed(worst.view.position_vox)]
    held = next((body for body, held in MERGED.items() if worst.body in held), worst.body)
    assert layers["seg"]["segments"] == [str(held)]
    assert layers["seg"]["source"] == f"dvid://{place.services.server.url}/{place.node}/seg"
    assert set(layers["ground truth truth"]["segments"]) == {str(body) for body in worst.partner_ids}
    assert layers["gray"]["type"] == "image"


def test_components_of_a_box_lie_where_they_are_told(place: Place) -> None:
    """Oracle: scikit-image. Kills a link to another component of the body, or to a voxel outside of the box."""
    box = Box((20, 30, 40), (90, 110, 160))
    swapped = {"segmentation": f"{place.node}:truth", "groundtruth": f"{place.node}:seg", "components": True}
    spec = place.pinned(box=(*box.start, *box.stop), **swapped)
    run_evaluation(place.context(spec), InProcess())
    components = components_named(BODIES[box.slices()])
    expected = contingency_table(TRUTH[box.slices(START)], components)
    assert read_evaluation(place.context(spec)).whole == expected
    assert len(np.unique(components)) > len(np.unique(BODIES[box.slices()]))
    scores = scored(place.context(spec), spec)
    for finding in scores.findings.cut:
        at = np.floor(finding.view.position_vox).astype(int)
        assert components[tuple(finding.component_vox - np.array(box.start))] == components[tuple(at - box.start)]
        assert TRUTH[tuple(at - START)] in finding.partner_ids
        assert BODIES[tuple(at)] == finding.body
        assert finding.view.bodies == (finding.body,)
        inside = components[tuple(at - box.start)]
        assert finding.voxels == np.count_nonzero(components == inside)
    assert scores.places[0].text.startswith("Component at Z ")


@pytest.mark.parametrize(
    "other",
    [
        {"components": True},
        {"segmentation_supervoxels": True},
        {"groundtruth_supervoxels": True},
        {"segmentation": "NODE:copy"},
        {"box": (10, 20, 30, 60, 60, 60)},
        {"roi": "NODE:roi"},
        {"leave_out": ((10, 20, 30, 60, 60, 60),)},
        {"scale": 1},
        {"core_vox": (128, 64, 64)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_shapes_the_figures_is_in_the_key(place: Place, other: dict[str, object]) -> None:
    """Kills figures of bodies that are found under the key of supervoxels, or those of another instance."""
    spec, changed = place.pinned(), place.pinned(**json.loads(json.dumps(other).replace("NODE", place.node)))
    assert place.context(spec).keys["evaluate"] != place.context(changed).keys["evaluate"]


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ({"segmentation": "abcdabcd:seg"}, ["abcdabcd", "segmentation"]),
        ({"segmentation": "NODE:nobody"}, ["nobody", "labelmap", "truth"]),
        ({"groundtruth": "NODE:gray"}, ["gray", "uint8blk", "labelmap"]),
        ({"segmentation": "NODE:open:seg"}, ["open", "Commit"]),
        ({"segmentation": "NODE:empty"}, ["empty", "NODE"]),
        ({"segmentation": "NODE:of-8-nm"}, ["of-8-nm", "(8.0, 8.0, 8.0)", "(16.0, 8.0, 8.0)"]),
        ({"segmentation": "NODE:elsewhere"}, ["elsewhere", "256", "truth"]),
        ({"scale": 2}, ["scale", 2, "seg", 1]),
        ({"roi": "NODE:nothing"}, ["nothing", "roi"]),
        ({"roi": "NODE:beside"}, ["beside", "640"]),
        ({"roi": "NODE:seg"}, ["labelmap", "roi"]),
        ({"box": (0, 0, 0, 5, 5, 5)}, ["box", "truth", "Give a box"]),
        ({"box": (50, 50, 50, 50, 60, 60)}, ["box", 50]),
        ({"leave_out": ((9, 9, 9, 9, 9, 9),)}, ["leave_out", 9]),
        ({"bodies": (77,)}, ["bodies", 77]),
        ({"min_body_vox": 10**9}, ["min_body_vox", "truth"]),
    ],
    ids=str,
)
def test_what_cannot_be_compared_is_refused(place: Place, given: dict[str, object], values: list[object]) -> None:
    """Kills figures of unlike things, and a message that does not name field and value."""
    chosen = json.loads(json.dumps(given).replace("NODE", place.node))
    with refused(PermanentError, *(place.node if value == "NODE" else value for value in values)):
        place.measured(**chosen)


def test_a_branch_is_pinned_to_its_committed_node_and_other_code_is_refused(place: Place) -> None:
    """Kills an evaluation that reads on, whatever is committed meanwhile, and one of two versions of the code."""
    spec = place.pinned(segmentation=f"{place.node[:8]}:master:seg")
    assert spec.segmentation.node == place.node
    with refused(PermanentError, place.node, "pin"):
        run_evaluation(place.context(spec.model_copy(update={"code": "0" * 16})), InProcess())


def test_spec_and_scores_are_kept_whole(place: Place, tmp_path: Path) -> None:
    """Kills a field that JSON loses."""
    folder, spec = (
        RunFolder(FolderStore(tmp_path), EVALUATIONS, "run"),
        place.pinned(bodies=(3, 2), box=(10, 20, 30, 60, 60, 60)),
    )
    _, scores = place.measured()
    folder.write("evaluation", spec)
    folder.write("scores", scores)
    assert folder.read("evaluation", EvaluationSpec) == spec
    assert folder.read("scores", Scores) == scores
    assert json.loads(scores.model_dump_json())["schema_version"] == 1
