"""A result beside the served release: rows of how much worse it is, and in words where, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from emseg.array_types import Floats
from emseg.config.gate import Regression
from emseg.config.groundtruth import Unassigned
from emseg.evaluate import (
    BODIES,
    BodyChange,
    Figure,
    PerSubvolume,
    Score,
    TruthNames,
    Value,
    beginning,
    broken_and_merged,
    interval,
    resampled_moves,
)
from emseg.quality.comparison import CHANGES, FIGURES, Comparison, value_of
from emseg.quality.numbers import signed
from emseg.quality.rows import MetricRow

PLACES = 5
"""Subvolumes and bodies that a comparison names, of each kind."""
_TOLD_BITS = 0.0005
"""Smaller changes of one place are not told: they would read 0.000."""


@dataclass(frozen=True)
class Measured:
    """One segmentation: its score, its tables, and how far resamples of the subvolumes move its figures, by name.

    `figures` are those that a dataset need not have, and `names` those of the ground truth.
    """

    score: Score
    parts: PerSubvolume
    moves: Mapping[str, Floats]
    figures: Mapping[Figure, Value] = field(default_factory=dict)
    names: TruthNames = BODIES

    @classmethod
    def of(
        cls,
        score: Score,
        parts: PerSubvolume,
        seed: str,
        unassigned: Unassigned,
        figures: Mapping[Figure, Value] = MappingProxyType({}),
        names: TruthNames = BODIES,
    ) -> Measured:
        """The segmentation that was scored. What is compared with each other needs the same `seed` (hexadecimal)."""
        return cls(score, parts, resampled_moves(parts.influences(unassigned), seed), figures, names)

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The middle 95 % of the resamples of each figure; none where there were too few subvolumes."""
        found = {name: interval(moves, float(getattr(self.score, name))) for name, moves in self.moves.items()}
        return {name: bounds for name, bounds in found.items() if bounds is not None}


def against_release(
    own: Measured, served: Measured, number: int, policy: Regression, unassigned: Unassigned
) -> Comparison:
    """How much worse `own` is than release `number`. Both are of the same voxels and resamples."""
    limits = {name: limit for name, limit in dict(policy).items() if limit is not None}
    rows, told = [], {}
    for name, limit in limits.items():
        change, metric = _Change(FIGURES[name], own, served), CHANGES[name]
        rows.append(MetricRow("change", f"release {number}", metric.name, change.value, float(limit), metric.direction))
        told[metric.name] = change.sentence(number, float(limit))
    summary = _Change(FIGURES["vi"], own, served).summary(number)
    return Comparison(
        metrics=tuple(CHANGES[name] for name in limits),
        limits={CHANGES[name].limit_name: float(limit) for name, limit in limits.items()},
        rows=tuple(rows),
        told=told,
        where=_where(own.parts, served.parts, unassigned, number, own.names),
        notes=(summary,),
    )


@dataclass(frozen=True)
class _Change:
    figure: Figure
    own: Measured
    served: Measured

    @property
    def value(self) -> float:
        return self.figure.worsening(value_of(self.own.score, self.figure), value_of(self.served.score, self.figure))

    def sentence(self, number: int, limit: float) -> str:
        """Why a row fails."""
        return (
            f"{self.figure.title} is {self._amount(self.value)} worse than that of release {number} "
            f"({self._values()}); the gate allows {self._amount(limit)}. {self._surety()}"
        )

    def summary(self, number: int) -> str:
        """What is told in any case."""
        word = "worse" if self.value > 0 else "better"
        amount = "equal" if self.value == 0 else f"{self._amount(abs(self.value))} {word}"
        return f"Against release {number}, {self.figure.title} is {amount} ({self._values()}). {self._surety()}"

    def _values(self) -> str:
        own, other = (value_of(each.score, self.figure) for each in (self.own, self.served))
        return f"{own:.6g}, there {other:.6g}"

    def _surety(self) -> str:
        name, subvolumes = self.figure.name, len(self.own.parts.items)
        found = interval(self.figure.worse * (self.own.moves[name] - self.served.moves[name]), self.value)
        if found is None:
            return f"With {subvolumes} subvolumes, resampling them tells nothing of how sure that is"
        low, high = (round(bound, 4) + 0.0 for bound in found)  # as they are told; + 0.0 makes 0 of -0
        word = "lies within" if low <= 0 <= high else "exceeds"
        between = f"{signed(low)} to {signed(high)}"
        return f"The difference {word} what resampling the {subvolumes} subvolumes gives (95 %: {between})"

    def _amount(self, value: float) -> str:
        return f"{value:.4g} {self.figure.unit}".rstrip()


def _where(
    own: PerSubvolume, served: PerSubvolume, unassigned: Unassigned, number: int, names: TruthNames
) -> tuple[str, ...]:
    rise = own.vi(unassigned) - served.vi(unassigned)
    worst = [i for i in np.argsort(-rise, kind="stable")[:PLACES] if rise[i] >= _TOLD_BITS]
    places = ", ".join(f"{own.items[i]} {rise[i]:+.3f}" for i in worst)
    broken, merged = broken_and_merged(served.whole, own.whole, PLACES, unassigned)
    return (
        *(
            (f"Subvolumes that got worst against release {number}, bits of the VI of the whole: {places}",)
            * bool(places)
        ),
        *(_broke(each, names) for each in broken if each.bits >= _TOLD_BITS),
        *(_merged(each, names) for each in merged if each.bits >= _TOLD_BITS),
    )


def _broke(change: BodyChange, names: TruthNames) -> str:
    before, now = change.fragments
    parts = f"90 % of it takes {now} segment{'s' * (now != 1)}, before {before}"
    return (
        f"{beginning(names.told(change.body))} of the ground truth broke: {change.bits:+.3f} bits of VI split; {parts}"
    )


def _merged(change: BodyChange, names: TruthNames) -> str:
    others = names.all_told(change.others)
    shared = (
        f"its largest segment, {change.segment}, now holds {others} too" if change.others else "it shares more voxels"
    )
    who = beginning(names.told(change.body))
    return f"{who} of the ground truth merged: {change.bits:+.3f} bits of VI merge; {shared}"
