"""What a person decided about a result that the gate passed, and what a run needs so that it may be published."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from emseg.config.base import Record
from emseg.config.dataset import Publication
from emseg.errors import PermanentError

MAX_WHY = 500


class Approval(Record):
    """Kept as `approval.json` in the run folder. It is about one result: that of `fingerprint`."""

    decision: Literal["approved", "rejected"]
    fingerprint: str = Field(description="Key of phase `write` of the result that the person saw")
    by: str = Field(min_length=1, max_length=200)
    why: str = Field(default="", max_length=MAX_WHY)
    when: str = Field(description="ISO 8601 time in UTC")


def require_allowed(publication: Publication, approval: Approval | None, fingerprint: str, on: str) -> None:
    """PermanentError unless a result may be published as its dataset asks: by the run itself, or approved."""
    if publication is Publication.AUTOMATIC:
        return
    if publication is Publication.NEVER:
        found = "its dataset file or its form says publication: never"
        remedy = "To publish such a result, change that and run again: nothing is computed a second time"
    elif approval is None or approval.fingerprint != fingerprint:
        found = "nobody has approved it"
        remedy = "Approve it in Airflow (task `approve`, or the page Required Actions), or by `emseg publish`"
    elif approval.decision == "rejected":
        found = f"{approval.by} rejected it on {approval.when}: {approval.why or 'no reason given'}"
        remedy = "Improve the result; or clear the task `approve`, so that it is asked again"
    else:
        return
    raise PermanentError("publishing", on, found, remedy)
