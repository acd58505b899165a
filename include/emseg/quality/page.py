"""The means of every page of emseg: one style, tables, pictures inside the page, links. Nothing outside the page.

A page opens offline, in a browser or as an attachment.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape

_OPENS_IN_A_BROWSER = ("http://", "https://")

ONLY_THIS_PAGE = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'\">"
)
"""Tells the browser to run no script and to fetch nothing, whatever a name or a text in the page says."""

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
a { color: #14599c; } li { overflow-wrap: anywhere; }
"""


def document(title: str, quiet: str, parts: Sequence[str]) -> bytes:
    """A whole page, UTF-8; `quiet` (HTML) stands small under the title, empty parts are left out."""
    head = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{ONLY_THIS_PAGE}<title>{escape(title)}</title>',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        f'<p class="quiet">{quiet}</p>',
    ]
    return "\n".join([*head, *(part for part in parts if part), "</body></html>"]).encode()


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; heads and cells are HTML."""
    head = "".join(f"<th>{h}</th>" for h in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{body}</table>"


def section(title: str, html: str) -> str:
    """HTML under a heading; nothing where there is none."""
    return f"<h2>{escape(title)}</h2>{html}" if html else ""


def picture(caption: str, png: bytes) -> str:
    """A PNG inside the page."""
    data = b64encode(png).decode()
    return f'<figure><img alt="" src="data:image/png;base64,{data}"><figcaption>{escape(caption)}</figcaption></figure>'


def link_list(links: Mapping[str, str]) -> str:
    """Addresses by title."""
    items = "".join(f"<li>{escape(title)}: {link(address, address)}</li>" for title, address in links.items())
    return f"<ul>{items}</ul>" if items else ""


def link(address: str, text: str) -> str:
    """An anchor where a browser can follow the address (not s3://, dvid://); the text alone otherwise."""
    if not address.startswith(_OPENS_IN_A_BROWSER):
        return escape(text)
    return f'<a href="{escape(address)}">{escape(text)}</a>'
