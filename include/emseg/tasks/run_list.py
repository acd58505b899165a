"""The runs of a dataset, from their folders `DATASET/runs/RUN/` in the object store: when, how far, what result."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from emseg.errors import EmsegError
from emseg.phases import stages
from emseg.publish import ReleaseRecord
from emseg.quality import Verdict
from emseg.store import ObjectStore, join_key
from emseg.tasks.run_folder import RunFolder

_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)")


@dataclass(frozen=True)
class RunSummary:
    """One run. `stages` have a report, so they are done; `verdict` is passed, failed (also without ground truth),
    none, or unreadable.

    `when` is the time that its name holds, UTC: when it was triggered, or the time that it was scheduled for. It is
    empty for a run whose id somebody chose. `release` is the number of the release that the run published.
    """

    run: str
    when: str
    stages: tuple[str, ...]
    verdict: str
    release: int | None


def runs_of(store: ObjectStore, dataset: str) -> tuple[RunSummary, ...]:
    """All runs of a dataset that were pinned, oldest first; those whose time is unknown come before the others."""
    top = join_key(dataset, "runs")
    documents: dict[str, set[str]] = defaultdict(set)
    for key in store.keys_under(top):
        run, _, path = key.removeprefix(f"{top}/").partition("/")
        if not path.startswith("alerts/"):  # a run that was never pinned may have told that
            documents[run].add(path)
    found = (
        _summary(RunFolder(store, dataset, run), names) for run, names in documents.items() if "spec.json" in names
    )
    return tuple(sorted(found, key=lambda each: (each.when, each.run)))


def _summary(folder: RunFolder, documents: set[str]) -> RunSummary:
    time = _TIME.search(folder.run)
    return RunSummary(
        run=folder.run,
        when=f"{time[1]} {time[2]}:{time[3]}:{time[4]}" if time else "",
        stages=tuple(stage.name for stage in stages() if f"report-{stage.name}.json" in documents),
        verdict=_verdict(folder) if "verdict.json" in documents else "none",
        release=_release(folder) if "release.json" in documents else None,
    )


def _verdict(folder: RunFolder) -> str:
    """What the verdict is, or that this code cannot read it: the other runs are listed all the same."""
    try:
        verdict = folder.read("verdict", Verdict)
        without = "" if verdict.has_groundtruth else " without ground truth"
        return f"{'passed' if verdict.passed else 'failed'}{without}"
    except EmsegError:
        return "unreadable"


def _release(folder: RunFolder) -> int | None:
    try:
        return folder.read("release", ReleaseRecord).number
    except EmsegError:
        return None
