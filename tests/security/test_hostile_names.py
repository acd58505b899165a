"""Names and texts from outside: none becomes another path, a line of a log, a command to a terminal, or a script."""

from __future__ import annotations

import io
import logging
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from rich.table import Table

from emseg.cli.console import PrintableConsole, PrintableHandler
from emseg.config.base import InstanceName, Name, NodeReference
from emseg.config.pipeline import ModelDigest
from emseg.dvid.http import path
from emseg.errors import PermanentError
from emseg.quality import ImageFinding, QualityReport, report_page
from emseg.quality.datadocs import offline_page
from emseg.quality.report.document import (
    Images,
    ParkedJoin,
    ReportFigure,
    SubvolumeMap,
    Tile,
    Trend,
    TrendPoint,
    Waiting,
)
from emseg.store import FolderStore, join_key
from emseg.tasks.run_folder import run_name

HOSTILE = [
    "..", ".", "", "a/b", "/a", "a/../b", "a\\b", "a\0b", "a\nb", "a b", "-a", "--conf", "$(id)", "`id`", "{{ 1 }}",
    "<b>", "a;b", "a%2fb", "a'b", 'a"b', "\u202eab", "\uff41", "\u0430bc", "e\u0301", "\u2024\u2024", "\uff0e\uff0e",
    "a\u2215b", "\u0131d", "\u212a", "a" * 200,
]  # fmt: skip
"""Traversal, separators, shells, templates, look-alikes (wide, Cyrillic, combining, dotless), too long."""
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\" onload='x' </title></style>"
TERMINAL = "\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp[red]bold[/red]:smile:\r"


@pytest.mark.parametrize("kind", [Name, InstanceName, NodeReference, ModelDigest])
def test_a_hostile_id_is_refused_by_every_kind_of_id(kind):
    """Kills `\\w`, which takes letters of all scripts, and a pattern that is searched and not matched."""
    for text in HOSTILE:
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028", "\0"])
def test_a_line_end_behind_a_good_id_is_refused(end):
    """Kills `$` of Python's `re`, which lets a line end follow."""
    for kind, good in ((Name, "demo"), (InstanceName, "seg"), (NodeReference, "abcd"), (ModelDigest, "a" * 64)):
        assert TypeAdapter(kind).validate_python(good) == good
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(good + end)
    with pytest.raises(PermanentError):
        join_key("demo" + end, "x")


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_hostile_text_becomes_part_of_a_key_or_leaves_the_folder(text, tmp_path: Path):
    store = FolderStore(tmp_path / "store")
    with pytest.raises(PermanentError):
        join_key("demo", text)
    for call in (store.get, store.delete, store.exists, lambda key: store.put(key, b"x")):
        with pytest.raises(PermanentError):
            call(f"demo/{text.replace('a/b', 'a//b')}/x")
    assert sorted(found.name for found in tmp_path.rglob("*") if found.is_file()) in ([], [".lock"])


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_any_run_id_becomes_a_plain_key_and_no_two_the_same(text):
    assert join_key(run_name(text)) == run_name(text)
    assert run_name(text) != run_name(text + "x")


@pytest.mark.parametrize("text", [text for text in HOSTILE if text not in {"", ".", ".."}], ids=ascii)
def test_a_name_in_an_address_of_dvid_stays_one_part(text):
    """Kills an instance name that calls another endpoint, or a query that makes the user an admin."""
    address = path("node", "ab12", f"{text}?admintoken=x#", "info")
    assert address.count("/") == 5
    assert not {"?", "#", "\n", "\0", " "} & set(address)


def shown(text: str) -> str:
    out = io.StringIO()
    console = PrintableConsole(file=out, force_terminal=True, color_system=None, width=400)
    table = Table("name")
    table.add_row(text)
    console.print(f"run {text}")
    console.print(table)
    logger = logging.Logger("emseg.test")
    logger.addHandler(PrintableHandler(console=console, show_path=False, show_level=False, show_time=False))
    logger.warning("about %s", text)
    return out.getvalue()


