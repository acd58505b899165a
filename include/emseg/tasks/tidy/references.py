"""What must stay of one dataset: the runs that are kept, with the reason of each, and all that they and releases name.

Example: run B is among the last runs, and it reused the segmentation of run A. The phase folder of that segmentation
stays with B, however old A is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from typing import Any, NoReturn

from emseg.config.housekeeping import HousekeepingPolicy
from emseg.engine.report import StageReport
from emseg.errors import IntegrityError
from emseg.phases import phases, stages
from emseg.phases.run_context import RunContext
from emseg.publish import ReleaseRecord, releases
from emseg.publish.mending import faults
from emseg.store import ObjectMissingError, ObjectStore, StoredObject, join_key
from emseg.tasks.plan import Plan
from emseg.tasks.run_folder import RunFolder

IN_FLIGHT = timedelta(days=10)
"""Longer than all tries of any task. A run that left a document within it, and has no verdict yet, may be going on."""


@dataclass
class PhaseUse:
    """How one phase folder is used: by choices of items that were given up, by a release, by a run that may go on."""

    given_up: set[tuple[str, ...]] = field(default_factory=lambda: {()})
    released: bool = False
    in_flight: bool = False


@dataclass
class References:
    """`runs`: kept, and why. `phases`: by phase and key. `seen` changes when a run or a release was written."""

    runs: dict[str, str] = field(default_factory=dict)
    phases: dict[tuple[str, str], PhaseUse] = field(default_factory=dict)
    models: set[str] = field(default_factory=set)
    roots: set[str] = field(default_factory=set)
    seen: str = ""

    def names_branch(self, branch: str) -> bool:
        """Whether a branch of DVID, `emseg-` and 16 digits of a key of `write`, belongs to what is kept."""
        return any(phase == "write" and branch == f"emseg-{key[:16]}" for phase, key in self.phases)


@dataclass
class _RunAge:
    """When the documents of a run were written, by the listing alone."""

    newest: datetime
    worked: datetime | None = None
    pinned: datetime | None = None
    judged: datetime | None = None

    def may_be_going_on(self, now: datetime) -> bool:
        """Whether the run has no verdict on its last work and showed a sign of life lately."""
        is_over = self.judged is not None and (self.worked is None or self.worked <= self.judged)
        return not is_over and now - self.newest < IN_FLIGHT


def references(store: ObjectStore, dataset: str, policy: HousekeepingPolicy, now: datetime) -> References:
    """All that must stay. IntegrityError or PermanentError where a document that decides cannot be read."""
    seen, ages = _listed(store, dataset)
    released = _checked_releases(store, dataset)
    found = References(runs=_kept(ages, released, policy, now), seen=seen)
    fingerprints = {release.fingerprint for release in released}
    for fingerprint in fingerprints:
        found.phases[("write", fingerprint)] = PhaseUse(released=True)
    named = {release.run for release in released}
    for run in list(found.runs):
        try:
            _add_run(found, RunFolder(store, dataset, run), fingerprints, ages[run].may_be_going_on(now))
        except ObjectMissingError:
            if run in named:
                raise _lost(store, dataset, run) from None
            found.runs.pop(run)  # without a spec nobody can go on with it: another sweep was stopped here
    return found


def seen_of(store: ObjectStore, dataset: str) -> str:
    """`References.seen` as it would be now."""
    return _listed(store, dataset)[0]


def _listed(store: ObjectStore, dataset: str) -> tuple[str, dict[str, _RunAge]]:
    digest, ages = sha256(), dict[str, _RunAge]()
    for each in _documents(store, dataset):
        digest.update(f"{each.key} {each.size} {each.modified.timestamp()}\n".encode())
        _, kind, run, *path = each.key.split("/")
        if kind == "runs":
            _note(ages.setdefault(run, _RunAge(each.modified)), "/".join(path), each.modified)
    return digest.hexdigest(), ages


def _documents(store: ObjectStore, dataset: str) -> Iterator[StoredObject]:
    yield from store.objects_under(join_key(dataset, "releases"))
    yield from store.objects_under(join_key(dataset, "runs"))


def _note(age: _RunAge, document: str, modified: datetime) -> None:
    age.newest = max(age.newest, modified)
    if document == "spec.json":
        age.pinned = modified
    if document == "verdict.json":
        age.judged = modified
    if document == "spec.json" or document.startswith(("report-", "failure-")):
        age.worked = max(age.worked or modified, modified)


def _checked_releases(store: ObjectStore, dataset: str) -> tuple[ReleaseRecord, ...]:
    """The records; IntegrityError where one is missing or damaged: what it names would be taken for unused."""
    for fault in faults(store, dataset):
        raise IntegrityError("reading the releases", fault.on, fault.found, f"Mend it: emseg releases repair {dataset}")
    return releases(store, dataset)


def _kept(
    ages: Mapping[str, _RunAge], released: tuple[ReleaseRecord, ...], policy: HousekeepingPolicy, now: datetime
) -> dict[str, str]:
    """The runs to keep, each with the first reason that holds."""
    pinned = sorted((age.pinned, run) for run, age in ages.items() if age.pinned is not None)
    last = {run for _, run in pinned[max(0, len(pinned) - policy.keep_runs) :]}
    young = timedelta(days=policy.older_than_days)
    numbers: dict[str, list[str]] = {}
    for release in released:
        numbers.setdefault(release.run, []).append(str(release.number))
    # Somebody may have deleted the whole folder of a released run: then nothing is known of it but the release.
    kept = {run: f"release {', '.join(of_run)}" for run, of_run in numbers.items() if run in ages}
    for run, age in ages.items():
        if age.may_be_going_on(now):
            kept.setdefault(run, "it may be going on")
        elif run in last:
            kept.setdefault(run, f"one of the last {policy.keep_runs} runs")
        elif now - age.newest < young:
            kept.setdefault(run, f"younger than {policy.older_than_days:g} days")
    return kept


def _add_run(found: References, folder: RunFolder, fingerprints: set[str], in_flight: bool) -> None:
    run = folder.pinned_context(partial(_no_services, folder.run))
    keys = set(_keys_of(folder, run))
    released = any(phase == "write" and key in fingerprints for phase, key, _ in keys)
    for phase, key, given_up in keys:
        use = found.phases.setdefault((phase, key), PhaseUse())
        use.given_up.add(given_up)
        use.released |= released
        use.in_flight |= in_flight
    found.models |= {step.model for step in run.spec.segmentation.steps if step.model is not None}
    found.roots.add(run.spec.volume.root)


def _keys_of(folder: RunFolder, run: RunContext[Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Phase, key and items given up: as this code computes them, and as the code of the run wrote them down."""
    for phase, key in run.keys.items():
        yield phase, key, tuple(sorted(run.given_up.get(phase, ())))
    for declared in phases():
        for other in declared.also_for(run):
            yield declared.name, other.keys[declared.name], ()
    for stage in stages():
        if folder.has(f"report-{stage.name}"):
            report = folder.read(f"report-{stage.name}", StageReport)
            for each in report.phases:
                yield each.phase, each.key, tuple(sorted(report.given_up.get(each.phase, ())))
    if folder.has("plan"):
        plan = folder.read("plan", Plan)
        for phase, planned in (*plan.phases.items(), *plan.served.items()):
            yield phase, planned.key, ()


def _no_services(run: str) -> NoReturn:
    raise AssertionError(f"run {run} is only looked at")


def _lost(store: ObjectStore, dataset: str, run: str) -> IntegrityError:
    return IntegrityError(
        "finding what the releases need",
        store.address(join_key(dataset, "runs", run, "spec.json")),
        "a document of this run is not there, and a release names the run",
        "Restore it from a backup before anything of this dataset is removed",
    )
