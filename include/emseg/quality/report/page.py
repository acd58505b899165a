"""One page about one run, for whoever judges it by eye. All that it tells is in the `QualityReport` that it is made of.

It opens offline, in a browser or as an attachment, and stays below `MOST_BYTES`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from html import escape
from types import MappingProxyType

from emseg.config.groundtruth import Unassigned
from emseg.quality.numbers import number, signed
from emseg.quality.page import document, link_list, picture, section, table
from emseg.quality.report.document import Interval, QualityReport, ReportFigure, Trend
from emseg.quality.report.page_parts import image_section, join_section, waiting_note
from emseg.quality.report.page_places import STYLE as PLACES_STYLE
from emseg.quality.report.page_places import changed_bodies, largest_bodies, map_section, place_list
from emseg.quality.report.trend_svg import trend_svg
from emseg.quality.rows import SIGNED

MOST_BYTES = 2_000_000
"""Size of a page; pictures that would exceed it stay in the run's folder, and the page says so."""
_BYTES_OF_TEXT = 600_000

UNASSIGNED = {
    Unassigned.SEGMENT: "Unassigned voxels (label 0) count as one more segment.",
    Unassigned.SINGLETONS: "Unassigned voxels (label 0) count as segments of one voxel each.",
}
WITHOUT_GROUNDTRUTH = "The dataset has no ground truth. Only what was counted over all of the volume was judged."
STYLE = """
.trends { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: .5rem 1.5rem; }
.trends figure { margin: 0; } svg { display: block; width: 100%; height: auto; } svg text { fill: var(--ink);
  font-size: 12px; }
.trends polyline { fill: none; stroke: var(--better); stroke-width: 1.5; } .trends circle { fill: var(--better); }
.trends .bar { stroke: var(--better); stroke-width: 5; stroke-opacity: .25; } .trends .refused { stroke: var(--bad);
  stroke-width: 2; }
.trends .served { stroke: var(--quiet); stroke-dasharray: 4 3; } .trends .date { fill: var(--quiet); font-size:
  10px; }
"""


