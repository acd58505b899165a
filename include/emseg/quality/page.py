"""The means of every page of emseg: one style, tables, pictures inside the page, links. Nothing outside the page.

A page opens offline, in a browser or as an attachment. It follows the dark colours of the reader's screen, is readable
400 pixels wide, and prints without cutting a row or a picture.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from re import sub

_OPENS_IN_A_BROWSER = ("http://", "https://")

ONLY_THIS_PAGE = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'\">"
)
"""Tells the browser to run no script and to fetch nothing, whatever a name or a text in the page says."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2733; --quiet: #5b6875; --paper: #fff; --line: #e3e8ee; --link: #14599c;
  --good: #1d7a3e; --bad: #b3261e; --good-paper: #f0f8f2; --bad-paper: #fcf1f0; --note: #f4f6f9;
  --worse: #d9480f; --better: #1971c2; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #dfe5ec; --quiet: #98a5b3; --paper: #14191f;
  --line: #2c3540; --link: #7db8f2; --good: #6fcf8e; --bad: #ff8a80; --good-paper: #16261c; --bad-paper: #2e1a1a;
  --note: #1c232b; --worse: #ff8a4c; --better: #64aef5; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 2rem 5rem; max-width: 64rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, "Helvetica Neue", Arial, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; }
p { margin: .4rem 0; } .quiet, small { color: var(--quiet); font-size: .9rem; }
.verdict, .note { margin: 1.2rem 0; padding: .9rem 1.2rem; border-left: 5px solid var(--line); border-radius: 4px; }
.note { background: var(--note); border-color: var(--link); }
.passed { border-color: var(--good); background: var(--good-paper); }
.failed { border-color: var(--bad); background: var(--bad-paper); }
.verdict strong { font-size: 1.1rem; } .verdict ul, .note ul { margin: .4rem 0 0; padding-left: 1.2rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1rem; }
caption { text-align: left; color: var(--quiet); padding-bottom: .3rem; }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; color: var(--quiet); overflow-wrap: normal; }
th + th, td + td { text-align: right; font-variant-numeric: tabular-nums; }
td:last-child, th:last-child { padding-right: 0; } td small { display: block; font-size: .8rem; }
.quiet, li, td:first-child, table:not(.many) td { overflow-wrap: anywhere; }
.ok, .bad { white-space: nowrap; } .ok { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
figure { margin: 1rem 0 2rem; } img { max-width: 100%; height: auto; } figcaption { color: var(--quiet); font-size:
  .9rem; }
img.plot { background: #fff; border-radius: 4px; }
a { color: var(--link); }
@media (max-width: 40rem) { body { padding: 1.2rem 1rem 3rem; }
  .many tr:first-child { display: none; }
  .many tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }
  .many td { display: block; padding: .1rem 0; border: 0; text-align: right; overflow: hidden; }
  .many td:first-child { text-align: left; font-weight: 600; }
  .many td + td::before { content: attr(data-head); color: var(--quiet); float: left; margin-right: 1rem; }
  .many td:empty { display: none; } }
@media print { @page { margin: 1.5cm; } body { max-width: none; padding: 0; font-size: 10.5pt; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  tr, figure, .verdict, .note { break-inside: avoid; } h2, h3, caption { break-after: avoid; } }
"""


def document(title: str, quiet: str, parts: Sequence[str], style: str = "") -> bytes:
    """A whole page, UTF-8; `quiet` (HTML) stands small under the title, empty parts are left out.

    `style` are rules for what this page alone has.
    """
    head = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{ONLY_THIS_PAGE}',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}{style}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">{quiet}</p>',
    ]
    return "\n".join([*head, *(part for part in parts if part), "</body></html>"]).encode()


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; heads and cells are HTML. With more than three columns each row becomes a list on a narrow screen."""
    head = f"<tr>{''.join(f'<th>{h}</th>' for h in heads)}</tr>" if any(heads) else ""
    names = [f' data-head="{escape(sub("<[^>]*>", "", h))}"' for h in heads]
    body = "".join(
        "<tr>" + "".join(f"<td{name}>{cell}</td>" for name, cell in zip(names, row, strict=True)) + "</tr>"
        for row in rows
    )
    many = ' class="many"' if len(heads) > 3 else ""
    return f"<table{many}><caption>{escape(caption)}</caption>{head}{body}</table>"


def section(title: str, html: str) -> str:
    """HTML under a heading; nothing where there is none."""
    return f"<h2>{escape(title)}</h2>{html}" if html else ""


def picture(caption: str, data: bytes) -> str:
    """A PNG or JPEG inside the page."""
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    image = f'<img class="plot" alt="" src="data:image/{kind};base64,{b64encode(data).decode()}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def link_list(links: Mapping[str, str]) -> str:
    """Addresses by title: a link where a browser can follow it, the address itself otherwise."""
    items = "".join(
        f"<li>{link(address, title)}</li>" if is_followed(address) else f"<li>{escape(f'{title}: {address}')}</li>"
        for title, address in links.items()
    )
    return f"<ul>{items}</ul>" if items else ""


def is_followed(address: str) -> bool:
    """Whether a browser can follow an address: not s3://, dvid://, javascript:."""
    return address.startswith(_OPENS_IN_A_BROWSER)


def link(address: str, text: str) -> str:
    """An anchor where a browser can follow the address; the text alone otherwise."""
    return f'<a href="{escape(address)}">{escape(text)}</a>' if is_followed(address) else escape(text)
