"""The lease of the one process that finishes a run's labelmap, and who renews it while others work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from emseg.errors import EmsegError
from emseg.phases.labelmaps import branch_name
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.store import Lease, LeaseLostError, join_key

_LOG = logging.getLogger(__name__)

LEASE_S = 120.0
"""A writer that has renewed nothing for so long is taken for dead; a post of mappings takes far less."""


def only_writer(run: RunContext[DvidServices]) -> Lease:
    """Two writers of mappings at once can damage the server's mapping log."""
    key = join_key(run.spec.dataset, "leases", f"{branch_name(run)}.json")
    return Lease(run.open_services().store, key, run.attempt, LEASE_S, patience_s=2 * LEASE_S)


@contextmanager
def kept(lease: Lease, every_s: float = LEASE_S / 6) -> Iterator[None]:
    """Renew a lease all through the block, whose own thread leaves the lease alone.

    Where it is lost nothing is interrupted: the next `renew` after the block raises LeaseLostError. So only what may be
    done twice belongs into the block.
    """
    ended = threading.Event()

    def keep() -> None:
        while not ended.wait(every_s):
            try:
                lease.renew()
            except LeaseLostError as error:
                _LOG.error("%s", error)
                return
            except EmsegError as error:  # one that does not last: there are more tries before the time is over
                _LOG.warning("%s", error)

    keeper = threading.Thread(target=keep, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        ended.set()
        keeper.join()
