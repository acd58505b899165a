"""The release that a run is compared with: found when the run is pinned, and checked before anything is computed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import isfinite

from emseg.config import RunSpec
from emseg.config.runspec import PinnedRelease
from emseg.dvid import DvidServer, repo_info
from emseg.errors import EmsegError, PermanentError
from emseg.evaluate import SURVEY_FIGURES
from emseg.publish import releases
from emseg.store import ObjectStore
from emseg.tasks.run_folder import RunFolder

log = logging.getLogger(__name__)

ServedSource = Callable[[str], PinnedRelease | None]
"""The newest release of a dataset, by name."""


def nothing_served(dataset: str) -> PinnedRelease | None:  # noqa: ARG001 - a `ServedSource` without a store
    """For runs that no release is kept of."""
    return None


def served_source(store: ObjectStore) -> ServedSource:
    """Finds releases in a store. Newest is the one with the highest number: its publisher may be about to serve it."""

    def newest(dataset: str) -> PinnedRelease | None:
        known = releases(store, dataset)
        if not known:
            return None
        last = known[-1]
        return PinnedRelease(
            number=last.number,
            root=last.root,
            node=last.uuid,
            instance=last.instance,
            fingerprint=last.fingerprint,
            region=_region(RunFolder(store, dataset, last.run)),
            figures={name: n for name, n in last.figures.items() if name in SURVEY_FIGURES and isfinite(n)},
        )

    return newest


def _region(folder: RunFolder) -> str:
    """Region of the run that made a release. It is only told, so a spec that is lost or damaged stops nobody."""
    try:
        return folder.pinned().volume.region
    except EmsegError as error:
        log.warning("%s: the region of its release is not known: %s", folder.run, error)
        return ""


def check_served(spec: RunSpec, server: DvidServer) -> None:
    """PermanentError where the labelmap of the served release is gone: the result could be compared with nothing."""
    served = spec.served
    is_measured = spec.groundtruth is not None and spec.gate.measures_served
    if served is None or served.root != spec.volume.root or not is_measured:
        return
    repo = repo_info(server, spec.volume.node)
    instance = repo.instances.get(served.instance)
    if served.node in repo.nodes and instance is not None and instance.type == "labelmap":
        return
    raise PermanentError(
        "pinning the run",
        f"release {served.number} of {spec.dataset}: instance {served.instance} of node {served.node}",
        f"DVID at {server.url} does not hold it, so the result of this run could not be compared with it",
        f"See what else is wrong: emseg releases check {spec.dataset}. Then restore that server from its backup, or "
        f"serve a release that it holds: emseg rollback {spec.dataset} NUMBER. To publish without a comparison, have "
        "all of gate.regression set to null",
    )