def report_page(
    report: QualityReport,
    plots: Mapping[str, bytes] = MappingProxyType({}),
    places: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """HTML, UTF-8. `plots` are PNG or JPEG bytes by caption, `places` JPEG bytes by path of the `PlacePicture`."""
    shown = _that_fit(places, MOST_BYTES - _BYTES_OF_TEXT - sum(map(_stored, plots.values())))
    return document(
        f"{report.dataset}: {'passed' if report.passed else 'refused'}",
        f"run {escape(report.run)}, judged {report.time:%Y-%m-%d %H:%M} UTC<br>"
        f"fingerprint {escape(report.fingerprint)}",
        [
            _verdict(report),
            waiting_note(report),
            section("Figures", _figures(report)),
            section("Over all of the volume", _everywhere(report)),
            section("Beside other results", _comparisons(report)),
            section("Trend", _trends(report)),
            map_section(report),
            place_list("Most cut bodies", "cut", report.places, shown, report.components),
            place_list("Segments that join bodies", "joining", report.places, shown, report.components),
            changed_bodies(report),
            section("Joins across subvolumes", join_section(report)),
            section("Masked, failed and filled", image_section(report.images)),
            section("Pictures", "".join(picture(caption, data) for caption, data in plots.items())),
            section("What is missing here", "".join(f"<p>{escape(each)}</p>" for each in report.missing)),
            section("Links", link_list(report.links)),
        ],
        STYLE + PLACES_STYLE,
    )


def _that_fit(places: Mapping[str, bytes], room: int) -> dict[str, str]:
    """Pictures as base64, in their order, as long as there is room."""
    fitting = {}
    for path, data in places.items():
        room -= _stored(data)
        if room < 0:
            break
        fitting[path] = b64encode(data).decode()
    return fitting


def _stored(data: bytes) -> int:
    return -(-len(data) // 3) * 4


def _verdict(report: QualityReport) -> str:
    word = "Passed: may be published" if report.passed else "Refused: not published"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in report.reasons)
    kind = "passed" if report.passed else "failed"
    return f'<div class="verdict {kind}"><strong>{word}</strong>{f"<ul>{reasons}</ul>" if reasons else ""}</div>'


def _figures(report: QualityReport) -> str:
    own = [figure for figure in report.figures if figure.scope not in {"everywhere", *SIGNED}]
    if not report.has_groundtruth:
        return f"<p>{WITHOUT_GROUNDTRUTH}</p>"
    if not own:
        return ""
    notes = [UNASSIGNED[report.unassigned]]
    if report.components:
        notes.append("Measured against the components of the ground truth's bodies inside the region.")
    if any(figure.interval for figure in own):
        notes.append("Small: the middle 95 % of resamples of the subvolumes.")
    if report.left_out_voxels:
        left = f"{report.left_out_voxels:,} labelled voxels do not count: the model was trained on them."
        notes.append(left)
    return _figure_table("Where there is ground truth", report, own) + f"<p>{' '.join(notes)}</p>"


def _everywhere(report: QualityReport) -> str:
    own = [figure for figure in report.figures if figure.scope == "everywhere"]
    caption = "Counted by the run itself; no ground truth is needed"
    return (_figure_table(caption, report, own) if own else "") + largest_bodies(report.largest)


def _figure_table(caption: str, report: QualityReport, figures: Sequence[ReportFigure]) -> str:
    number_of = report.served_release
    served = [] if number_of is None else [f"release {number_of}", "worse by"]
    rows = [_figure_row(figure, bool(served)) for figure in figures]
    return table(caption, ["figure", "this run", *served, "limit", ""], rows)


def _figure_row(figure: ReportFigure, beside: bool) -> list[str]:
    of = f"{escape(figure.subject)}: " if figure.scope not in {"volume", "everywhere"} else ""
    unit = f" <small>{escape(figure.unit)}</small>" if figure.unit else ""
    own = f"{number(figure.value)}<small>{_between(figure.interval)}</small>"
    then = "-" if figure.served is None else number(figure.served)
    served = [
        f"{then}<small>{_between(figure.served_interval)}</small>",
        f"{signed(figure.worsening) if figure.worsening is not None else '-'}"
        f"<small>{_between(figure.worsening_interval, signed)}</small>",
    ]
    return [f"{of}{escape(figure.title)}{unit}", own, *(served if beside else []), *_limit(figure)]


def _limit(figure: ReportFigure) -> list[str]:
    if figure.limit is None:
        return ["-", ""]
    sign = "≤" if figure.direction == "max" else "≥"
    kept = '<span class="ok">kept</span>' if figure.kept else '<span class="bad">missed</span>'
    return [f"{sign}\u00a0{number(figure.limit)}", kept]


def _comparisons(report: QualityReport) -> str:
    compared = [figure for figure in report.figures if figure.scope in SIGNED]
    notes = "".join(f"<p>{escape(note)}</p>" for note in report.notes)
    rows = [[f"{escape(f.title)}, {escape(f.subject)}", signed(f.value), *_limit(f)] for f in compared]
    heads = ["figure", "worse by", "allowed", ""]
    return notes + (table("What the gate allows; below 0 is better", heads, rows) if rows else "")


def _trends(report: QualityReport) -> str:
    served = {figure.metric: figure.served for figure in report.figures if figure.scope not in SIGNED}
    drawn = [
        f"<figure><figcaption>{escape(_called(t))}</figcaption>{trend_svg(t, served.get(t.metric))}</figure>"
        for t in report.trends
    ]
    runs = max((len(trend.points) for trend in report.trends), default=0)
    told = f"The last {runs:,} judged runs on this ground truth and region" if runs > 1 else "The first judged run"
    beside = "" if report.served_release is None else f" Dashes: release {report.served_release}."
    legend = "Dot: passed. Cross: refused. Bar: resamples."
    return f'<p>{told}. {legend}{beside}</p><div class="trends">{"".join(drawn)}</div>' if drawn else ""


def _called(trend: Trend) -> str:
    return f"{trend.title}, {trend.unit}" if trend.unit else trend.title


def _between(interval: Interval | None, write: Callable[[float], str] = number) -> str:
    """`0.1 to 0.2`; empty for none."""
    return "" if interval is None else f"{write(interval.low)} to {write(interval.high)}"
