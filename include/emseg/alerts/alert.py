"""What people are told when a run fails or a gate refuses: the numbers, the worst bodies, where to look."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, computed_field

from emseg.config.base import Record
from emseg.config.runspec import digest_of

Severity = Literal["info", "warning", "error"]


class Alert(Record, allow_inf_nan=True):  # a figure that was not measured is told as it came
    """One message about one run. Put no address with a token in `links`: everybody reads them."""

    severity: Severity
    title: str = Field(min_length=1, max_length=200)
    dataset: str
    run: str
    reasons: tuple[str, ...] = ()
    figures: dict[str, float] = Field(default_factory=dict)
    worst_bodies: tuple[str, ...] = Field(default=(), description="A sentence each")
    links: dict[str, str] = Field(default_factory=dict, description="Address by title")

    @computed_field(description="Equal for repeated alerts about one thing, so that a receiver can fold them")  # type: ignore[prop-decorator]
    @property
    def dedupe_key(self) -> str:
        """First 32 hex digits of the digest of dataset, run and title: a retried task sends the same key."""
        return digest_of([self.dataset, self.run, self.title])[:32]


def as_text(alert: Alert) -> str:
    """The alert as lines of plain text, for logs, mails and chat."""
    blocks = [
        [f"[{alert.severity.upper()}] {alert.title}", f"dataset {alert.dataset}, run {alert.run}"],
        [f"- {reason}" for reason in alert.reasons],
        [f"{name}: {value:.6g}" for name, value in alert.figures.items()],
        list(alert.worst_bodies),
        [f"{title}: {address}" for title, address in alert.links.items()],
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)
