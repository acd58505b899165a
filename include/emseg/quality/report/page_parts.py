"""The parts of the report about joins, about images, and about what waits for a person."""

from __future__ import annotations

from html import escape

from emseg.config.dataset import Publication
from emseg.quality.numbers import number, percent
from emseg.quality.page import is_followed, link, table
from emseg.quality.report.document import Images, JoinAccuracy, ParkedJoin, QualityReport

STITCH_COUNTS = {
    "candidates": "taken as candidates by the mode",
    "joined": "joined",
    "kept_apart": "refused, because a subvolume kept the two apart where they touch, or a person did",
    "parked": "parked for a person to decide (emseg stitch parked)",
    "self_touching": "pairs of supervoxels that touch inside a subvolume and are one body now",
}


def waiting_note(report: QualityReport) -> str:
    """What a person has to decide; nothing where nobody is waited for."""
    waiting = report.waiting
    items = []
    if report.passed and waiting.publication is Publication.APPROVAL:
        items.append("<li>Publication: somebody has to approve this result, or reject it.</li>")
    if waiting.parked:
        todo = f"emseg stitch parked --dataset {escape(report.dataset)} --run {escape(report.run)}"
        items.append(f"<li>{waiting.parked:,} joins are parked. List all of them: <code>{todo}</code></li>")
    if report.images.failed:
        items.append(
            f"<li>{report.images.failed:,} subvolumes failed and are empty: see below. Clear the task segment to try "
            "them again.</li>"
        )
    shown = _parked(waiting.parked_shown)
    return (
        f'<div class="note"><strong>Waits for a person</strong><ul>{"".join(items)}</ul>{shown}</div>' if items else ""
    )


def _parked(joins: tuple[ParkedJoin, ...]) -> str:
    rows = [
        [
            f"{each.first} and {each.second}",
            f"{each.shared_vox:,}",
            escape(each.reason),
            link(each.link, "look") if is_followed(each.link) else "",
        ]
        for each in joins
    ]
    return (
        table("Parked joins, most shared voxels first", ["supervoxels", "shared voxels", "why", ""], rows)
        if rows
        else ""
    )


def join_section(report: QualityReport) -> str:
    """Precision and recall of joins by mode, and what became of the votes."""
    return _accuracy(report) + _counts(report)


def _accuracy(report: QualityReport) -> str:
    joins = report.joins
    if joins is None or not joins.accuracy:
        return ""
    caption = (
        "Precision: of the joins with a clear body on both sides, the share with one and the same. Recall: of all "
        "pairs of supervoxels with the same clear body, the share that is joined. A mode joins by its rules alone"
    )
    read = f"<p>Measured in {joins.overlaps_read:,} of {joins.overlaps:,} overlaps.</p>"
    heads = ["rules", "precision", "recall", "joins", "of these judged", "right", "to be joined"]
    return table(caption, heads, map(_accuracy_row, joins.accuracy)) + read


def _accuracy_row(one: JoinAccuracy) -> list[str]:
    shares = ["-" if share is None else number(share) for share in (one.precision, one.recall)]
    return [escape(one.rules), *shares, *(f"{n:,}" for n in (one.joins, one.judged, one.right, one.wanted))]


def _counts(report: QualityReport) -> str:
    shown = [
        [title, f"{report.stitching[name]:,}"] for name, title in STITCH_COUNTS.items() if name in report.stitching
    ]
    return table("What became of the votes; emseg stitch explains each", ["", "votes"], shown) if shown else ""


def image_section(images: Images) -> str:
    """Shares and counts first, then subvolume by subvolume."""
    if not images.voxels and not images.failed:
        return ""
    rows = [
        ["voxels masked, of all that were computed", percent(images.masked_voxels, images.voxels)],
        ["subvolumes that failed and are empty", f"{images.failed:,}"],
        ["subvolumes in quarantine: joined on nearly equal votes only", f"{images.quarantined:,}"],
        *([f"subvolumes with the finding {escape(name)}", f"{count:,}"] for name, count in images.found.items()),
    ]
    return table("Of the image, and of the steps", ["", ""], rows) + _findings(images)


def _findings(images: Images) -> str:
    found = [[escape(i.subvolume), escape(i.finding), escape(i.text)] for i in images.shown]
    total = images.failed + sum(images.found.values())
    caption = f"{total:,} in all" + (f", the first {len(found):,} shown" if len(found) < total else "")
    return table(caption, ["subvolume", "finding", "where, and what was done"], found) if found else ""
