"""The part of the report about where: maps of subvolumes, the worst bodies with their places, what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal

from emseg.quality.numbers import number, percent, signed, voxel
from emseg.quality.page import is_followed, link, section, table
from emseg.quality.report.document import Place, QualityReport, ReportBody, ReportSubvolume
from emseg.quality.report.map_svg import map_svg

STYLE = """
.maps { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; } .map { margin: .3rem 0 1rem; flex: 1 1 18rem; max-width:
  30rem; }
.map text { text-anchor: middle; font-size: 13px; } .map .nothing { fill: var(--line); } .map .paper { fill:
  var(--paper); }
.map .worse { fill: var(--worse); } .map .better { fill: var(--better); } .map rect { stroke: var(--line); }
.place { display: grid; grid-template-columns: minmax(0, 1fr) 17rem; gap: 0 1.2rem; margin: 0 0 1.4rem; align-items:
  start; }
.place img { width: 100%; border-radius: 4px; } .place h3 { margin: 0; } .place p { margin: .15rem 0; }
.nopicture { background: var(--note); border-radius: 4px; padding: 1rem; min-height: 4rem; }
@media (max-width: 52rem) { .place { grid-template-columns: minmax(0, 1fr); gap: .4rem; } }
@media print { .place { break-inside: avoid; grid-template-columns: minmax(0, 1fr) 14rem; } }
"""
_PANELS = "grayscale, segmentation, ground truth"
_SHOWS = {
    "error": ("Error by subvolume", "Bits that each subvolume adds to the VI of the whole."),
    "change": ("Change by subvolume", "How many bits more than in release {}. Orange is worse, blue is better."),
}
_NOTHING = {"error": "No subvolume has an error.", "change": "No subvolume differs from release {}."}


def map_section(report: QualityReport) -> str:
    """Maps and the subvolumes that are worst in them."""
    parts = []
    for shows, (title, told) in _SHOWS.items():
        maps = [each for each in report.maps if each.shows == shows]
        rows = report.worst_subvolumes if shows == "error" else report.changed_subvolumes
        if not maps:
            continue
        tiled = any(max(each.cells_a_tile) > 1 for each in maps)
        hidden = " Each square shows the subvolume with the largest value behind it; grey: none has ground truth."
        size = f" A square is {' x '.join(map(str, maps[0].cells_a_tile))} subvolumes wide." if tiled else ""
        if not any(tile.value for each in maps for tile in each.tiles):
            parts.append(section(title, f"<p>{_NOTHING[shows].format(report.served_release)}</p>"))
            continue
        drawn = "".join(map_svg(each) for each in maps)
        text = f'<p>{told.format(report.served_release)}{hidden}{size}</p><div class="maps">{drawn}</div>'
        parts.append(section(title, text + _subvolumes(report, _caption(report, shows), rows)))
    return "".join(parts)


def _caption(report: QualityReport, shows: str) -> str:
    missed = f"{report.subvolumes_missing_limit:,} of {report.subvolumes:,} subvolumes miss their limit"
    return f"Largest error first; {missed}" if shows == "error" else "Largest change first, for better or worse"


def _subvolumes(report: QualityReport, caption: str, rows: Sequence[ReportSubvolume]) -> str:
    beside = report.served_release is not None
    cells = [
        [
            escape(row.name),
            f"{voxel(row.start_vox)}<small>to {voxel(row.stop_vox)}</small>",
            number(row.error),
            *([signed(row.change) if row.change is not None else "-"] if beside else []),
        ]
        for row in rows
    ]
    more = [f"more than release {report.served_release}"] if beside else []
    heads = ["subvolume", "voxels", "bits", *more]
    return table(caption, heads, cells) if cells else ""


def place_list(
    title: str,
    kind: Literal["cut", "joining"],
    places: Sequence[Place],
    pictures: Mapping[str, str],
    components: bool = False,
) -> str:
    """Bodies of one kind with their pictures (base64 JPEG by path); `components`: the partners are components."""
    of_kind = [place for place in places if place.kind == kind]
    told = {
        "cut": "Bodies of the ground truth that are cut apart: one colour at the right, several in the middle.",
        "joining": "Segments that run over several bodies: one colour in the middle, several at the right.",
    }[kind]
    cards = [place for place in of_kind if place.picture or place.no_picture]
    rest = [place for place in of_kind if place not in cards]
    legend = f" From left to right: {_PANELS}; other bodies are faint. The length of the bar is told." if cards else ""
    drawn = "".join(_card(place, pictures, components) for place in cards)
    return section(title, f"<p>{told}{legend}</p>{drawn}{_rest(rest)}" if of_kind else "")


def _rest(places: Sequence[Place]) -> str:
    rows = [
        [
            _id(place.body, place.component_vox),
            number(place.bits),
            f"{place.voxels:,}<small>{number(place.volume_um3)} µm³</small>",
            f"{place.partners:,}",
            voxel(place.position_vox) if place.position_vox else "",
            link(place.link, "look") if is_followed(place.link) else "",
        ]
        for place in places
    ]
    heads = ["id", "bits", "voxels", "hold 90 % of it", "at", ""]
    return table("The next ones", heads, rows) if rows else ""


def _id(body: int, component_vox: tuple[int, int, int] | None) -> str:
    return f"{body}<small>component at {voxel(component_vox)}</small>" if component_vox else str(body)


def _card(place: Place, pictures: Mapping[str, str], components: bool) -> str:
    one, several = ("component", "components") if components else ("body", "bodies")
    if place.kind == "cut":
        what, held = "Body", f"90 % of it takes {place.partners:,} segment{'s' * (place.partners != 1)}"
    else:
        what, held = "Segment", f"90 % of it lies in {place.partners:,} {one if place.partners == 1 else several}"
    bits = "VI split" if place.kind == "cut" else "VI merge"
    lines = [
        f"<h3>{what} {_id(place.body, place.component_vox)}</h3>",
        f"<p>{number(place.bits)} bits of {bits}</p>",
        f"<p>{place.voxels:,} voxels, {number(place.volume_um3)} µm³</p>",
        f"<p>{held}</p>",
        f"<p>at {voxel(place.position_vox)}</p>" if place.position_vox else "",
        f"<p>{link(place.link, 'look in neuroglancer')}</p>" if is_followed(place.link) else "",
    ]
    return f'<div class="place">{_picture(place, pictures)}<div>{"".join(lines)}</div></div>'


def _picture(place: Place, pictures: Mapping[str, str]) -> str:
    if place.picture is None:
        return f'<p class="quiet nopicture">No picture: {escape(place.no_picture)}</p>'
    data, shown = pictures.get(place.picture.path), place.picture
    if data is None:
        return (
            f'<p class="quiet nopicture">The page is full; the picture is in the run folder: {escape(shown.path)}</p>'
        )
    start, stop = shown.start_vox, shown.stop_vox
    where = (
        f"z {start[0]:,}, y {start[1]:,} to {stop[1]:,}, x {start[2]:,} to {stop[2]:,}; bar {number(shown.bar_nm)} nm"
    )
    return f'<div><img alt="{_PANELS}" src="data:image/jpeg;base64,{data}"><small>{where}</small></div>'


def largest_bodies(bodies: Sequence[ReportBody]) -> str:
    """The largest bodies of all of the volume, where a false join shows first."""
    rows = [
        [
            str(each.body),
            f"{each.voxels:,}",
            percent(each.share, 1),
            voxel(each.position_vox) if each.position_vox else "",
            link(each.link, "look") if is_followed(each.link) else "",
        ]
        for each in bodies
    ]
    heads = ["id", "voxels", "of all that are labelled", "at", ""]
    return table("Largest bodies", heads, rows) if rows else ""


def changed_bodies(report: QualityReport) -> str:
    """Bodies of the ground truth that broke or merged since the served release."""
    rows = [
        [
            _id(each.body, each.component_vox),
            each.kind,
            f"{signed(each.bits)}",
            f"{each.fragments_before:,} → {each.fragments_now:,}",
            str(each.segment),
        ]
        for each in report.changed_bodies
    ]
    heads = ["body", "what became of it", "bits of VI", "segments that hold 90 %", "largest segment now"]
    title = f"Bodies that changed since release {report.served_release}"
    return section(title, table("Largest rise first", heads, rows) if rows else "")
