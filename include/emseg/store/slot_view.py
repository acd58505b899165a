"""What one listing shows of a board of request slots, who may have which of them, and how long things last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SlotTimes:
    """How long things last, in seconds. Tests make all of them shorter alike; `hold_s` stays well below `silent_s`.

    A slot is written every `renew_s`, lets nothing through `hold_s` after it was last written, and is taken over by
    others after `silent_s`. It is given back when unused for `linger_s`, and after `turn_s` if somebody waits. Those
    who wait look every `look_s` or less often, and give up after `patience_s`.
    """

    renew_s: float = 10.0
    hold_s: float = 25.0
    silent_s: float = 35.0
    turn_s: float = 20.0
    linger_s: float = 1.0
    look_s: float = 1.0
    patience_s: float = 1800.0

    def waiting_s(self, waiting: int) -> float:
        """How often one of so many looks: all together about ten times in `look_s`, however many they are."""
        return self.look_s * max(1.0, waiting / 10)


@dataclass(frozen=True)
class BoardView:
    """The board as one listing showed it. `free` and `silent` (fallen silent) map slots to versions, `held` all others.

    The version of a free slot that was never used is None. `waiting` counts the processes of each group that wait,
    without the one that looks. `groups` are those among which slots are shared; `moved` is how far homes have moved.
    """

    free: Mapping[int, str | None]
    silent: Mapping[int, str]
    held: Mapping[int, str]
    waiting: Mapping[str, int]
    groups: tuple[str, ...]
    moved: int

    def home(self, slot: int) -> str:
        """The group that may keep the slot while others wait."""
        return self.groups[(slot + self.moved) % len(self.groups)]
