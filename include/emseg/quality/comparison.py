"""What a result is held to beside its own limits: figures of other results on the same voxels.

Example: release 3 has 1.21 bits of VI. A run with 1.35 bits is 0.14 bits worse, and the dataset file allows 0.05. So
the row `change_vi` has the value 0.14 and the limit 0.05, and fails like any other row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from emseg.config.base import Record
from emseg.config.gate import Regression
from emseg.evaluate import Figure, Score, gated_metrics
from emseg.quality.rows import Direction, Metric, MetricRow


def _figures() -> dict[str, Figure]:
    """By the name of the field of `Regression`: the name of the limit without its direction."""
    found = {"vi": Figure("vi", "VI split + merge", "bits", 1)}
    for name, gated in gated_metrics().items():
        stem, _, direction = gated.limit_name.rpartition("_")
        found[stem] = Figure(name, gated.title, gated.unit, 1 if direction == "max" else -1)
    return found


FIGURES: Mapping[str, Figure] = _figures()
"""Every figure that results are compared in, by the name of its limit without direction."""

CHANGES: Mapping[str, Metric] = {
    name: Metric(
        "change",
        f"change_{FIGURES[name].name}",
        f"Worsening of {FIGURES[name].title}",
        FIGURES[name].unit,
        f"change_{name}",
    )
    for name in Regression.model_fields
}
"""How much worse a figure is than that of the served release, by the field of `Regression` that limits it."""


class ShownFigure(Record):
    """A figure of the volume as people are shown it: with a limit or without, measured or with the reason why not."""

    name: str
    title: str
    unit: str
    value: float | None
    limit: float | None
    direction: Direction
    why_none: str = ""


@dataclass(frozen=True)
class Comparison:
    """Rows that are judged like all others, their metrics and limits, and what is told of them in words.

    `told` has a sentence for each row that fails, by metric, and `why_none` for one without a value. `where` tells the
    places, if any of the rows fails. `notes` are told in any case, and `figures`, which may have no row, are kept;
    those that are `shown` describe themselves.
    """

    metrics: tuple[Metric, ...] = ()
    limits: Mapping[str, float] = field(default_factory=dict)
    rows: tuple[MetricRow, ...] = ()
    told: Mapping[str, str] = field(default_factory=dict)
    where: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    why_none: Mapping[str, str] = field(default_factory=dict)
    shown: tuple[ShownFigure, ...] = ()

    def with_notes(self, *notes: str) -> Comparison:
        """The same, with more to tell."""
        return replace(self, notes=(*self.notes, *notes))


def value_of(score: Score, figure: Figure) -> float:
    """The number of a score that a figure is about."""
    return float(getattr(score, figure.name))
