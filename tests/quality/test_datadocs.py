from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.refusals import refused

from emseg.errors import IntegrityError
from emseg.quality.datadocs import offline_page, written_offline
from emseg.quality.suite import run_suite


class Parts(HTMLParser):
    """What a browser would see: tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in {"href", "src"}]
        self.scripts += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Both pages of a real run in which one subvolume and the VI merge fail."""
    from emseg.config.gate import GatePolicy
    from emseg.quality.rows import METRICS, VOLUME_METRICS, MetricRow

    policy = GatePolicy(vi_merge_max=0.4, subvolume_vi_max=4.0)
    volume = [
        MetricRow("volume", "demo", m.name, 0.5, getattr(policy, m.limit_name), m.direction) for m in VOLUME_METRICS
    ]
    part = MetricRow("subvolume", "sv-00000000", "vi", 1.0, 4.0, "max")
    docs = tmp_path_factory.mktemp("docs")
    rows = [*volume, part, replace(part, subject="sv-00000007", value=4.5)]
    result = run_suite(rows, METRICS, policy.limits, docs, "run-1")
    assert result.failed_rows == {1, 6}
    return {path.name: path.read_text() for path in docs.iterdir()}


def test_the_docs_are_two_pages(pages):
    assert sorted(pages) == ["index.html", "suite.html"]


@pytest.mark.parametrize("name", ["index.html", "suite.html"])
def test_no_page_fetches_or_runs_anything(name, pages):
    """Kills docs that are bare offline, or that call six public hosts when opened."""
    parts = Parts(pages[name])
    assert not {"script", "link", "img", "iframe", "button", "input"} & set(parts.tags)
    assert parts.scripts == []
    assert "url(" not in pages[name]
    assert all(a in {"index.html", "suite.html"} or a.startswith("#section") for a in parts.addresses)


def test_the_page_tells_the_failing_numbers_with_their_subjects(pages):
    """Kills a clean-up that loses what GX found."""
    text = Parts(pages["index.html"]).text
    assert "Failed" in text
    assert "sv-00000007" in text
    assert "4.5" in text
    assert "sv-00000000" not in text
    assert pages["index.html"].count("text-danger") >= 2


def test_the_suite_page_names_the_limits_by_the_fields_of_the_policy(pages):
    text = Parts(pages["suite.html"]).text
    assert "vi_merge_max" in text
    assert "assigned_share_min" in text
    assert "$PARAMETER" not in text


def test_dropped_parts_go_with_all_that_is_in_them_and_nothing_more():
    html = "<div>a<div class='card mb-3'>b<div>c</div>d</div>e<script>if (x < 1) f('</div>')</script>g</div>h"
    assert offline_page(html) == "<div>aeg</div>h"


def test_collapsed_parts_become_native_folds_and_their_switches_go():
    html = '<p><a data-toggle="collapse" href="#x">more...</a></p><div class="card collapse m-2"><div>in</div></div>'
    assert offline_page(html) == "<p></p><details><summary>more</summary><div>in</div></details>"


def test_text_stays_text():
    """Kills a copy that undoes GX's escaping: a subject called like a tag would then be one."""
    html = "<td>&lt;img src=x onerror=alert(1)&gt; &amp;amp;</td>"
    assert offline_page(html) == html


@pytest.mark.fault("F23")
def test_a_site_without_its_page_is_an_error_not_an_empty_folder(tmp_path):
    with refused(IntegrityError, 0):
        written_offline(tmp_path / "site", tmp_path / "docs")
