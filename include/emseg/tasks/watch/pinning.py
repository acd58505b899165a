"""What there is to measure again: the served release, or its proofreading, on the ground truth as it is now.

Example: release 3 was judged on version 9c41 of the ground truth, and its branch has a version 77ab by now. Then
release 3 is measured on 77ab, once, in the region in which it was judged.
"""

from __future__ import annotations

import logging

from emseg.config import Dataset, RunSpec
from emseg.config.base import EVALUATIONS, Record, validated
from emseg.config.evaluation import EvaluationParameters, EvaluationSpec
from emseg.config.groundtruth import Counting, GroundTruth
from emseg.config.runspec import PinnedBox, PinnedGroundTruth, digest_of
from emseg.dvid import DvidServer, NotFoundError, RepoInfo, repo_info, resolve_node
from emseg.errors import PermanentError
from emseg.phases.services import DvidServices
from emseg.publish import ReleaseRecord, served_release
from emseg.publish.in_dvid import fault_in_dvid
from emseg.quality.history import WATCHED, history_key
from emseg.tasks.evaluation import pin_evaluation
from emseg.tasks.pin import seen
from emseg.tasks.run_folder import RunFolder

DOING = "pinning what is watched"

log = logging.getLogger(__name__)


class Watched(Record):
    """Beside the `EvaluationSpec` of a watch: which release it is about, and on what that one was judged.

    `identity` is a digest of all that is measured, and how. `region` is that of the run of the release.
    """

    dataset: str
    identity: str
    release: ReleaseRecord
    groundtruth: PinnedGroundTruth | None
    data_version: str
    region: str
    notes: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """How the history names what is measured, and the name of the evaluation's run."""
        return WATCHED + self.identity

    def is_on_same_groundtruth(self, spec: EvaluationSpec) -> bool:
        """Whether figures of `spec` can be compared with those that the release was published with."""
        return pinned_groundtruth_of(spec) == self.groundtruth


def pin_watch(dataset: Dataset, services: DvidServices) -> RunFolder | None:
    """The folder of the evaluation; None where nothing is served or nothing has changed, which the log tells.

    PermanentError where what the dataset file names, or the release itself, cannot be read.
    """
    release = served_release(services.store, dataset.name)
    if release is None:
        log.info("%s: nothing is served yet", dataset.name)
        return None
    judged = RunFolder(services.store, dataset.name, release.run).pinned()
    spec, notes = _evaluation(dataset, release, judged, services)
    watched = Watched(
        dataset=dataset.name,
        identity=_identity(dataset.name, spec),
        release=release,
        groundtruth=_voxels_of(judged.groundtruth),
        data_version=judged.volume.node,
        region=judged.volume.region,
        notes=notes,
    )
    folder = RunFolder(services.store, EVALUATIONS, watched.fingerprint)
    if spec.segmentation.node == release.uuid and watched.is_on_same_groundtruth(spec):
        log.info("%s: release %d and its ground truth are as they were judged", dataset.name, release.number)
        return None
    if services.store.exists(history_key(dataset.name, folder.run, watched.fingerprint)):
        log.info("%s: nothing has changed since it was measured as %s", dataset.name, folder.run)
        return None
    folder.write("evaluation", spec)
    folder.write("watch", watched)
    return folder


def pinned_groundtruth_of(spec: EvaluationSpec) -> PinnedGroundTruth:
    """The ground truth of an evaluation as a run pins it."""
    return PinnedGroundTruth(**dict(spec.groundtruth), excluded=spec.leave_out, **dict(spec.counting))


def _evaluation(
    dataset: Dataset, release: ReleaseRecord, judged: RunSpec, services: DvidServices
) -> tuple[EvaluationSpec, tuple[str, ...]]:
    """The release, or its proofreading, in the region of the run that made it; with what has to be told of it."""
    truth, volume = dataset.volume.groundtruth, judged.volume
    if truth is None or dataset.watch is None:
        raise PermanentError(DOING, dataset.name, "its dataset file has no `watch`", "Give it one, with a ground truth")
    fault = fault_in_dvid(services.server, release)
    if fault is not None:
        on = f"release {release.number} of {dataset.name}"
        raise PermanentError(DOING, on, fault, f"See what else is wrong: emseg releases check {dataset.name}")
    node, notes = _measured(dataset.watch.proofread, release, services.server)
    chosen = {
        "segmentation": f"{node}:{release.instance}",
        "groundtruth": f"{truth.node or dataset.volume.node}:{truth.instance}",
        "roi": None if volume.roi is None else f"{volume.node}:{volume.roi}",
        "box": _corners(PinnedBox(start=volume.bounds_start, stop=volume.bounds_stop)),
        "leave_out": [_corners(each) for each in _left_out(judged, services)],
        "core_vox": judged.segmentation.core_vox,
        **_counting(truth),
    }
    parameters = validated(EvaluationParameters, chosen, DOING, f"release {release.number} of {dataset.name}")
    return pin_evaluation(parameters, services.server), notes


def _voxels_of(truth: PinnedGroundTruth | None) -> PinnedGroundTruth | None:
    """The labelmap alone: the watch measures no synapses and no skeletons."""
    return None if truth is None else truth.model_copy(update={"synapses": None, "skeletons": None})


def _identity(dataset: str, spec: EvaluationSpec) -> str:
    """32 digits. Other code, another address of the server or another grayscale is no change of what is measured."""
    return digest_of([dataset, spec.model_dump(mode="json", exclude={"code", "server", "grayscale"})])[:32]


def _left_out(judged: RunSpec, services: DvidServices) -> tuple[PinnedBox, ...]:
    if judged.groundtruth is None:
        return seen(judged.segmentation, judged.volume, services.model)
    return judged.groundtruth.excluded


def _counting(truth: GroundTruth) -> dict[str, object]:
    return {name: getattr(truth, name) for name in Counting.model_fields}


def _corners(box: PinnedBox) -> tuple[int, ...]:
    return (*box.start, *box.stop)


def _measured(reference: str | None, release: ReleaseRecord, server: DvidServer) -> tuple[str, tuple[str, ...]]:
    """Newest committed node of the proofreading; that of the release where nothing was committed below it."""
    if reference is None:
        return release.uuid, ()
    try:
        leaf = resolve_node(server, reference)
    except NotFoundError as error:
        remedy = f"Begin it at release {release.number}, node {release.uuid}, or leave watch.proofread out"
        raise PermanentError(DOING, f"watch.proofread = {reference}", "DVID knows no such version", remedy) from error
    node = leaf.uuid if leaf.locked or not leaf.parents else leaf.parents[0]  # what has a child is committed
    if node != release.uuid and _descends(repo_info(server, node), node, release.uuid):
        return node, ()
    said = f"Nothing that is committed at {reference} comes after release {release.number}: the release was measured"
    log.info("%s", said)
    return release.uuid, (said,)


def _descends(repo: RepoInfo, node: str, ancestor: str) -> bool:
    waiting, known = [node], {node}
    while waiting:
        parents = set(repo.nodes[waiting.pop()].parents) - known
        waiting += parents
        known |= parents
    return ancestor in known
