"""The served release is measured on the ground truth and in the region of the run, and never twice."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from skimage.metrics import variation_of_information
from tests.array_labelmap import ArrayLabelmap
from tests.running import a_spec

from emseg.config.runspec import PinnedGroundTruth, PinnedRelease
from emseg.engine.items import InProcess
from emseg.geometry import Box, Roi
from emseg.phases import phase_named
from emseg.phases.evaluate.work import read_evaluation
from emseg.phases.labelmaps import of_served
from emseg.phases.run_context import RunContext
from emseg.store import FolderStore
from emseg.tasks.jobs import complete, run_phases
from emseg.tasks.plan import plan_run

SHAPE = (64, 64, 100)
BOUNDS = Box.of_shape(SHAPE)
random = np.random.default_rng(5)
ARRAYS = {
    ("abcd", "groundtruth"): random.integers(0, 4, SHAPE).astype(np.uint64),
    ("abcd", "tight"): random.integers(0, 3, SHAPE).astype(np.uint64),
    ("5" * 32, "bodies"): random.integers(1, 6, SHAPE).astype(np.uint64),
}
OWN = random.integers(1, 5, SHAPE).astype(np.uint64)
SERVED = PinnedRelease(number=3, root="ab", node="5" * 32, instance="bodies", fingerprint="5" * 32)


class Services:
    """Labelmaps of arrays; `reads` counts how often each was read. Any other node holds `OWN`."""

    def __init__(self, folder, roi: Roi | None = None) -> None:
        self.store, self._roi, self.reads = FolderStore(folder), roi, Counter[str]()

    def roi(self, _):
        return self._roi

    def labelmap(self, node: str, instance: str):
        return ArrayLabelmap(ARRAYS.get((node, instance), OWN), lambda: self.reads.update([instance]))


def evaluated(services: Services, attempt: str = "one", **fields) -> RunContext:
    run = RunContext(a_spec(BOUNDS, **{"served": SERVED, **fields}), attempt, lambda: services)
    return run_phases("evaluate", (phase_named("evaluate"),), run, InProcess()).run


def test_both_are_measured_on_the_same_voxels_and_equal_scikit_image(tmp_path):
    """Kills a release that is read from the instance or the node of the run, and figures of its own old evaluation."""
    run = evaluated(Services(tmp_path))
    truth = ARRAYS["abcd", "groundtruth"]
    for context, labels in ((run, OWN), (of_served(run), ARRAYS["5" * 32, "bodies"])):
        found = read_evaluation(context).score
        split, merge = variation_of_information(truth[truth > 0].astype(int), labels[truth > 0].astype(int))
        assert found.voxels == np.count_nonzero(truth)
        assert (found.vi_split, found.vi_merge) == pytest.approx((split, merge), abs=1e-9)


def test_what_the_run_of_the_release_has_measured_is_found(tmp_path):
    """Kills a key in which the comparing run, its instance, its order or its own labels count."""
    services = Services(tmp_path)
    first = evaluated(services, served=None)
    release = SERVED.model_copy(update={"fingerprint": first.keys["write"], "instance": first.spec.output.instance})
    services.reads.clear()
    other = a_spec(BOUNDS).output.model_copy(update={"instance": "other"})
    run = evaluated(services, "two", served=release, output=other)
    assert run.keys["evaluate"] != first.keys["evaluate"] == of_served(run).keys["evaluate"]
    assert services.reads == {"other": 2, "groundtruth": 2}


@pytest.mark.parametrize(
    "fields",
    [
        {"groundtruth": PinnedGroundTruth(node="abcd", instance="tight")},
        {"volume": a_spec(Box.of_shape((64, 64, 90))).volume},
        {"volume": a_spec(BOUNDS).volume.model_copy(update={"roi": "r", "roi_digest": "12"})},
        {"code": {**a_spec(BOUNDS).code, "evaluate": "v2"}},
    ],
    ids=["another ground truth", "other extents", "another ROI", "other code"],
)
def test_what_was_measured_in_another_way_is_measured_anew(tmp_path, fields):
    """Kills a comparison of unlike things: each of these gives other figures for the same labels."""
    services = Services(tmp_path)
    first = evaluated(services)
    services.reads.clear()
    roi = Roi.of_blocks([[0, 0, 0], [1, 1, 2]]) if fields.get("volume", first.spec.volume).roi else None
    services._roi = roi
    run = evaluated(services, **fields)
    assert services.reads["bodies"] > 0
    own, served = read_evaluation(run), read_evaluation(of_served(run))
    assert own.score.voxels == served.score.voxels
    assert own.subvolumes.keys() == served.subvolumes.keys()


def test_the_result_that_is_served_itself_is_measured_once(tmp_path):
    services = Services(tmp_path)
    own = evaluated(services, served=None)
    again = evaluated(services, served=SERVED.model_copy(update={"fingerprint": own.keys["write"], "instance": "x"}))
    assert of_served(again).keys["evaluate"] == again.keys["evaluate"]
    assert phase_named("evaluate").also_for(again) == ()


def test_a_release_of_another_volume_is_not_measured_here(tmp_path):
    """Kills a comparison with labels of other tissue, at the same coordinates."""
    services = Services(tmp_path)
    run = evaluated(services, served=SERVED.model_copy(update={"root": "cd"}))
    assert of_served(run) is None
    assert services.reads["bodies"] == 0


def test_a_lost_item_of_the_release_is_measured_again_by_the_task_that_needs_it(tmp_path):
    """Kills a gate that cannot go on, or that computes the labels of the release from the spec of this run."""
    services = Services(tmp_path)
    run = evaluated(services)
    served = of_served(run)
    before = read_evaluation(served)
    folder = served.folder("evaluate")
    services.store.delete(folder.manifest()[0].artefacts[0].key)
    services.store.delete(folder.marker_key)
    for key in list(services.store.keys_under(f"brain/phases/evaluate/{served.keys['evaluate']}/items")):
        services.store.delete(key)
    complete("evaluate", run, InProcess())
    assert read_evaluation(served).whole == before.whole


def test_the_plan_and_the_report_tell_what_the_release_costs(tmp_path):
    services = Services(tmp_path)
    run = RunContext(a_spec(BOUNDS, served=SERVED), "one", lambda: services)
    served = of_served(run)
    assert plan_run(run).served["evaluate"].key == served.keys["evaluate"]
    assert "| evaluate, served | 2 | 0 | 2 |" in plan_run(run).markdown()
    report = run_phases("evaluate", (phase_named("evaluate"),), run, InProcess()).report
    assert [(each.key, each.served, each.items_done) for each in report.phases] == [
        (run.keys["evaluate"], False, 2),
        (served.keys["evaluate"], True, 2),
    ]
