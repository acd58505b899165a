"""Housekeeping of the object store: read what must stay, then remove the rest of what is old enough.

Stopped at any point it has done no harm, and the next one goes on; two at once remove the same things.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

from emseg.config.base import ALERTS, BESIDE_DATASETS, EVALUATIONS, INGESTIONS, PROBES, REQUESTS
from emseg.config.housekeeping import HousekeepingPolicy
from emseg.config.ingestion import INGEST
from emseg.disk import remove_scratch
from emseg.dvid import DvidServer, Node, NotFoundError, repo_info
from emseg.errors import IntegrityError, PermanentError
from emseg.phases.models import model_digests
from emseg.phases.services import DvidServices
from emseg.publish import releases
from emseg.store import ObjectStore, StoredObject, join_key
from emseg.tasks.evaluation.job import EVALUATE
from emseg.tasks.tidy.broom import Broom
from emseg.tasks.tidy.phase_folders import UNNAMED, PhaseFolders
from emseg.tasks.tidy.references import IN_FLIGHT, References, references
from emseg.tasks.tidy.report import TidyReport


def tidy(
    services: DvidServices,
    policy: HousekeepingPolicy,
    *,
    dry_run: bool,
    dataset: str | None = None,
) -> TidyReport:
    """Remove, or in a dry run count, what no marker, release, kept run or running attempt names.

    `dataset`: of this one alone, else of all, with what lies beside them. A dataset or phase that cannot be judged is
    left alone and told in the report. Models are only listed: to make one again may take days.
    """
    store = services.store
    report, now = TidyReport(Broom(store, dry_run)), time_of(store)
    models: set[str] = set()
    for name in _datasets(store) if dataset is None else (dataset,):
        try:
            models |= _tidy_dataset(services, name, policy, now, report).models
        except (IntegrityError, PermanentError) as error:
            report.left_alone.append(f"{name}: {error}")
    if dataset is None:
        _tidy_beside(store, now, report)
        _tidy_runs_beside(report.broom, min(now - timedelta(days=policy.older_than_days), now - IN_FLIGHT))
        if not report.left_alone:
            unused = sorted(set(model_digests(store)) - models)
            report.listed += [f"model {digest}: no kept run names it (a dataset file may)" for digest in unused]
    return report


def time_of(store: ObjectStore) -> datetime:
    """The time by the clock of the store, which wrote the times of the objects: that of this computer may be wrong."""
    key = f"{PROBES}/{uuid4().hex}"
    store.put(key, b"what time is it")
    try:
        return next(each.modified for each in store.objects_under(PROBES) if each.key == key)
    finally:
        store.delete(key)


def _datasets(store: ObjectStore) -> list[str]:
    return [name for name in store.folders_under("") if name not in BESIDE_DATASETS]


def _tidy_dataset(
    services: DvidServices, dataset: str, policy: HousekeepingPolicy, now: datetime, report: TidyReport
) -> References:
    """Phase folders, then leases and runs: what is left by a sweep that was stopped is named by nobody."""
    store, cutoff = services.store, now - timedelta(days=policy.older_than_days)

    def again() -> References:
        return references(store, dataset, policy, now)

    folders = PhaseFolders(
        report.broom, dataset, again(), again, lambda uuid: _is_committed(services.server, uuid), cutoff, now
    )
    folders.sweep()
    report.left_alone += folders.left_alone
    found = again()
    report.kept[dataset] = found.runs
    _sweep_leases(report.broom, dataset, found, cutoff)
    _sweep_runs(report.broom, dataset, found, cutoff)
    report.listed += _branches(services, dataset, found)
    return found


def _sweep_leases(broom: Broom, dataset: str, found: References, cutoff: datetime) -> None:
    where = join_key(dataset, "leases")
    listed = broom.store.objects_under(where)
    ended = (
        each
        for each in listed
        if each.modified <= cutoff and not found.names_branch(each.key.rpartition("/")[2].removesuffix(".json"))
    )
    broom.sweep(dataset, "lease", UNNAMED, where, ended)


def _sweep_runs(broom: Broom, dataset: str, found: References, cutoff: datetime) -> None:
    """Folders of runs that are not kept. The spec goes first: then no task goes on from half of the documents."""
    for run in broom.store.folders_under(join_key(dataset, "runs")):
        where = join_key(dataset, "runs", run)
        objects = list(broom.store.objects_under(where))
        if run in found.runs or any(each.modified > cutoff for each in objects):
            continue
        spec = [each for each in objects if each.key == f"{where}/spec.json"]
        for some in (spec, [each for each in objects if each not in spec]):
            broom.sweep(dataset, "run", "neither the policy nor a release keeps it", where, some)


def _tidy_beside(store: ObjectStore, now: datetime, report: TidyReport) -> None:
    """What killed processes left beside the datasets: whoever made it may live as long as a task may run."""
    old = now - IN_FLIGHT
    left = (each for each in store.objects_under(PROBES) if each.modified <= old)
    report.broom.sweep("-", "probe of conditional writes", "its process was killed", PROBES, left)
    report.broom.sweep("-", "request slot", "nobody has used it lately", REQUESTS, _unused_slots(report.broom, old))
    if not report.broom.dry_run:
        remove_scratch()
    try:
        report.unfinished = store.drop_unfinished(old, report.broom.dry_run)
    except PermanentError as error:  # it takes a right of its own
        report.left_alone.append(f"unfinished uploads: {error}")


def _unused_slots(broom: Broom, old: datetime) -> Iterator[StoredObject]:
    """Request slots, and what waited for them, that nobody wrote for so long: those that are held are written often.

    Each is claimed before it goes: whoever takes it at this moment would hold what is no longer there.
    """
    for each, version in broom.store.versions_under(REQUESTS):
        if each.modified <= old and (broom.dry_run or broom.store.replace_if(each.key, b"swept", version)):
            yield each


def _tidy_runs_beside(broom: Broom, cutoff: datetime) -> None:
    """Markers and documents of ingestions and evaluations that nobody has gone on with: without them all is done again.

    And receipts of alerts about runs that were about no dataset.
    """
    phases = [
        (join_key(INGESTIONS, "phases", INGEST), "ingestion"),
        (join_key(EVALUATIONS, "phases", EVALUATE), "evaluation"),
    ]
    runs = [(join_key(top, "runs"), "run") for top in (INGESTIONS, EVALUATIONS, ALERTS)]
    for parent, what in (*phases, *runs):
        for name in broom.store.folders_under(parent):
            where = join_key(*parent.split("/"), name)
            objects = list(broom.store.objects_under(where))
            if all(each.modified <= cutoff for each in objects):
                # The phase marker goes first: it vouches for the items.
                objects.sort(key=lambda each: not each.key.endswith("/marker.json"))
                broom.sweep(parent.partition("/")[0], what, "the policy does not keep it", where, objects)


def _is_committed(server: DvidServer, uuid: str) -> bool:
    """Whether DVID has the node and it is committed. Without its markers a run could never write to it again."""
    try:
        return Node(server, uuid).is_locked()
    except NotFoundError:
        return False


def _branches(services: DvidServices, dataset: str, found: References) -> Iterator[str]:
    """Open branches of runs that are not kept: DVID v1.0.0 has no call that deletes one."""
    served = {release.uuid for release in releases(services.store, dataset)}
    for root in sorted(found.roots):
        for uuid, node in sorted(repo_info(services.server, root).nodes.items()):
            ours = node.branch.startswith("emseg-") and node.note.startswith(f"emseg {dataset}:")
            if ours and uuid not in served and not found.names_branch(node.branch):
                yield f"DVID branch {node.branch} of repository {root}: its run is not kept, and no release names it"
