"""Ratios of benchmarks, with a clock that only the candidates move: every figure is worked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.rows import Row, save
from benchmarks.side_by_side import Comparison, side_by_side


class Stopwatch:
    """A clock, and candidates that take the given seconds, call after call."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def taking(self, name: str, *seconds: float):
        left = iter(seconds)

        def run() -> None:
            self.calls.append(name)
            self.now += next(left)

        return run


def test_candidates_take_turns_and_the_first_round_does_not_count() -> None:
    """Kills timing all rounds of A before those of B, and counting the compilation of the first call."""
    clock = Stopwatch()
    times = side_by_side({"a": clock.taking("a", 99, 1, 2), "b": clock.taking("b", 99, 3, 4)}, 2, clock)
    assert clock.calls == ["a", "b"] * 3
    assert times.seconds == {"a": (1, 2), "b": (3, 4)}


def test_the_ratio_is_that_of_neighbours_in_time() -> None:
    """A busy second round slows both tenfold: 2/1, 60/10, 3/3 -> 2. Kills the ratio of the medians, 3/3 = 1."""
    times = Comparison({"a": (2, 60, 3), "b": (1, 10, 3)})
    assert times.ratio("a", "b") == pytest.approx(2)
    assert times.ratio("b", "a") == pytest.approx(1 / 2)
    assert (times.median_s("a"), times.median_s("b")) == (3, 3)


def test_rows_are_left_as_a_list_with_name_value_and_unit(tmp_path: Path) -> None:
    """Kills another form than the one that the documentation's figures are read from."""
    save([Row("x: speed", 1.5, "GB/s")], tmp_path / "bench" / "one.json")
    assert json.loads((tmp_path / "bench" / "one.json").read_text()) == [
        {"name": "x: speed", "value": 1.5, "unit": "GB/s"}
    ]
