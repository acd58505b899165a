"""What a result needs, beside a passed verdict, so that it may be published."""

from __future__ import annotations

from emseg.config.approval import Approval
from emseg.config.dataset import Publication
from emseg.errors import PermanentError


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
