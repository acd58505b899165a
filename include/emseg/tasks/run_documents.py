"""The documents of a run folder: who writes each, and what is done about a damaged one.

`spec.json` is what the task `pin` decided, so nothing is guessed about a damaged one: the task is cleared. The report
of a stage says which items later tasks do without, and the approval what a person decided, so it is the same with
these. The others are made from markers, and a new try of the task makes them anew. A run from the command line has no
tasks: `--again` writes all but its spec anew, without which there is nothing to do again.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from emseg.errors import IntegrityError, PermanentError
from emseg.quality.report.document import SCHEMA as QUALITY_SCHEMA
from emseg.store.sealed import Form

M = TypeVar("M", bound=BaseModel)

SCHEMA = 2
"""Number of the stored form of all but `quality`, which other programs read; up to 1 they had no seal."""

_WRITERS = {
    "spec": "pin",
    "ingestion": "pin",
    "evaluation": "pin",
    "watch": "pin",
    "plan": "plan",
    "findings": "gate",
    "verdict": "gate",
    "quality": "gate",
    "approval": "approve",
    "release": "publish",
    "scores": "score",
}
"""Task that writes a document; that of a report or failure is in its name."""

_LOST_RUN = (
    "remove its folder runs/RUN from the store, and start a new run, which computes only what no run has computed"
)

_DECIDE_WHAT_RUNS = {"spec", "ingestion", "evaluation", "watch", "report", "approval"}


def form_of(name: str, model: type[M]) -> Form[M]:
    """Stored form of the document `NAME.json`, for example of `verdict` or `report-segment`."""
    kind, _, stage = name.partition("-")
    remedy = (
        f"Clear the task `{_WRITERS.get(kind, stage)}` of this run with Downstream: it writes the document anew. For a "
        f"run from the command line: {_LOST_RUN if kind == 'spec' else 'emseg run DATASET --again RUN'}"
    )
    damaged = PermanentError if kind in _DECIDE_WHAT_RUNS else IntegrityError
    return Form(kind, model, QUALITY_SCHEMA if kind == "quality" else SCHEMA, remedy, remedy, damaged)
