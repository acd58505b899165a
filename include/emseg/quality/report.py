"""One page about one run: verdict, figures, worst bodies and subvolumes, pictures, links. Nothing outside the page.

Written beside the Data Docs in the run's folder; it opens offline, in a browser or as an attachment.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from emseg.quality.findings import Finding, Findings
from emseg.quality.rows import METRICS, MetricRow
from emseg.quality.verdict import Verdict

_TITLE = {(metric.scope, metric.name): metric.title for metric in METRICS}
_UNIT = {(metric.scope, metric.name): metric.unit for metric in METRICS}
_OPENS_IN_A_BROWSER = ("http://", "https://")

STYLE = """
body { margin: 0 auto; padding: 2rem 2rem 5rem; max-width: 60rem; color: #1c2733; background: #fff;
  font: 16px/1.55 system-ui, "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .5rem; }
p { margin: .4rem 0; } .quiet { color: #5b6875; font-size: .9rem; overflow-wrap: anywhere; }
.verdict { margin: 1.2rem 0; padding: .9rem 1.2rem; border-left: 5px solid; border-radius: 4px; }
.passed { border-color: #1d7a3e; background: #f0f8f2; } .failed { border-color: #b3261e; background: #fcf1f0; }
.verdict strong { font-size: 1.1rem; } .verdict ul { margin: .4rem 0 0; padding-left: 1.2rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; color: #5b6875; padding-bottom: .3rem; }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #e3e8ee; }
th { font-weight: 600; color: #5b6875; }
th + th, td + td { text-align: right; font-variant-numeric: tabular-nums; }
.ok { color: #1d7a3e; } .bad { color: #b3261e; font-weight: 600; }
figure { margin: 1rem 0 2rem; } img { max-width: 100%; } figcaption { color: #5b6875; font-size: .9rem; }
a { color: #14599c; }
"""


def report_page(verdict: Verdict, findings: Findings, pictures: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    """HTML, UTF-8. `pictures` are PNG bytes by caption, `links` addresses by title, both shown in the order given."""
    head = f"{verdict.dataset}: {'passed' if verdict.passed else 'failed'}"
    volume = [row for row in verdict.rows if row.scope == "volume"]
    subvolumes = [row for row in verdict.rows if row.scope == "subvolume"]
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(head)}</title>',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>{escape(verdict.dataset)}</h1>",
        f'<p class="quiet">run {escape(verdict.run)}<br>fingerprint {escape(verdict.fingerprint)}</p>',
        _verdict(verdict),
        _section("Figures", _metric_table("Of the volume, with the limits of the gate", volume)),
        _section("Worst subvolumes", _metric_table(_about_subvolumes(verdict), subvolumes) if subvolumes else ""),
        _section("Most cut bodies", _finding_table("Ground-truth bodies", "segments", "VI split", findings.cut)),
        _section("Segments that join bodies", _finding_table("Segments", "bodies", "VI merge", findings.joining)),
        _section("Pictures", "".join(_picture(caption, png) for caption, png in pictures.items())),
        _section("Links", _link_list(links)),
        "</body></html>",
    ]
    return "\n".join(part for part in parts if part).encode()


def _verdict(verdict: Verdict) -> str:
    word = "Passed: may be published" if verdict.passed else "Failed: not published"
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    kind = "passed" if verdict.passed else "failed"
    return f'<div class="verdict {kind}"><strong>{word}</strong>{f"<ul>{reasons}</ul>" if reasons else ""}</div>'


def _about_subvolumes(verdict: Verdict) -> str:
    return f"{verdict.figures['subvolumes_failed']:.0f} of {verdict.figures['subvolumes']:.0f} miss their limit"


def _metric_table(caption: str, rows: Sequence[MetricRow]) -> str:
    cells = []
    for row in rows:
        key = (row.scope, row.metric)
        sign = "\u2264" if row.direction == "max" else "\u2265"
        value = "not measured" if row.value is None else f"{row.value:.4f}"
        kept = '<span class="ok">kept</span>' if row.keeps_limit else '<span class="bad">missed</span>'
        of = "" if row.scope == "volume" else f"{escape(row.subject)}: "
        cells.append(
            [f"{of}{_TITLE.get(key, escape(row.metric))}", value, f"{sign} {row.limit:g} {_UNIT.get(key, '')}", kept]
        )
    return _table(caption, ["metric", "value", "limit", ""], cells)


def _finding_table(kind: str, partner: str, bits: str, findings: Sequence[Finding]) -> str:
    cells = [[str(f.body), f"{f.voxels:,}", str(f.partners), f"{f.bits:.4f}"] for f in findings]
    caption = f"{kind}; {partner}: the fewest that hold 90 % of it"
    return _table(caption, ["id", "voxels", partner, f"{bits}, bits"], cells) if cells else ""


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are HTML."""
    head = "".join(f"<th>{h}</th>" for h in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def _section(title: str, html: str) -> str:
    return f"<h2>{escape(title)}</h2>{html}" if html else ""


def _picture(caption: str, png: bytes) -> str:
    data = b64encode(png).decode()
    return f'<figure><img alt="" src="data:image/png;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'


def _link_list(links: Mapping[str, str]) -> str:
    items = "".join(f"<li>{escape(title)}: {_link(address)}</li>" for title, address in links.items())
    return f"<ul>{items}</ul>" if items else ""


def _link(address: str) -> str:
    """An anchor where a browser can follow it; the address as text (s3://, dvid://) otherwise."""
    text = escape(address)
    return f'<a href="{text}">{text}</a>' if address.startswith(_OPENS_IN_A_BROWSER) else text