def test_a_text_from_outside_commands_no_terminal_and_is_no_markup():
    """Kills rich's markup and escape sequences in lines, cells and logs: they clear, recolour or retitle a terminal."""
    told = shown(TERMINAL)
    assert not {"\x07", "\x9b", "\u202e", "\r"} & set(told)
    assert "\x1b[2J" not in told
    assert "\x1b]0" not in told
    assert told.count("[red]bold[/red]:smile:") == 3
    assert told.count(r"\u202e") == 3


def test_an_error_shows_what_it_quotes_in_visible_characters():
    told = str(PermanentError("reading", f"file {TERMINAL}", "\ud800 broken", "Correct it"))
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(told)
    told.encode()
    assert r"\x1b[2J" in told


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_no_text_of_a_report_becomes_an_element_or_an_attribute():
    """Kills a name that is put into a page unescaped, wherever it stands; and a link that runs a script."""
    row = ReportFigure(scope=SCRIPT, subject=SCRIPT, metric=SCRIPT, title=SCRIPT, unit=SCRIPT, value=None, limit=1.0)
    judged = datetime(2030, 1, 1, tzinfo=UTC)
    point = TrendPoint(time=judged, run="r", passed=True, value=1)
    links = {SCRIPT: f"https://x/{SCRIPT}", "script": "javascript:alert(1)", "data": "data:text/html,x"}
    report = QualityReport(
        passed=False, fingerprint=SCRIPT, dataset=SCRIPT, run=SCRIPT, reasons=(SCRIPT,), notes=(SCRIPT,), time=judged,
        figures=(row, row.model_copy(update={"scope": "change"})), missing=(SCRIPT,), links=links,
        trends=(Trend(metric=SCRIPT, title=SCRIPT, unit=SCRIPT, points=(point,)),),
        images=Images(failed=1, shown=(ImageFinding(subvolume=SCRIPT, finding=SCRIPT, text=SCRIPT),)),
        maps=(SubvolumeMap(shows="error", seen_from="above", shape=(1, 1), cells_a_tile=(1, 1), tiles=(
            Tile(row=0, column=0, value=1, subvolume=SCRIPT, subvolumes=1),)),),
        waiting=Waiting(publication="approval", parked=1, parked_shown=(
            ParkedJoin(first=1, second=2, shared_vox=3, reason=SCRIPT, link="javascript:alert(1)"),)),
    )  # fmt: skip
    page = report_page(report, {SCRIPT: b"png"}).decode()
    tags = Tags(page).found
    assert page.count("&lt;script&gt;") >= 10
    assert not {"script", "iframe", "object", "base"} & {tag for tag, _ in tags}
    assert {name for _, attributes in tags for name in attributes if name.startswith("on")} == set()
    assert [attributes["href"][:8] for tag, attributes in tags if tag == "a"] == ["https://"]
    assert [attributes["src"][:5] for tag, attributes in tags if tag == "img"] == ["data:"]


def test_a_browser_is_told_to_run_and_fetch_nothing_in_a_report():
    judged = datetime(2030, 1, 1, tzinfo=UTC)
    page = report_page(QualityReport(passed=True, fingerprint="f", dataset="d", run="r", time=judged)).decode()
    policy = next(a["content"] or "" for tag, a in Tags(page).found if a.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    assert "script-src" not in policy


def test_data_docs_keep_no_script_no_handler_and_no_address():
    html = (
        f'<html><head></head><body onload="x"><a href="javascript:x">{SCRIPT}</a><svg onload=x><iframe src="//x">'
        '<meta http-equiv=refresh content="0;//x"><p style="background:url(//x)">&lt;script&gt;</p></body></html>'
    )
    tags = Tags(offline_page(html)).found
    assert "script" not in {tag for tag, _ in tags}
    assert {name for _, attributes in tags for name in attributes} <= {"class", "id", "hidden", "charset"}
