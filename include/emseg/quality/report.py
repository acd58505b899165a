"""One page about one run: verdict, figures, worst bodies and subvolumes, pictures, links. Nothing outside the page.

Written beside the Data Docs in the run's folder; it opens offline, in a browser or as an attachment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType

from emseg.config.dataset import Unassigned
from emseg.quality.against_history import TRENDS
from emseg.quality.comparison import CHANGES
from emseg.quality.everywhere import EVERYWHERE, EVERYWHERE_ROWS
from emseg.quality.findings import Finding, Findings, ImageFinding, LargeBody
from emseg.quality.page import document, link, link_list, picture, section, table
from emseg.quality.rows import METRICS, SIGNED, MetricRow
from emseg.quality.verdict import Verdict

_ALL = (*METRICS, *CHANGES.values(), *TRENDS.values(), *EVERYWHERE_ROWS)
_TITLE = {(metric.scope, metric.name): metric.title for metric in _ALL}
_UNIT = {(metric.scope, metric.name): metric.unit for metric in _ALL}

UNASSIGNED = {
    Unassigned.SEGMENT: "Unassigned voxels (label 0) count as one more segment.",
    Unassigned.SINGLETONS: "Unassigned voxels (label 0) count as segments of one voxel each.",
}
WITHOUT_GROUNDTRUTH = "The dataset has no ground truth. Only what was counted over all of the volume was judged."
_KEPT = {True: '<span class="ok">kept</span>', False: '<span class="bad">missed</span>'}
IMAGE_FINDINGS_SHOWN = 100
STITCH_COUNTS = {
    "candidates": "taken as candidates by the mode",
    "joined": "joined",
    "kept_apart": "refused, because a subvolume kept the two apart where they touch, or a person did",
    "parked": "parked for a person to decide (emseg stitch parked)",
    "self_touching": "pairs of supervoxels that touch inside a subvolume and are one body now",
}


def report_page(
    verdict: Verdict,
    findings: Findings,
    images: Sequence[ImageFinding],
    pictures: Mapping[str, bytes],
    links: Mapping[str, str],
    left_out: int = 0,
    stitching: Mapping[str, int] = MappingProxyType({}),
    look: Mapping[Finding | LargeBody, str] = MappingProxyType({}),
) -> bytes:
    """HTML, UTF-8. `pictures` are PNG bytes by caption, `links` addresses by title, both shown in the order given.

    `left_out` labelled voxels are in no figure, because the model was trained on them. `stitching` are the counts of
    the phase `resolve`. `look` are the addresses where to look at each finding.
    """
    volume = [row for row in verdict.rows if row.scope == "volume"]
    subvolumes = [row for row in verdict.rows if row.scope == "subvolume"]
    compared = [row for row in verdict.rows if row.scope in SIGNED]
    return document(
        f"{verdict.dataset}: {'passed' if verdict.passed else 'failed'}",
        f"run {escape(verdict.run)}<br>fingerprint {escape(verdict.fingerprint)}",
        [
            _verdict(verdict),
            section(
                "Figures",
                _metric_table("Of the volume, with the limits of the gate", volume)
                + f"<p>{UNASSIGNED[verdict.unassigned]}</p>"
                + _unscored(left_out)
                if verdict.has_groundtruth
                else f"<p>{WITHOUT_GROUNDTRUTH}</p>",
            ),
            section("Over all of the volume", _everywhere(verdict) + _largest(findings.largest, look)),
            section("Beside other results", _comparisons(verdict, compared)),
            section("Worst subvolumes", _metric_table(_about_subvolumes(verdict), subvolumes) if subvolumes else ""),
            section(
                "Most cut bodies", _finding_table("Ground-truth bodies", "segments", "VI split", findings.cut, look)
            ),
            section(
                "Segments that join bodies", _finding_table("Segments", "bodies", "VI merge", findings.joining, look)
            ),
            section("Joins across subvolumes", _stitch_table(stitching)),
            section("Image findings", _image_table(images)),
            section("Pictures", "".join(picture(caption, png) for caption, png in pictures.items())),
            section("Links", link_list(links)),
        ],
    )


def _verdict(verdict: Verdict) -> str:
    word = "Passed: may be published" if verdict.passed else "Failed: not published"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    kind = "passed" if verdict.passed else "failed"
    return f'<div class="verdict {kind}"><strong>{word}</strong>{f"<ul>{reasons}</ul>" if reasons else ""}</div>'


def _comparisons(verdict: Verdict, rows: Sequence[MetricRow]) -> str:
    notes = "".join(f"<p>{escape(note)}</p>" for note in verdict.notes)
    return notes + (_metric_table("How much worse; below 0 is better", rows) if rows else "")


def _everywhere(verdict: Verdict) -> str:
    limits = {row.metric: row for row in verdict.rows if row.scope == "everywhere"}
    cells = [
        [metric.title, f"{verdict.figures[name]:,.6g} {metric.unit}", *_kept(limits.get(name))]
        for name, metric in EVERYWHERE.items()
        if name in verdict.figures
    ]
    return table("Counted by the run itself; no ground truth is needed", ["figure", "value", "limit", ""], cells)


def _kept(row: MetricRow | None) -> list[str]:
    if row is None:
        return ["none", ""]
    return [f"\u2264 {row.limit:g}", _KEPT[row.keeps_limit]]


def _largest(bodies: Sequence[LargeBody], look: Mapping[Finding | LargeBody, str]) -> str:
    cells = [
        [link(look[b], str(b.body)) if b in look else str(b.body), f"{b.voxels:,}", f"{100 * b.share:.4g} %"]
        for b in bodies
    ]
    return table("Largest bodies", ["id", "voxels", "of all labelled voxels"], cells) if cells else ""


def _unscored(left_out: int) -> str:
    return f"<p>{left_out:,} labelled voxels do not count: the model was trained on them.</p>" if left_out else ""


def _about_subvolumes(verdict: Verdict) -> str:
    return f"{verdict.figures['subvolumes_failed']:.0f} of {verdict.figures['subvolumes']:.0f} miss their limit"


def _metric_table(caption: str, rows: Sequence[MetricRow]) -> str:
    cells = []
    for row in rows:
        key = (row.scope, row.metric)
        sign = "\u2264" if row.direction == "max" else "\u2265"
        value = "not measured" if row.value is None else f"{row.value:.4f}"
        of = "" if row.scope == "volume" else f"{escape(row.subject)}: "
        cells.append(
            [
                f"{of}{_TITLE.get(key, escape(row.metric))}",
                value,
                f"{sign} {row.limit:g} {_UNIT.get(key, '')}",
                _KEPT[row.keeps_limit],
            ]
        )
    return table(caption, ["metric", "value", "limit", ""], cells)


def _stitch_table(counts: Mapping[str, int]) -> str:
    shown = [[title, f"{counts[name]:,}"] for name, title in STITCH_COUNTS.items() if name in counts]
    return table("What became of the votes; emseg stitch explains each", ["", "votes"], shown) if shown else ""


def _image_table(images: Sequence[ImageFinding]) -> str:
    shown = [[escape(i.finding), escape(i.text), escape(i.subvolume)] for i in images[:IMAGE_FINDINGS_SHOWN]]
    caption = f"{len(images)} in all" + (f", the first {len(shown)} shown" if len(shown) < len(images) else "")
    return table(caption, ["finding", "where, and what was done", "subvolume"], shown) if shown else ""


def _finding_table(
    kind: str, partner: str, bits: str, findings: Sequence[Finding], look: Mapping[Finding | LargeBody, str]
) -> str:
    cells = [
        [link(look[f], str(f.body)) if f in look else str(f.body), f"{f.voxels:,}", str(f.partners), f"{f.bits:.4f}"]
        for f in findings
    ]
    caption = f"{kind}; {partner}: the fewest that hold 90 % of it"
    return table(caption, ["id", "voxels", partner, f"{bits}, bits"], cells) if cells else ""
