"""Which alerts a dataset sends, and how urgent each kind is: the section `alerts` of a dataset file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from emseg.config.base import Record

Severity = Literal["info", "warning", "error"]

Kind = Literal["regression", "refused", "failed", "late", "waiting", "watched", "recovered", "published"]
"""`regression`: refused only because it is worse than what is served; or what is served is worse than it was.
`recovered`: the first published run after that, or after a refused or failed one. `waiting`: a person has to decide
about a result. `watched`: what is served was measured again, and is good."""


class AlertPolicy(Record):
    """The severity of each kind of alert; `null` sends none of that kind."""

    regression: Severity | None = Field(default="error", description="Refused, or found by the watch: worse")
    refused: Severity | None = Field(default="error", description="Refused: it misses a limit")
    failed: Severity | None = Field(default="error", description="A task or the run failed")
    late: Severity | None = Field(default="warning", description="Not done after `late_after_h`")
    waiting: Severity | None = Field(default="info", description="A person has to approve or reject a result")
    watched: Severity | None = Field(default="info", description="What is served was measured again, and is good")
    recovered: Severity | None = Field(default="info", description="Published again, after trouble")
    published: Severity | None = Field(default=None, description="A release was published")
    late_after_h: float | None = Field(
        default=None, gt=0, le=8760, description="A run that is going on after so many hours is late; null: never"
    )

    def severity(self, kind: Kind) -> Severity | None:
        """How urgent an alert of this kind is; None where it is not sent."""
        found: Severity | None = getattr(self, kind)
        return found
