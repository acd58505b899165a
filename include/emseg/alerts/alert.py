"""What people are told about a run: what happened, the figures beside the served release, where to look."""

from __future__ import annotations

from math import isfinite

from pydantic import Field

from emseg.config.alerts import Kind, Severity
from emseg.config.base import Record
from emseg.config.runspec import digest_of


class WorstPlace(Record):
    """A body or subvolume to look at: a sentence, a voxel of it (Z, Y, X), and a link that opens there."""

    text: str
    position_vox: tuple[float, float, float] | None = None
    link: str | None = None

    def __str__(self) -> str:
        if self.position_vox is None:
            return self.text
        z, y, x = (int(each) for each in self.position_vox)
        return f"{self.text} (at Z {z}, Y {y}, X {x})"


class Alert(Record):
    """One message about one run. Put no address with a token in `links`: everybody reads them."""

    kind: Kind
    severity: Severity
    title: str = Field(min_length=1, max_length=200)
    dataset: str
    run: str
    cause: str = Field(default="", description="Tells two alerts of one kind about one run apart; no clock, no counts")
    reasons: tuple[str, ...] = ()
    figures: dict[str, float] = Field(default_factory=dict)
    served: dict[str, float] = Field(default_factory=dict, description="The same figures of the served release")
    served_number: int | None = None
    places: tuple[WorstPlace, ...] = Field(default=(), description="The worst first")
    links: dict[str, str] = Field(default_factory=dict, description="Address by title")

    @property
    def dedupe_key(self) -> str:
        """First 32 hex digits of the digest of kind, dataset, run and cause: equal for repeated alerts about one."""
        return digest_of([self.kind, self.dataset, self.run, self.cause])[:32]

    def figure_lines(self) -> list[str]:
        """`vi_split: 1.5 (release 3: 0.9, +0.6)`, a line each; without the bracket where nothing is comparable."""
        return [f"{name}: {value:.6g}{self._beside(name, value)}" for name, value in self.figures.items()]

    def _beside(self, name: str, value: float) -> str:
        if name not in self.served:
            return ""
        return f" (release {self.served_number}: {self.served[name]:.6g}, {value - self.served[name]:+.3g})"


def finite(figures: dict[str, float]) -> dict[str, float]:
    """The figures that are numbers: JSON, and so an alert, has no others."""
    return {name: float(value) for name, value in figures.items() if isfinite(value)}


def as_text(alert: Alert) -> str:
    """The alert as lines of plain text, for logs, mails and chat."""
    blocks = [
        [f"[{alert.severity.upper()}] {alert.title}", f"dataset {alert.dataset}, run {alert.run}"],
        [f"- {reason}" for reason in alert.reasons],
        alert.figure_lines(),
        [line for place in alert.places for line in (str(place), *(f"  {link}" for link in (place.link,) if link))],
        [f"{title}: {address}" for title, address in alert.links.items()],
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)
