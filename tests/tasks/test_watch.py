"""What is served is measured again: what is judged and told, and on a real DVID what is found, once, and left alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest
from tests.memory_store import MemoryStore
from tests.refusals import refused
from tests.running import a_spec

from emseg.alerts import Alert, Receipts, send
from emseg.array_types import Labels64
from emseg.config import Dataset
from emseg.config.evaluation import EvaluationSpec, PinnedInstance
from emseg.config.gate import GatePolicy, Regression
from emseg.config.groundtruth import Counting, Unassigned
from emseg.config.runspec import PinnedBox, PinnedGroundTruth, PinnedSynapses
from emseg.devstack import DevStack
from emseg.dvid import DvidServer, Node, create_repo
from emseg.dvid.nodes import RELEASE_LINE
from emseg.engine.items import InProcess
from emseg.errors import PermanentError
from emseg.evaluate import contingency_table
from emseg.geometry import Box
from emseg.ingest import ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.phases.services import DvidServices
from emseg.publish import ReleaseRecord, served_release
from emseg.publish.chain import serve
from emseg.quality import comparable, read_history
from emseg.quality.scores import Place, Scores, measured_fields
from emseg.store import FolderStore
from emseg.tasks.evaluation import run_evaluation
from emseg.tasks.evaluation.job import context_of
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.watch import Watched, judge_watch, pin_watch
from emseg.tasks.watch.judging import watch_alert, watch_entry, watch_verdict

BOUNDS = Box.of_shape((64, 64, 128))
TRUTH = np.ones(BOUNDS.shape, np.uint64)
TRUTH[:, 32:], TRUTH[:, :32, 64:], TRUTH[:, 32:, 100:] = 2, 3, 4
"""Four bodies. The release is exactly this, so each change is in its figures."""
FINGERPRINT = "f" * 32


def release(node: str, **figures: float) -> ReleaseRecord:
    perfect = {"vi_split": 0.0, "vi_merge": 0.0, "adapted_rand_error": 0.0, "assigned_share": 1.0}
    return ReleaseRecord(
        number=3,
        dataset="brain",
        root=node,
        uuid=node,
        branch="emseg-f",
        instance="seg",
        fingerprint=FINGERPRINT,
        run="earlier",
        figures=perfect | figures,
        supersedes=None,
    )


def measured(truth_node: str, labels: Labels64) -> tuple[EvaluationSpec, Scores]:
    """An evaluation of `labels` as the proofreading `bb` of the release `aa`, without any service."""
    whole = PinnedBox(start=BOUNDS.start, stop=BOUNDS.stop)
    spec = EvaluationSpec(
        server="http://dvid",
        segmentation=PinnedInstance(node="bb", instance="seg"),
        groundtruth=PinnedInstance(node=truth_node, instance="truth"),
        segmentation_supervoxels=False,
        groundtruth_supervoxels=False,
        counting=Counting(),
        leave_out=(),
        start=BOUNDS.start,
        stop=BOUNDS.stop,
        extents=whole,
        roi=None,
        roi_digest="",
        voxel_size_nm=(8, 8, 8),
        core_vox=(64, 64, 64),
        grayscale=None,
        code="c",
    )
    found = measured_fields(contingency_table(labels, TRUTH), Unassigned.SEGMENT)
    places = tuple(Place(text=t, position_vox=None, link=None) for t in found["findings"].sentences())
    told = {"segmentation": "", "groundtruth": "", "counting": Counting(), "places": places}
    return spec, Scores(**told, start=BOUNDS.start, stop=BOUNDS.stop, **found)


def watched(**figures: float) -> Watched:
    truth = PinnedGroundTruth(node="aa", instance="truth")
    return Watched(
        dataset="brain",
        identity="d" * 32,
        release=release("aa", **figures),
        groundtruth=truth,
        data_version="aa",
        region="r",
    )


ONE_JOINED = np.where(TRUTH == 4, np.uint64(2), TRUTH)
"""VI merge is 0.379 bits: half of the voxels, times the entropy of 28 to 100."""


@pytest.mark.parametrize(
    ("labels", "truth_node", "gate", "kind", "title"),
    [
        (TRUTH, "aa", GatePolicy(), "watched", "is good"),
        (ONE_JOINED, "aa", GatePolicy(), "regression", "worse since it was proofread"),
        (ONE_JOINED, "aa", GatePolicy(regression=Regression(vi=1, vi_merge=1, are=1)), "watched", "is good"),
        (ONE_JOINED, "cc", GatePolicy(), "watched", "is good"),
        (ONE_JOINED, "cc", GatePolicy(vi_merge_max=0.1), "regression", "limits on other ground truth"),
    ],
)
def test_worse_is_only_what_is_worse_on_the_same_ground_truth_or_misses_a_limit(labels, truth_node, gate, kind, title):
    """Kills a regression that is a change of the ground truth, and one that is not seen inside of the limits.

    Kills a median of runs, too, in which proofread figures, or one release many times, take part.
    """
    spec, scores = measured(truth_node, labels)
    verdict = watch_verdict(watched(), spec, scores, gate, "run")
    alert = watch_alert(watched(), spec, scores, verdict, {"Report": "https://airflow"})
    assert (alert.kind, verdict.passed) == (kind, kind == "watched")
    assert title in alert.title
    assert any("cc:truth" in reason for reason in alert.reasons) == (truth_node == "cc")
    assert any("other ground truth" in reason for reason in alert.reasons) == (truth_node == "cc")
    entry = watch_entry(watched(), spec, scores, verdict)
    assert entry.judged.verdict_passed == verdict.passed
    assert (entry.value("change_vi") is None) == (truth_node == "cc")
    assert comparable([entry], entry.judged.groundtruth, "r", "other") == comparable([entry], None, "r", "other") == ()


def test_an_alert_tells_figures_before_and_after_and_the_worst_places_first():
    """Kills figures of a release without VI as one number, and places in the order of the document."""
    spec, scores = measured("aa", ONE_JOINED)
    given = watched(vi_split=0.25)
    alert = watch_alert(given, spec, scores, watch_verdict(given, spec, scores, GatePolicy(), "run"), {})
    lines = alert.figure_lines()
    assert "vi_split: 0 (release 3: 0.25, -0.25)" in lines
    assert any(line.startswith("vi: 0.3789") and "release 3: 0.25, +0.129)" in line for line in lines)
    costs = [each.bits for each in (*scores.findings.cut, *scores.findings.joining)]
    wanted = scores.places[int(np.argmax(costs))].text
    assert alert.places[0].text == wanted
    assert "bb" in alert.reasons[0]


def test_nothing_is_measured_where_nothing_is_served():
    assert pin_watch(dataset("abcd", "abcd"), SimpleNamespace(store=MemoryStore())) is None


def dataset(node: str, truth: str, **watch: str) -> Dataset:
    document = {
        "name": "brain",
        "description": "watched",
        "volume": {"node": node, "groundtruth": {"node": truth, "instance": "truth"}},
        "watch": {"schedule": "@daily"} | watch,
    }
    return Dataset.model_validate(document)


@dataclass
class Site:
    """A release in DVID, and the alerts that a channel got."""

    services: DvidServices
    node: Node
    name: str = "counting"
    got: list[Alert] = field(default_factory=list)

    def deliver(self, alert: Alert) -> None:
        self.got.append(alert)

    def watch(self, watched: Dataset) -> RunFolder | None:
        """One run of the DAG, as its tasks do it."""
        folder = pin_watch(watched, self.services)
        if folder is not None:
            self.judge(folder, watched)
        return folder

    def judge(self, folder: RunFolder, watched: Dataset) -> None:
        run = context_of(folder.read("evaluation", EvaluationSpec), uuid4().hex, lambda: self.services)
        run_evaluation(run, InProcess())
        receipts = Receipts(folder.store, folder.dataset, folder.run)
        judge_watch(run, folder, watched.gate, {}, lambda alert: send(receipts.of(alert).alert, [self], receipts))

    def changed(self, branch: str, instance: str, *merged: int) -> Node:
        """A version on a branch of the release in which bodies are joined, committed."""
        child = self.node.branch(branch)
        self.services.server.post_json(child.path(instance, "merge"), list(merged))
        child.commit("joined")
        return child


@pytest.fixture
def site(devstack: DevStack, tmp_path: Path) -> Site:
    server = DvidServer(devstack.dvid)
    node = Node(server, create_repo(server, "watched", "a release", uuid4().hex))
    for name in ("truth", "seg"):
        ingest_labels(node, name, ArrayVolume(TRUTH, name), (8.0, 8.0, 8.0), 1)
    node.commit("release", [RELEASE_LINE + FINGERPRINT])
    store = FolderStore(tmp_path)
    spec = a_spec(BOUNDS, run="earlier")
    volume = spec.volume.model_copy(update={"node": node.uuid, "root": node.uuid})
    synapses = PinnedSynapses(node=node.uuid, instance="synapses")  # which a watch does not measure
    truth = PinnedGroundTruth(node=node.uuid, instance="truth", synapses=synapses)
    RunFolder(store, "brain", "earlier").write("spec", spec.model_copy(update={"volume": volume, "groundtruth": truth}))
    serve(store, release(node.uuid))
    return Site(DvidServices(store, server), node)


@pytest.mark.services
def test_a_new_version_of_the_ground_truth_is_measured_and_told_once(site):
    """Kills a release that is measured each night, a message for each try, and a watch that changes what is served."""
    root = site.node.uuid
    before = served_release(site.services.store, "brain")
    assert site.watch(dataset(root, f"{root}:master")) is None
    child = site.changed("truth", "truth", 2, 4)
    changed = dataset(root, f"{root}:truth")
    folder = site.watch(changed)
    (alert,) = site.got
    assert alert.kind == "watched"
    assert alert.figures["vi_split"] == pytest.approx(0.379, abs=1e-3)
    assert any(f"{child.uuid}:truth" in reason for reason in alert.reasons)
    assert alert.places[0].position_vox is not None
    assert site.watch(changed) is None
    site.judge(folder, changed)  # a task that is cleared
    assert len(site.got) == 1
    (entry,) = read_history(site.services.store, "brain").entries
    assert (entry.judged.served_release, entry.judged.verdict_passed) == (3, True)
    assert served_release(site.services.store, "brain") == before


@pytest.mark.services
def test_what_is_committed_of_the_proofreading_is_measured(site):
    """Kills open versions that are measured, and a proofreading of another release."""
    root = site.node.uuid
    other = site.changed("other", "seg", 1, 3)
    child = site.node.branch("proofread")
    proofread = dataset(root, root, proofread=f"{root}:proofread")
    assert site.watch(proofread) is None
    site.services.server.post_json(child.path("seg", "merge"), [2, 4])
    assert site.watch(proofread) is None
    child.commit("joined")
    site.watch(proofread)
    (alert,) = site.got
    assert (alert.kind, alert.title) == ("regression", "Release 3 is worse since it was proofread")
    assert child.uuid in alert.reasons[0]
    assert any(reason.startswith("VI merge is") and "release 3" in reason for reason in alert.reasons)
    site.watch(proofread)
    assert len(site.got) == 1
    newer = release(other.uuid).model_copy(update={"number": 4})
    with refused(PermanentError, "release 4", other.uuid, "emseg releases check brain"):
        serve(site.services.store, newer)
        site.watch(proofread)
    with refused(PermanentError, "watch.proofread", "nobody", root):
        serve(site.services.store, release(root).model_copy(update={"number": 5}))
        site.watch(dataset(root, root, proofread=f"{root}:nobody"))
