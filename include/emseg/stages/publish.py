"""Task `publish`: a passed verdict in, a committed DVID node and a release record out."""

from __future__ import annotations

from emseg.config import RunSpec
from emseg.dvid import Node
from emseg.publish import ReleaseRecord, publish_release
from emseg.quality import Verdict
from emseg.stages.complete_labelmap import FinishLabelmap
from emseg.stages.keys import stage_keys
from emseg.stages.run_folder import RunFolder
from emseg.stages.services import DvidServices, Workplace, segmentation_uuid


def publish_run(spec: RunSpec, services: DvidServices) -> ReleaseRecord:
    """Publish the run's result as its verdict allows; the record is kept in the run folder too.

    IntegrityError where DVID no longer holds the mappings, indices, extents or largest label that the run left there:
    between the gate and a person's approval days may pass.
    """
    folder = RunFolder(services.store, spec.dataset, spec.run)
    record = publish_release(
        services.store,
        Node(services.server, segmentation_uuid(spec)),
        folder.read("verdict", Verdict),
        fingerprint=stage_keys(spec).write,
        instance=spec.output.instance,
        before_commit=FinishLabelmap(Workplace(spec, "publish", lambda: services)).verify,
    )
    folder.write("release", record)
    return record
