"""The picture of `emseg history --plot`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from matplotlib.figure import Figure
from tests.quality.test_history import entry

from emseg.quality import Measurement
from emseg.quality.trend_picture import _range, trend_picture

REFUSED = entry(2, 9.0, verdict_passed=False)


def test_a_refused_run_does_not_squash_the_others():
    """By hand: 0.9 to 1.4 of those that passed, and 15 % of it on both sides. Kills the axis of all runs."""
    known = [(each, each.measurements[0]) for each in (entry(0, 1.0), entry(1, 1.3), REFUSED)]
    assert _range(known) == pytest.approx((0.825, 1.475))
    assert _range(known[2:]) == pytest.approx((8.9 - 0.03, 9.1 + 0.03))
    assert _range([]) == (0.0, 0.15)


@pytest.mark.parametrize("entries", [[], [entry(0)], [entry(0), REFUSED, entry(3, groundtruth="h")]])
def test_any_history_is_drawn(entries):
    assert trend_picture(entries, "x" * 200).startswith(b"\x89PNG")


@pytest.fixture
def figures(monkeypatch) -> list[Figure]:
    """The figures that are written, to look into."""
    drawn: list[Figure] = []
    write = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (drawn.append(self), write(self, *a, **k)))
    return drawn


def test_its_bases_are_numbered_as_in_the_lines_also_beside_what_the_watch_measured(figures):
    """Kills numbers that are counted without the watch: `emseg history` calls the third one basis 3."""
    watched = entry(1, groundtruth="w", fingerprint="watch-1")
    trend_picture([entry(0), watched, entry(2, groundtruth="h")], "x")
    assert [text.get_text() for text in figures[0].axes[0].get_legend().get_texts()] == ["basis 1", "basis 3"]


def test_without_ground_truth_it_shows_what_was_counted_everywhere(figures):
    """Kills a picture of VI and ARE that nobody measured: two empty axes."""
    share = Measurement("largest_body_share", 0.25, None, None, 0.5, True)
    trend_picture([replace(entry(0, groundtruth="none"), measurements=(share,))], "x")
    (line,) = figures[0].axes[0].lines
    assert line.get_ydata().tolist() == [0.25]
