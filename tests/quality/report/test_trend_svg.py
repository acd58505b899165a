"""Trends: the points of the history at their heights."""

from __future__ import annotations

import re

from tests.quality.report.a_report import trend

from emseg.quality.report.trend_svg import trend_svg


def test_a_refused_run_is_a_cross_and_a_larger_value_is_higher():
    """Kills an axis upside down, and a refused run that looks like the others."""
    svg = trend_svg(trend(3), served=1.35)
    heights = [float(y) for _, y in (pair.split(",") for pair in re.search('points="([^"]*)"', svg)[1].split())]
    assert heights == sorted(heights, reverse=True)
    assert svg.count("<circle") == 2
    assert svg.count('class="refused"') == 1
    assert 'class="served"' in svg
    assert "2031-04-16" in svg
    assert "2031-04-18" in svg


def test_a_first_run_is_a_point_without_a_line():
    """Kills a division by the distance between points."""
    svg = trend_svg(trend(1).model_copy(update={"points": (trend(1).points[0].model_copy(update={"interval": None}),)}))
    assert svg.count("<circle") == 1
    assert "nan" not in svg
