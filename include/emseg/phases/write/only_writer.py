"""The lease of the one process that finishes a run's labelmap."""

from __future__ import annotations

from emseg.phases.labelmaps import branch_name
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.store import Lease, join_key

LEASE_S = 120.0
"""A writer that has renewed nothing for so long is taken for dead; a post of mappings takes far less."""


def only_writer(run: RunContext[DvidServices]) -> Lease:
    """Two writers of mappings at once can damage the server's mapping log."""
    key = join_key(run.spec.dataset, "leases", f"{branch_name(run)}.json")
    return Lease(run.open_services().store, key, run.attempt, LEASE_S, patience_s=2 * LEASE_S)
