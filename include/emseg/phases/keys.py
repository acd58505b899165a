"""Phase keys: same key, same result. What a phase reads and how it computes, and nothing else, is in its key.

So a changed threshold of stitching finds the segmentation of the last run and reuses it, a changed step does not, and
nothing stale is ever taken. Run ids, clocks, tries and worker counts are in no key.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import JsonValue

from emseg.config.runspec import RunSpec, digest_of
from emseg.phases import phases
from emseg.phases.code_version import code_version

KEY_DIGITS = 32

GivenUp = Mapping[str, Mapping[str, str]]
"""For each phase the items that a run has given up, with the reasons."""


def code_versions() -> dict[str, str]:
    """Version of the code behind each phase, as installed here; the task `pin` writes them into the spec."""
    return {phase.name: code_version(phase) for phase in phases()}


def phase_keys(
    spec: RunSpec, given_up: GivenUp | None = None, known: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """The key of each phase of a run, 32 hex digits. Each holds the key of the phase that it follows.

    Where the run goes on without some items of a phase, the names of those items are in the keys after it. `known` are
    keys of phases that another run has done: what follows is computed from the results of that run.
    """
    keys: dict[str, str] = {}
    for phase in phases():
        reads: dict[str, JsonValue] = dict(phase.reads(spec))
        if phase.follows is not None:
            reads[phase.follows] = keys[phase.follows]
            if without := sorted((given_up or {}).get(phase.follows, ())):
                reads["without"] = [*without]
        document: JsonValue = {
            "phase": phase.name,
            "code": spec.code.get(phase.name, ""),  # a run of before there was this phase may be looked at
            "dataset": spec.dataset,
            "reads": reads,
        }
        keys[phase.name] = known.get(phase.name, digest_of(document)[:KEY_DIGITS])
    return keys
