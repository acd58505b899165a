"""The job of an ingestion: bricks without a marker are written, then extents and indices once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from emseg.config.base import INGESTIONS
from emseg.config.ingestion import INGEST, IngestSpec
from emseg.engine.items import StageExecutor, Work
from emseg.engine.report import StageReport
from emseg.engine.run import PhaseRun, Scalars, run_phase
from emseg.errors import PermanentError
from emseg.ingest.gray_pyramid import GrayPyramid
from emseg.phases.services import DvidServices
from emseg.phases.write.only_writer import LEASE_S
from emseg.store import ItemMarker, Lease, join_key
from emseg.tasks.ingestion.labels import post_labels
from emseg.tasks.ingestion.pinning import code_version
from emseg.tasks.ingestion.turns import require_turn
from emseg.tasks.ingestion.work import (
    IngestBrick,
    box_of,
    gray_target,
    items_of,
    label_target,
    phase_folder,
)


def run_ingestion(
    spec: IngestSpec, attempt: str, open_services: Callable[[], DvidServices], executor: StageExecutor
) -> StageReport:
    """Write what has no marker; a report of one phase.

    PermanentError where the code is not that of the pin, or where something else was pinned for the instance since.
    """
    _require_code(spec)
    ingestion = _Ingestion(spec, attempt, open_services)
    require_turn(open_services().store, spec)
    finish = partial(ingestion.finish, executor)
    phase = PhaseRun(INGEST, items_of(spec), ingestion.prepare, finish)
    result = run_phase(phase, phase_folder(spec, open_services(), attempt), executor)
    return StageReport(stage=INGEST, phases=(result.summary,))


class _Ingestion:
    """What the driver does itself: make the instances before the first brick, and finish them after the last."""

    def __init__(self, spec: IngestSpec, attempt: str, open_services: Callable[[], DvidServices]) -> None:
        self._spec, self._attempt, self._open_services = spec, attempt, open_services
        server = open_services().server
        self._target = gray_target(spec, server) if spec.kind == "grayscale" else label_target(spec, server)

    def prepare(self) -> Work:
        volume = None
        if isinstance(self._target, GrayPyramid):
            volume = self._target.create(self._spec.voxel_size_nm)
        else:
            self._target.create(self._spec.voxel_size_nm)
        return IngestBrick(self._spec, self._attempt, self._open_services, volume)

    def finish(self, executor: StageExecutor, markers: Sequence[ItemMarker]) -> Scalars:
        services, labels = self._open_services(), 0
        require_turn(services.store, self._spec)
        key = join_key(INGESTIONS, "leases", f"{self._spec.node}-{self._spec.instance}.json")
        with Lease(services.store, key, self._attempt, LEASE_S, patience_s=2 * LEASE_S) as lease:
            if isinstance(self._target, GrayPyramid):
                self._target.finish()
            else:
                with lease.kept():
                    labels = post_labels(self._spec, self._open_services, markers, executor)
                lease.renew()
                self._target.finish_volume()
        return {"voxels": box_of(self._spec).voxels, "labels": labels}


def _require_code(spec: IngestSpec) -> None:
    if spec.code != code_version():
        raise PermanentError(
            "starting an ingestion",
            f"{spec.source} to {spec.instance}",
            "the code here is not the code that it was pinned with",
            "Clear the task `pin` to go on with this code, or deploy one version everywhere",
        )
