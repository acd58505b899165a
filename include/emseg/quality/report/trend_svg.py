"""A trend as SVG inside the page: the last runs from left to right, with intervals; no axis but the numbers told."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from emseg.quality.numbers import number
from emseg.quality.report.document import Trend, TrendPoint

_WIDTH, _HEIGHT = 300, 96
_LEFT, _RIGHT, _TOP, _BOTTOM = 12, 232, 12, 78
_CROSS = 4


def trend_svg(trend: Trend, served: float | None = None) -> str:
    """An element with a dot for each run that passed and a cross for each that was refused; dashes at `served`."""
    place = _scale(trend, served)
    count = len(trend.points)
    across = [_LEFT + (_RIGHT - _LEFT) * (i + 1) / (count + 1) if count < 3 else _even(i, count) for i in range(count)]
    line = " ".join(f"{x:.1f},{place(p.value):.1f}" for x, p in zip(across, trend.points, strict=True))
    marks = "".join(_mark(p, x, place) for x, p in zip(across, trend.points, strict=True))
    last = trend.points[-1]
    dashes = (
        ""
        if served is None
        else f'<line class="served" x1="{_LEFT}" x2="{_RIGHT}" y1="{place(served):.1f}" y2="{place(served):.1f}"/>'
    )
    return (
        f'<svg role="img" aria-label="{escape(trend.title)}" viewBox="0 0 {_WIDTH} {_HEIGHT}">{dashes}'
        f'<polyline points="{line}"/>{marks}<text x="{_RIGHT + 8}" y="{place(last.value) + 4:.1f}">'
        f"{number(last.value)}</text>{_dates(trend)}</svg>"
    )


def _even(i: int, count: int) -> float:
    return _LEFT + (_RIGHT - _LEFT) * i / (count - 1)


def _scale(trend: Trend, served: float | None) -> Callable[[float], float]:
    seen = [point.value for point in trend.points] + ([] if served is None else [served])
    for point in trend.points:
        seen += [point.interval.low, point.interval.high] if point.interval else []
    low, high = min(seen), max(seen)
    size = (high - low) or 1.0
    middle = (_BOTTOM - _TOP) / 2 if high == low else 0.0
    return lambda value: _BOTTOM - middle - (_BOTTOM - _TOP) * (value - low) / size


def _mark(point: TrendPoint, x: float, place: Callable[[float], float]) -> str:
    y, bar = place(point.value), ""
    if point.interval:
        low, high = place(point.interval.low), place(point.interval.high)
        bar = f'<line class="bar" x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}"/>'
    if point.passed:
        return f'{bar}<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
    a, b, c, d = x - _CROSS, x + _CROSS, y - _CROSS, y + _CROSS
    return f'{bar}<path class="refused" d="M{a:.1f} {c:.1f}L{b:.1f} {d:.1f}M{a:.1f} {d:.1f}L{b:.1f} {c:.1f}"/>'


def _dates(trend: Trend) -> str:
    first, last = trend.points[0].time, trend.points[-1].time
    ends = [(_LEFT, "start", first), (_RIGHT, "end", last)] if first.date() != last.date() else [(_LEFT, "start", last)]
    return "".join(
        f'<text class="date" x="{x}" y="{_HEIGHT - 3}" text-anchor="{anchor}">{time:%Y-%m-%d}</text>'
        for x, anchor, time in ends
    )
