"""A store with runs of changing parameters, made by the real phases on a tiny volume, and its age under control."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.config.dataset import Segmentation
from emseg.config.housekeeping import HousekeepingPolicy
from emseg.config.stitching import Stitching
from emseg.dvid import NotFoundError
from emseg.engine.items import InProcess
from emseg.phases import phases, phases_of
from emseg.phases.run_context import RunContext
from emseg.publish import ReleaseRecord
from emseg.publish.chain import claimed, keep_copy, serve
from emseg.quality import Verdict
from emseg.store import FolderStore, ObjectStore
from emseg.tasks.jobs import run_phases, run_stage
from emseg.tasks.local import LocalServices, run_on_array
from emseg.tasks.run_folder import RunFolder
from emseg.tasks.tidy import TidyReport, tidy

DATASET = "local"
DAY_S = 86_400
AT_ONCE = HousekeepingPolicy(keep_runs=2, older_than_days=0)


class NoNodes:
    """A DVID server whose repositories hold no node of ours; `committed` are nodes that it has, and that are locked."""

    def __init__(self, *committed: str) -> None:
        self.committed = committed

    def get_json(self, where: str) -> Any:
        if where.endswith("/info"):
            return {"Root": "local", "Alias": "", "DAG": {"Nodes": {}}, "DataInstances": {}}
        if any(uuid in where for uuid in self.committed):
            return {"Locked": True}
        raise NotFoundError("asking", where, "no such node", "none")


def tidied(store: ObjectStore, policy: HousekeepingPolicy = AT_ONCE, apply: bool = True, **server: Any) -> TidyReport:
    services = SimpleNamespace(store=store, server=server.get("server", NoNodes()))
    return tidy(services, policy, dry_run=not apply)


class Runs:
    """Runs over one volume in the folder `root`. Each is segmented and stitched for real; `write` and what follows are
    stood for by a marker, because they need DVID."""

    def __init__(self, root: Path, grayscale: npt.NDArray[np.uint8]) -> None:
        self.root, self.store, self.grayscale = root, FolderStore(root), grayscale

    def pinned(self, name: str, threshold: float = 0.5, overlap: float = 50_000, attempt: str = "") -> RunContext[Any]:
        """A run of which only the spec is in the store; `threshold` is of a step, `overlap` of the stitching."""
        run = self._run
        *others, last = run.spec.segmentation.steps
        assert last.kind == "agglomerate"
        last = last.model_copy(update={"parameters": {**last.parameters, "threshold": threshold}})
        segmentation = run.spec.segmentation.model_copy(update={"steps": (*others, last)})
        changed = {"run": name, "segmentation": segmentation, "stitching": Stitching(min_overlap_nm3=overlap)}
        spec = run.spec.model_copy(update=changed)
        RunFolder(self.store, DATASET, name).begin(spec)
        return replace(run, spec=spec, attempt=attempt or f"of-{name}")

    @cached_property
    def _run(self) -> RunContext[Any]:
        cut = Segmentation(core_vox=(64, 64, 64), halo_vox=(20, 20, 20))
        return run_on_array(self.grayscale, cut, Stitching(), self.store)

    def finished(self, run: RunContext[Any]) -> RunContext[Any]:
        """The run after all stages and the gate."""
        run = self.stitched(run)
        for phase in ("write", "evaluate"):
            folder = run.folder(phase)
            if folder.phase_marker() is None:
                marker = folder.commit_item("one", [folder.write_artefact("one", "counts", phase.encode())], {})
                folder.commit_phase([marker], {})
        self.judged(run)
        self.folder(run).write_file("report.html", b"<p>", "text/html")
        return run

    def judged(self, run: RunContext[Any]) -> None:
        """The verdict of a run: it passed."""
        verdict = {"fingerprint": run.keys["write"], "dataset": DATASET, "run": run.spec.run, "figures": {}, "rows": ()}
        self.folder(run).write("verdict", Verdict(passed=True, reasons=(), **verdict))

    def stitched(self, run: RunContext[Any]) -> RunContext[Any]:
        """The run after `segment`, `match` and `resolve`."""
        result = run_stage("segment", run, InProcess())
        self.folder(run).write_report(result.report, result.run)
        declared = tuple(phase for phase in phases_of("stitch") if not phase.writes_dvid)
        done = run_phases("stitch", declared, result.run, InProcess())
        self.folder(run).write_report(done.report, done.run)
        return done.run

    def published(self, run: RunContext[Any]) -> ReleaseRecord:
        """The release of a finished run."""
        given = {"dataset": DATASET, "root": "local", "branch": "b", "instance": "segmentation", "figures": {}}

        def draft(number: int, earlier: tuple[ReleaseRecord, ...]) -> ReleaseRecord:
            last = earlier[-1].uuid if earlier else None
            key = run.keys["write"]
            return ReleaseRecord(number=number, uuid=key, fingerprint=key, run=run.spec.run, supersedes=last, **given)

        record = claimed(self.store, DATASET, draft)
        keep_copy(self.store, record)
        serve(self.store, record)
        self.folder(run).write("release", record)
        return record

    def copied(self, root: Path) -> Runs:
        """The same runs in another folder, with the times of all objects."""
        copytree(self.root, root)
        return Runs(root, self.grayscale)

    def here(self, run: RunContext[Any]) -> RunContext[Any]:
        """A run of the folder that this one was copied from, in this one."""
        services = LocalServices(self.store, self.grayscale, None)
        return replace(run, open_services=lambda: services)

    def folder(self, run: RunContext[Any]) -> RunFolder:
        return RunFolder(self.store, DATASET, run.spec.run)

    def age(self, days: float, below: str = "") -> None:
        """Make all objects below a folder older by so many days."""
        for path in (self.root / below).rglob("*"):
            if path.is_file():
                then = path.stat().st_mtime - days * DAY_S
                os.utime(path, (then, then))

    def keys(self, below: str = "") -> set[str]:
        return set(self.store.keys_under(below))

    def named(self, *runs: RunContext[Any]) -> set[str]:
        """Oracle: every key below `phases` that the markers of these runs name, read as plain JSON by walking them."""
        found: set[str] = set()
        for run in runs:
            for phase in phases():
                base = f"{DATASET}/phases/{phase.name}/{run.keys[phase.name]}"
                for key in self.keys(base):
                    if key.removeprefix(f"{base}/").startswith(("marker.json", "provisional/", "items/")):
                        found |= {key, *_keys_in(json.loads(self.store.get(key)))}
        return found


def _keys_in(document: Any) -> set[str]:
    """Values of all fields called `key`, at any depth."""
    if isinstance(document, list):
        return set().union(*(_keys_in(each) for each in document))
    if isinstance(document, dict):
        own = {document["key"]} if isinstance(document.get("key"), str) else set()
        return own.union(*(_keys_in(each) for each in document.values()))
    return set()
