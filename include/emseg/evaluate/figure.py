"""A number that results are compared in: how people read it, and which way is worse."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """`worse` is 1 where more is worse, -1 where less is."""

    name: str
    title: str
    unit: str
    worse: int

    @property
    def direction(self) -> Literal["max", "min"]:
        """Whether a limit is the most or the least that is allowed."""
        return "max" if self.worse > 0 else "min"

    def worsening(self, own: float, other: float) -> float:
        """How much worse `own` is than `other`; below 0 where it is better."""
        return self.worse * (own - other)


Value = float | str
"""A figure that was measured; or in words why it could not be, which keeps no limit."""
