"""kill -9 of the Spark driver in the middle of segmentation, then Airflow's own retry."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from emseg.config import RunParameters
from emseg.publish import current_release
from emseg.stages import (
    DvidServices,
    InProcess,
    Workplace,
    resolve_run,
    run_evaluate,
    run_segment,
    run_stitch,
    stage_keys,
)
from emseg.store import FolderStore, StageFolder

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
    assert _digests(services, run.folder.spec()) == undisturbed
    release = current_release(services.store, "killed")
    assert release is not None
    assert release.uuid == stage_keys(run.folder.spec()).write


class Killer:
    """Kills JVM and Python of the driver once some items are committed and others are not."""

    def __init__(self, run, services: DvidServices) -> None:
        self._run, self._services = run, services
        self.killed = False
        self.committed: dict[str, str] = {}

    def segmented(self) -> StageFolder:
        spec = self._run.folder.spec()
        return StageFolder.reader(self._services.store, spec.dataset, "segment", stage_keys(spec).segment)

    def look(self) -> None:
        if self.killed or not self._run.folder.has("spec") or self.segmented().stage_marker() is not None:
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
        if run in words and any(word.endswith("segment.py") for word in words):
            found.append(process.pid)
    return found


def _digests_of_an_undisturbed_run(datasets: Path, services: DvidServices, tmp_path: Path) -> dict[str, str]:
    apart = DvidServices(FolderStore(tmp_path / "undisturbed"), services.server)
    spec = resolve_run(RunParameters(dataset="killed"), "undisturbed", datasets, services.server)
    place = Workplace(spec, "undisturbed", lambda: apart)
    stages: list[Callable] = [run_segment, run_stitch, run_evaluate]
    return {p.phase: p.content_digest for stage in stages for p in stage(place, InProcess()).phases}


def _digests(services: DvidServices, spec) -> dict[str, str]:
    keys = stage_keys(spec)
    markers = {
        stage: StageFolder.reader(services.store, spec.dataset, stage, getattr(keys, stage)).stage_marker()
        for stage in ("segment", "match", "resolve", "write", "evaluate")
    }
    return {stage: marker.content_digest for stage, marker in markers.items() if marker}
