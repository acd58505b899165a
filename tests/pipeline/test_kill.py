"""kill -9 of the Spark driver in the middle of segmentation, then Airflow's own retry."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from tests.running import after

from emseg.config import RunParameters
from emseg.phases import phases
from emseg.phases.keys import phase_keys
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.publish import served_release
from emseg.store import FolderStore, PhaseFolder
from emseg.tasks.pin import pin_run

pytestmark = [pytest.mark.services, pytest.mark.spark, pytest.mark.airflow]

KILL_AFTER_ITEMS = 3


def test_a_killed_driver_is_retried_to_the_same_bytes_without_recomputing_what_was_committed(
    airflow, trigger, volume, dataset_files: Path, services: DvidServices, tmp_path: Path
):
    """Kills a retry from scratch, one that trusts half-written items, and results that depend on the try."""
    undisturbed = _digests_of_an_undisturbed_run(dataset_files, services, tmp_path)
    run = trigger({"dataset": "killed"})
    killer = Killer(run, services)
    assert run.ended(meanwhile=killer.look) == "success"

    assert killer.killed, "the driver was never seen in the middle of segmentation"
    assert run.tries()["segment"] == 2
    after = {marker.item: marker.attempt for marker in killer.segmented().manifest()}
    assert {item: after[item] for item in killer.committed} == killer.committed
    assert set(after.values()) - set(killer.committed.values()), "the retry computed nothing"
    assert _digests(run.folder.context("look", lambda: services)) == undisturbed
    release = served_release(services.store, "killed")
    assert release is not None
    assert release.uuid == phase_keys(run.folder.spec())["write"]


class Killer:
    """Kills JVM and Python of the driver once some items are committed and others are not."""

    def __init__(self, run, services: DvidServices) -> None:
        self._run, self._services = run, services
        self.killed = False
        self.committed: dict[str, str] = {}

    def segmented(self) -> PhaseFolder:
        return self._run.folder.pinned_context(lambda: self._services).folder("segment")

    def look(self) -> None:
        if self.killed or not self._run.folder.has("spec") or self.segmented().phase_marker() is not None:
            return
        if len(self.segmented().done_items()) >= KILL_AFTER_ITEMS:
            for pid in _drivers(self._run.folder.run):
                os.kill(pid, signal.SIGKILL)
                self.killed = True
            done = self.segmented().done_items()
            self.committed = {m.item: m.attempt for m in self.segmented().item_markers(sorted(done))}


def _drivers(run: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if run in words and "segment" in words and any(word.endswith("run_stage.py") for word in words):
            found.append(process.pid)
    return found


def _digests_of_an_undisturbed_run(datasets: Path, services: DvidServices, tmp_path: Path) -> dict[str, str]:
    apart = DvidServices(FolderStore(tmp_path / "undisturbed"), services.server)
    spec = pin_run(RunParameters(dataset="killed"), "undisturbed", datasets, services.server)
    return _digests(after(RunContext(spec, "undisturbed", lambda: apart), "segment", "stitch", "evaluate"))


def _digests(run: RunContext[DvidServices]) -> dict[str, str]:
    return {phase.name: run.folder(phase.name).phase_marker().content_digest for phase in phases()}
