"""Great Expectations' Data Docs as two small pages that need no network, no script and no other file.

The pages GX builds load their style and scripts from six public hosts; offline they are bare text with the pass and
fail icons missing. Here the text stays, everything fetched from elsewhere or run as a script goes, and one small style
of our own comes in.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from pathlib import Path

from emseg.errors import IntegrityError

_DROPPED = {"script", "style", "footer", "button"}
_DROPPED_VOID = {"link", "img", "input"}
_KEPT_ATTRIBUTES = {"class", "id", "hidden", "charset"}
_NO_ASSET = "Data asset: None"
_PARAMETER = re.compile(r"\{'\$PARAMETER': '(\w+)'\}")

STYLE = """
body { margin: 0 auto; padding: 1.5rem 2rem 4rem; max-width: 62rem; color: #1c2733; background: #fff;
  font: 15px/1.5 system-ui, "Helvetica Neue", Arial, sans-serif; }
h4 { font-size: 1.5rem; margin: .5rem 0 0; } h5 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h6 { font-size: .95rem; margin: .8rem 0 .3rem; } .lead { color: #5b6875; margin: 0 0 1rem; }
a { color: #14599c; } ol, .nav, .ge-navigation-sidebar-content { list-style: none; padding: 0; margin: 0; }
ol li, .nav li { display: inline-block; margin-right: 1.2rem; } .card-header { display: none; }
table { border-collapse: collapse; width: 100%; margin: .4rem 0; }
th, td { text-align: left; vertical-align: top; padding: .45rem .8rem; border-bottom: 1px solid #e3e8ee; }
td > div > p, td p { margin: 0; } th { font-weight: 600; color: #5b6875; white-space: nowrap; }
td table { width: auto; margin: .6rem 0; font-size: .92em; } .table-sm td:first-child { width: 16rem; color: #5b6875; }
.badge { background: #eef2f6; border-radius: 4px; padding: .05rem .4rem; font: .92em ui-monospace, monospace; }
.text-success::before, .text-danger:is(i)::before { font-style: normal; font-weight: 600; white-space: nowrap; }
.text-success::before { content: "\\2713 kept"; color: #1d7a3e; }
.text-danger:is(i)::before { content: "\\2717 failed"; color: #b3261e; }
#section-1 i::before { content: ""; }
strong.text-danger { color: #b3261e; font-weight: 600; } strong.text-danger br:first-child { display: none; }
details { margin: .5rem 0; color: #5b6875; } summary { cursor: pointer; } hr { display: none; }
ul[id$="-body"] li { margin: .3rem 0; } li:has(> hr) { display: none; }
code { font: .92em ui-monospace, monospace; overflow-wrap: anywhere; }
"""


def written_offline(site: Path, docs: Path) -> tuple[Path, Path]:
    """Write `index.html` (the validation) and `suite.html` (the expectations) of a built site into folder `docs`.

    IntegrityError when GX built another number of pages than one of each.
    """
    pages = {"index.html": "validations/**/*.html", "suite.html": "expectations/**/*.html"}
    docs.mkdir(parents=True, exist_ok=True)
    for name, pattern in pages.items():
        found = list(site.glob(pattern))
        if len(found) != 1:
            raise IntegrityError(
                "writing the Data Docs",
                pattern,
                f"{len(found)} pages where there should be one",
                "Check the installed great_expectations against requirements.txt",
            )
        (docs / name).write_text(offline_page(found[0].read_text(encoding="utf-8")), encoding="utf-8")
    return docs / "index.html", docs / "suite.html"


def offline_page(html: str) -> str:
    """The page without anything that is fetched or run; collapsed parts become native folds."""
    page = _OfflinePage()
    page.feed(html)
    page.close()
    return "".join(page.out)


class _OfflinePage(HTMLParser):
    """Copies a page, leaving out what `_is_dropped` says; `out` is the copy."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._dropping = ""
        self._depth = 0
        self._div_ends: list[str] = []

    def handle_decl(self, decl: str) -> None:
        self.out.append(f"<!{decl}>")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if self._dropping:
            self._depth += tag == self._dropping
        elif tag in _DROPPED_VOID:
            pass
        elif _is_dropped(tag, given):
            self._dropping, self._depth = tag, 1
        elif tag == "div" and "collapse" in (given.get("class") or "").split():
            self._div_ends.append("</details>")
            self.out.append("<details><summary>more</summary>")
        else:
            if tag == "div":
                self._div_ends.append("</div>")
            self.out.append(f"<{tag}{_kept(given)}>")

    def handle_endtag(self, tag: str) -> None:
        if self._dropping:
            self._depth -= tag == self._dropping
            if self._depth == 0:
                self._dropping = ""
            return
        if tag == "head":
            self.out.append(f"<style>{STYLE}</style>")
        self.out.append(self._div_ends.pop() if tag == "div" and self._div_ends else f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._dropping and data.strip() != _NO_ASSET:
            self.out.append(escape(_PARAMETER.sub(r"\1", data), quote=False))


def _is_dropped(tag: str, given: dict[str, str | None]) -> bool:
    classes = (given.get("class") or "").split()
    needs_script = given.get("data-toggle") in {"collapse", "buttons"} or {"card", "mb-3"} <= set(classes)
    return tag in _DROPPED or needs_script


def _kept(given: dict[str, str | None]) -> str:
    attributes = {name: value or "" for name, value in given.items() if name in _KEPT_ATTRIBUTES}
    href = given.get("href") or ""
    if href.startswith("#section"):
        attributes["href"] = href
    elif "://" not in href and href.endswith(".html"):
        attributes["href"] = "suite.html" if "expectations/" in href else "index.html"
    return "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
