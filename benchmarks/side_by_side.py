"""Two or more ways to do one thing, timed in turn: A B C, A B C, ... so that a busy minute slows all of them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

Clock = Callable[[], float]


@dataclass(frozen=True)
class Comparison:
    """Seconds of each candidate, one entry a round; entries of the same place were measured one after the other."""

    seconds: Mapping[str, tuple[float, ...]]

    def median_s(self, name: str) -> float:
        """Median over the rounds."""
        return median(self.seconds[name])

    def ratio(self, name: str, to: str) -> float:
        """How often the time of `to` fits into that of `name`: the median of the rounds' ratios; above 1 is slower."""
        return median(a / b for a, b in zip(self.seconds[name], self.seconds[to], strict=True))


def side_by_side(
    candidates: Mapping[str, Callable[[], object]], rounds: int, clock: Clock = time.process_time
) -> Comparison:
    """Time every candidate once a round, after one round that is not counted (compilation, caches, first pages).

    The clock is the CPU time of all threads of this process, so a candidate wins nothing by using more of them. Give
    `time.perf_counter` where a server does part of the work.
    """
    for run in candidates.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            started = clock()
            run()
            seconds[name].append(clock() - started)
    return Comparison({name: tuple(each) for name, each in seconds.items()})
