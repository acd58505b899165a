"""Task `publish`: a passed verdict in, a committed DVID node and a release record out."""

from __future__ import annotations

import logging
from functools import partial

from emseg.config.approval import Approval
from emseg.dvid import KeyValues, Node, NodeLockedError
from emseg.engine.items import InProcess
from emseg.phases.labelmaps import branch_name, segmentation_uuid
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write.finish import FinishLabelmap
from emseg.publish import ReleaseRecord, publish_release, served_release
from emseg.publish.approval import require_allowed
from emseg.quality import QualityReport, Verdict
from emseg.store import ObjectStore
from emseg.tasks.damage import all_of_it
from emseg.tasks.gate import gate_run
from emseg.tasks.jobs import complete
from emseg.tasks.run_folder import RunFolder

log = logging.getLogger(__name__)

QUALITY_INSTANCE = "emseg-quality"
"""Keyvalue instance in which each released node has its `QualityReport`, sealed JSON, under the name of the dataset."""


def publish_run(run: RunContext[DvidServices]) -> ReleaseRecord:
    """Publish the run's result as its verdict and its dataset allow; the record is kept in the run folder too.

    PermanentError where a person has to approve it and has not, or where nobody may. IntegrityError where DVID no
    longer holds the mappings, indices, extents or largest label that the run left there: between the gate and a
    person's approval days may pass.
    """
    services = run.open_services()
    folder = RunFolder(services.store, run.spec.dataset, run.spec.run)
    approval = folder.read("approval", Approval) if folder.has("approval") else None
    require_allowed(run.spec.publication, approval, run.keys["write"], f"dataset {folder.dataset}, run {folder.run}")
    folder.read_or_made("quality", QualityReport, partial(_made_anew, run, folder))
    quality = folder.read_file("quality.json")
    record = publish_release(
        services.store,
        Node(services.server, segmentation_uuid(run)),
        folder.read_or_made("verdict", Verdict, lambda: gate_run(run)),
        fingerprint=run.keys["write"],
        root=run.spec.volume.root,
        branch=branch_name(run),
        instance=run.spec.output.instance,
        before_commit=partial(_prepare, run, quality),
        approval=approval,
    )
    folder.write("release", record)
    return record


def is_served(store: ObjectStore, release: ReleaseRecord) -> bool:
    """Whether readers get the node of this release now. A result that was released before does not come back."""
    served = served_release(store, release.dataset)
    return served is not None and served.uuid == release.uuid


def _made_anew(run: RunContext[DvidServices], folder: RunFolder) -> QualityReport:
    gate_run(run)
    return folder.read("quality", QualityReport)


def _prepare(run: RunContext[DvidServices], quality: bytes) -> None:
    """Check that DVID holds the result, and put its figures beside it: after the commit nothing can be added."""
    _verify(run)
    node = Node(run.open_services().server, segmentation_uuid(run))
    try:
        KeyValues(node, QUALITY_INSTANCE).write(run.spec.dataset, quality)
    except NodeLockedError:
        log.info("%s: another publisher of this result came first, and put its figures there", run.spec.run)


def _verify(run: RunContext[DvidServices]) -> None:
    with all_of_it(("write", "resolve"), run, InProcess()):
        complete("write", run, InProcess())
        FinishLabelmap(run, InProcess()).verify()
