"""A finished run with an object of every kind, and what people do with it: tasks that are tried again, and cleared.

No server: the labelmaps are arrays, and the DVID node is a stand-in that remembers whether it is committed. What is
read, judged and released goes through the code of production.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
from tests.array_labelmap import ArrayLabelmap

from emseg.config.dataset import Segmentation
from emseg.config.edits import Edit, EditKind
from emseg.config.stitching import Stitching
from emseg.dvid.nodes import RELEASE_LINE
from emseg.engine.items import InProcess
from emseg.engine.report import Failure
from emseg.errors import EmsegError, IntegrityError, PermanentError, TransientError
from emseg.phases import phase_named, stages
from emseg.phases.edits import change_edits, read_edits
from emseg.phases.evaluate.work import read_evaluation
from emseg.phases.models import load_model, store_model
from emseg.phases.run_context import RunContext
from emseg.publish import publish_release, releases, roll_back, served_release
from emseg.publish.mending import faults, mend
from emseg.quality import Findings, HistoryEntry, Judged, Measurement, Verdict, keep, read_history, worst_findings
from emseg.segment import ModelFolder
from emseg.segment.model import ModelDescription
from emseg.store import Lease, ObjectStore
from emseg.tasks.damage import all_of_it
from emseg.tasks.jobs import complete, run_phases
from emseg.tasks.judged import groundtruth_identity
from emseg.tasks.local import LocalServices, run_on_array
from emseg.tasks.plan import Plan, plan_run
from emseg.tasks.run_folder import RunFolder

CUT = Segmentation(core_vox=(64, 64, 64), halo_vox=(20, 20, 20))
MODEL = ModelFolder.of(ModelDescription(voxel_size_nm=(8.0, 8.0, 8.0)), {"forest.txt": b"a forest"})
EDIT = Edit(kind=EditKind.PART, first=1, second=2)
PLACE = {"root": "ab" * 16, "branch": "emseg-1", "instance": "segmentation"}
TRIES = 4
"""As many as Airflow makes of a task."""


class Services(LocalServices):
    """Services of a run on an array, with two labelmaps."""

    def __init__(self, store: ObjectStore, grayscale: Any, truth: Any) -> None:
        super().__init__(store, grayscale, None)  # type: ignore[arg-type]
        self._truth = truth

    def labelmap(self, _: str, instance: str) -> Any:
        return ArrayLabelmap(self._truth if instance == "groundtruth" else self._truth // 2)


class CommittedNode:
    """A DVID node that was committed as one result, as the publisher of it finds it again."""

    def __init__(self, fingerprint: str) -> None:
        self.uuid, self._fingerprint = fingerprint, fingerprint

    def is_locked(self) -> bool:
        return True

    def is_released_as(self, fingerprint: str) -> bool:
        return fingerprint == self._fingerprint

    def log(self) -> tuple[str, ...]:
        return (RELEASE_LINE + self._fingerprint,)

    def has(self, _: str) -> bool:
        return True


class FinishedRun:
    """One run over one store."""

    def __init__(self, store: ObjectStore, grayscale: Any, truth: Any) -> None:
        self.store = store
        self._services = Services(store, grayscale, truth)
        self._spec = run_on_array(grayscale, CUT, Stitching(), store).spec  # type: ignore[arg-type]
        self.folder = RunFolder(store, self._spec.dataset, self._spec.run)

    def pin(self) -> None:
        """The task `pin`: the edits are read, and the spec is written."""
        read_edits(self.store, "local", "key1")
        self.folder.begin(self._spec)

    def stage(self, name: str) -> None:
        """A stage without the phase that writes to DVID."""
        run = self._context(name)
        declared = tuple(phase_named(each) for each in OF_STAGE[name])
        for each in OF_STAGE[name]:
            for needed in phase_named(each).reads_from:
                if needed not in OF_STAGE[name]:
                    complete(needed, run, InProcess())
        result = run_phases(name, declared, run, InProcess())
        self.folder.write_report(result.report, result.run)

    def gate(self) -> Verdict:
        """The task `gate`, without pages and pictures."""
        run = self._context("")
        with all_of_it(("resolve", "evaluate"), run, InProcess()):
            for name in ("segment", "resolve", "evaluate"):
                complete(name, run, InProcess())
            evaluation = read_evaluation(run)
            run.folder("segment").manifest()
        figures = {"vi_split": evaluation.score.vi_split, "vi_merge": evaluation.score.vi_merge}
        given = {"fingerprint": run.keys["write"], "dataset": run.spec.dataset, "run": run.spec.run, "rows": ()}
        verdict = Verdict(passed=True, reasons=(), figures=figures, **given)
        self.folder.write("findings", worst_findings(evaluation.whole))
        keep(self.store, _entry(run, verdict))
        self.folder.write("verdict", verdict)
        return verdict

    def publish(self) -> None:
        """The task `publish`."""
        key = self._context("").keys["write"]
        verdict = self.folder.read_or_made("verdict", Verdict, self.gate)
        given = {"fingerprint": key, **PLACE, "before_commit": bool}
        self.folder.write("release", publish_release(self.store, CommittedNode(key), verdict, **given))  # type: ignore[arg-type]

    def make(self) -> None:
        """All of it, with a second release, a rollback, edits, a model and a lease."""
        change_edits(self.store, "local", "key1", lambda known: (*known, EDIT))
        store_model(self.store, MODEL)
        self.pin()
        run = self._context(stages()[0].name)
        self.folder.write("plan", plan_run(run))
        self.folder.write("failure-stitch", Failure.of("stitch", EmsegError("a", "b", "c", "d")))
        for name in OF_STAGE:
            self.stage(name)
        self.gate()
        self.publish()
        other = "f" * 32
        verdict = self.folder.read("verdict", Verdict).model_copy(update={"fingerprint": other})
        given = {"fingerprint": other, **PLACE, "before_commit": bool}
        publish_release(self.store, CommittedNode(other), verdict, **given)  # type: ignore[arg-type]
        roll_back(self.store, "local", 1, "ana", "axons are cut")
        with Lease(self.store, LEASE, "a run", 60):
            pass

    def told(self) -> tuple[object, ...]:
        """All that is believed of the run: every artefact, figure and document, read as by the tasks."""
        run = self._context("")
        tables = []
        for name in ("segment", "match", "resolve", "evaluate"):
            with all_of_it((name,), run, InProcess()):
                folder = run.folder(name)
                for marker in folder.manifest():
                    whole = folder.check_item(marker.item)
                    tables.append((name, marker.item, dict(whole.statistics)))
                    tables += [(a.name, folder.read_artefact(a)) for a in whole.artefacts]
        documents = [self.folder.read("verdict", Verdict), self.folder.read("findings", Findings)]
        chain, served = releases(self.store, "local"), served_release(self.store, "local")
        history, edits = read_history(self.store, "local"), read_edits(self.store, "local", "key1")
        assert not history.damaged
        return (tables, documents, chain, served, history.entries, edits, self._spec_read())

    def tell(self) -> tuple[object, ...]:
        """What `told` says after the documented way: a retry of what failed, clearing `pin`, `releases repair`."""
        for _ in range(TRIES):
            try:
                load_model(self.store, MODEL.digest)
                self._walk()
                return self.told()
            except PermanentError:
                store_model(self.store, MODEL)
                self.pin()
                assert mend(self.store, faults(self.store, "local")) == []
            except (IntegrityError, TransientError):
                continue
        self._walk()
        return self.told()

    def _walk(self) -> None:
        self._spec_read()
        self.folder.read_or_made("plan", Plan, self._planned)
        for name in OF_STAGE:
            self.stage(name)
        self.gate()
        self.publish()
        if faults(self.store, "local"):
            raise PermanentError("checking the releases", "local", "faults", "emseg releases repair local")
        lease = Lease(self.store, LEASE, "another run", 0.001)
        lease.take_within(5, pause_s=0.002)
        lease.release()

    def _planned(self) -> Plan:
        plan = plan_run(self._context(stages()[0].name))
        self.folder.write("plan", plan)
        return plan

    def _spec_read(self) -> object:
        return self.folder.spec()

    def _context(self, before: str) -> RunContext[Any]:
        return self.folder.context("a-try", lambda: self._services, before)


def _entry(run: RunContext[Any], verdict: Verdict) -> HistoryEntry:
    """What the history keeps of the run, judged at a time that does not pass."""
    spec = run.spec
    judged = Judged(
        dataset=spec.dataset,
        run=spec.run,
        time=datetime(2026, 1, 1, tzinfo=UTC),
        fingerprint=verdict.fingerprint,
        served_release=None,
        data_version=spec.volume.node,
        groundtruth=groundtruth_identity(spec),
        region=spec.volume.region,
        models="",
        code="c",
        spec="s",
        verdict_passed=verdict.passed,
    )
    return HistoryEntry(judged, (Measurement("vi_split", verdict.figures["vi_split"], None, None, 2.0, True),))


LEASE = "local/leases/emseg-1.json"
OF_STAGE = {"segment": ("segment",), "stitch": ("match", "resolve"), "evaluate": ("evaluate",)}


@cache
def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Grayscale and ground truth of two subvolumes."""
    from emseg.synthetic import make_volume

    made = make_volume((64, 64, 128), seed=3)
    return made.grayscale, made.groundtruth
