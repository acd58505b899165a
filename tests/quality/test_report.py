from __future__ import annotations

from base64 import b64encode
from html.parser import HTMLParser

import pytest

from emseg.quality import Finding, Findings, ImageFinding, MetricRow, Verdict, report_page

ROW = MetricRow("volume", "demo", "vi_split", 1.5, 2.0, "max")


def verdict(**changes) -> Verdict:
    given = {"passed": True, "fingerprint": "3f" * 32, "dataset": "demo", "run": "run-1", "reasons": (), "rows": (ROW,)}
    given |= {"figures": {"subvolumes": 8, "subvolumes_failed": 0}}
    return Verdict(**{**given, **changes})


def page(verdict: Verdict, findings: Findings | None = None, pictures=None, links=None, images=()) -> str:
    return report_page(verdict, findings or Findings(), images, pictures or {}, links or {}).decode()


def test_a_passed_run_says_so_and_shows_no_empty_sections():
    html = page(verdict())
    assert "Passed" in html
    assert "Failed" not in html
    for empty in ("Worst subvolumes", "Most cut bodies", "Image findings", "Pictures", "Links"):
        assert empty not in html


def test_the_page_says_what_unassigned_voxels_count_as():
    """Kills figures of two rules that look alike."""
    assert "one more segment" in page(verdict())
    assert "one voxel each" in page(verdict(unassigned="singletons"))


def test_a_finding_leads_to_where_it_is_seen():
    """Kills the link of another finding: a body may have the id of a segment."""
    cut, joining = (Finding(body=5, voxels=7, bits=bits, partners=2) for bits in (0.5, 0.25))
    look = {cut: "https://viewer/#cut", joining: "https://viewer/#joining"}
    html = report_page(verdict(), Findings(cut=(cut,), joining=(joining,)), (), {}, {}, look=look).decode()
    assert html.index('<a href="https://viewer/#cut">5</a>') < html.index('<a href="https://viewer/#joining">5</a>')


def test_joins_that_wait_for_a_person_are_told():
    told = report_page(verdict(), Findings(), (), {}, {}, stitching={"joined": 12_345, "parked": 3}).decode()
    assert "12,345" in told
    assert "emseg stitch parked" in told
    assert "kept the two apart" not in told


def test_a_failed_run_shows_reasons_rows_bodies_and_subvolumes():
    missed = MetricRow("subvolume", "sv-00000003", "vi", None, 4.0, "max")
    failed = verdict(
        passed=False, reasons=("because",), rows=(ROW, missed), figures={"subvolumes": 8, "subvolumes_failed": 1}
    )
    finding = Finding(body=987654321, voxels=1234567, bits=0.25, partners=3)
    html = page(failed, Findings(cut=(finding,), joining=(finding,)))
    for expected in ("Failed", "because", "sv-00000003", "not measured", "1 of 8 miss", "987654321", "1,234,567"):
        assert expected in html
    assert html.count('<span class="bad">missed</span>') == 1
    assert html.count('<span class="ok">kept</span>') == 1


class References(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.followed: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.fetched += [value for name, value in attrs if name == "src" or (name == "href" and tag == "link")]
        self.followed += [value for name, value in attrs if name == "href" and tag == "a"]


def test_the_page_needs_nothing_from_outside():
    png = b"\x89PNG-like bytes"
    found = References(page(verdict(), pictures={"A slice": png}))
    assert found.fetched == [f"data:image/png;base64,{b64encode(png).decode()}"]
    assert "script" not in found.tags


@pytest.mark.parametrize("address", ["dvid://host/3f/seg", "s3://bucket/key", "javascript:alert(1)"])
def test_only_web_addresses_become_links(address):
    found = page(verdict(), links={"There": address, "Docs": "https://example.org/a?b=1&c=2"})
    assert References(found).followed == ["https://example.org/a?b=1&c=2"]
    assert address in found


def test_voxels_that_the_model_was_trained_on_are_owned_up_to():
    """Kills a page whose figures seem to be about the whole ground truth."""
    told = report_page(verdict(), Findings(), (), {}, {}, left_out=1_234_567).decode()
    assert "1,234,567 labelled voxels do not count: the model was trained on them" in told
    assert "trained on" not in page(verdict())


def test_names_are_text_and_never_markup():
    """Kills a page that runs what a run id or a reason contains."""
    evil = "<script>alert(1)</script>"
    html = page(verdict(passed=False, run=evil, reasons=(evil,)), pictures={evil: b"x"}, links={evil: evil})
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 5


def test_what_is_wrong_with_the_images_is_told_in_words_and_not_as_html():
    """Kills a page that runs what a step put into its message, and one that says `100 in all` of 101."""
    bad = ImageFinding(subvolume="sv-00000007", finding="failed", text="<script>alert(1)</script>")
    many = [bad, *(ImageFinding(subvolume=f"sv-{k:08d}", finding="blank", text="3 %") for k in range(100))]
    html = page(verdict(), images=many)
    assert "sv-00000007" in html
    assert "<script>" not in html
    assert "101 in all, the first 100 shown" in html
