"""One run at a time of a dataset: which of its runs has a job now, whoever started it, Airflow or the command line.

Two runs of one dataset do each other no harm, but each makes the other slower, and both may want to be published. So a
job takes the lease `DATASET/leases/job.json` in the name of its run. Another run waits; another try of the same run
does not. Runs of different datasets have different leases.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from emseg.errors import EmsegError
from emseg.store import Lease, LeaseLostError, ObjectStore, join_key

log = logging.getLogger(__name__)

TTL_S = 60.0
"""A job that is silent for so long is taken for dead."""
PATIENCE_S = TTL_S + 5.0
"""How long a job waits for that of another run: long enough to notice a dead one."""


def job_lease(store: ObjectStore, dataset: str, run: str) -> Lease:
    """The lease of the dataset, as `run` sees it."""
    key = join_key(dataset, "leases", "job.json")
    return Lease(store, key, f"run {run}", TTL_S, for_twins=True)


@contextmanager
def one_run_at_a_time(store: ObjectStore, dataset: str, run: str, renew_s: float = TTL_S / 4) -> Iterator[None]:
    """Inside, no other run of the dataset has a job. LeaseHeldError, a TransientError, where one goes on having one."""
    lease = job_lease(store, dataset, run)
    lease.take_within(PATIENCE_S)
    try:
        with lease.kept(renew_s):
            yield
    finally:
        _given_back(lease)


def _given_back(lease: Lease) -> None:
    """Give it back, unless a twin of this job has taken it: then that renews it."""
    try:
        lease.release()
    except LeaseLostError:
        log.info("another try of this run holds the lease of the dataset")
    except EmsegError as error:
        log.warning("the lease of the dataset is not given back, so the next run waits %g s: %s", TTL_S, error)
