"""The releases of a dataset looked after: what is wrong in the store and in DVID, and mending what can be mended."""

from __future__ import annotations

from emseg.dvid import DvidServer
from emseg.publish.chain import number_key, releases
from emseg.publish.in_dvid import ReleasesInDvid, fault_in_dvid
from emseg.publish.mending import Fault, faults, mend
from emseg.store import ObjectStore


def check_releases(store: ObjectStore, server: DvidServer, dataset: str) -> list[Fault]:
    """All faults of the releases; those with a `record` are mended by `repair_releases`."""
    told = faults(store, dataset, ReleasesInDvid(server))
    return told or _in_dvid(store, server, dataset)


def repair_releases(store: ObjectStore, server: DvidServer, dataset: str) -> tuple[list[Fault], list[Fault]]:
    """Mend what can be mended; returns what was mended, and what is left for a person."""
    told = faults(store, dataset, ReleasesInDvid(server))
    left = mend(store, told)
    return [fault for fault in told if fault not in left], left or _in_dvid(store, server, dataset)


def _in_dvid(store: ObjectStore, server: DvidServer, dataset: str) -> list[Fault]:
    """Where a whole chain of records contradicts DVID: nothing there can be changed, and records are never."""
    remedy = "Check that this is the DVID of the dataset (EMSEG_DVID_URL); else restore that server from its backup"
    found = ((record, fault_in_dvid(server, record)) for record in releases(store, dataset))
    keys = ((number_key(dataset, record.number), what) for record, what in found if what is not None)
    return [Fault(key, store.address(key), what, remedy) for key, what in keys]
