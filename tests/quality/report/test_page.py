"""The page about a run: what a person must find on it, numbers as in the document, and nothing that is run."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import datetime
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.quality.report.a_report import FIGURES, a_report, figure, place, trend

from emseg.config.dataset import Publication
from emseg.quality import ImageFinding, QualityReport, report_page
from emseg.quality.numbers import number, percent, signed
from emseg.quality.report.document import ChangedBody, Images, Waiting
from emseg.quality.report.page import MOST_BYTES

JPEG = b"\xff\xd8 a picture"


def page(report: QualityReport, **pictures: Any) -> str:
    return report_page(report, **pictures).decode()


class Seen(HTMLParser):
    """Texts, tags and addresses of a page; `<title>` in an SVG is a text, too."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.fetched: list[str] = []
        self.followed: list[str] = []
        self.tags: set[str] = set()
        self._inside = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self._inside = tag
        self.tags.add(tag)
        self.fetched += [value for name, value in attrs if name == "src" or (name == "href" and tag == "link")]
        self.followed += [value for name, value in attrs if name == "href" and tag == "a"]

    def handle_data(self, data):
        if self._inside != "style":
            self.texts.append(data)


NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
OF_SENTENCES = {"90", "95", "0", "3"}
"""Numbers of sentences that are always there: `90 % of it`, `below 0 is better`; and the 3 of `µm³`, `3-D`."""


def told(value: Any) -> set[str]:
    """Every way in which the page may write what is in the document."""
    if isinstance(value, dict):
        return set().union(*(told(each) for pair in value.items() for each in pair))
    if isinstance(value, list | tuple):
        return {str(len(value))}.union(*(told(each) for each in value))
    texts = [str(value)]
    if isinstance(value, int | float):
        texts += [number(float(value)), signed(float(value)), f"{value:,}"]
    if isinstance(value, datetime):
        texts += [f"{value:%Y-%m-%d %H:%M}"]
    return {found for text in texts for found in NUMBER.findall(text)}


def test_each_number_of_the_page_is_in_the_document():
    """Kills a figure that the page computes, rounds or takes from elsewhere: the JSON would say something else."""
    report = a_report()
    images = report.images
    known = told(report.model_dump()) | OF_SENTENCES
    known |= told([percent(images.masked_voxels, images.voxels), images.failed + sum(images.found.values())])
    known |= told([percent(report.largest[0].share, 1)])
    shown = [found for text in Seen(page(report)).texts for found in NUMBER.findall(text)]
    assert len(set(shown)) > 100
    assert set(shown) - known == set()


@pytest.mark.parametrize("part", ["value", "interval", "served", "served_interval", "worsening", "worsening_interval"])
def test_a_figure_stands_beside_the_release_with_all_intervals(part):
    """Kills a column that is filled from another one."""
    html = page(a_report(trends=()))
    value = getattr(FIGURES[0], part)
    wanted = [value] if isinstance(value, float) else [value.low, value.high]
    assert all(number(each).lstrip("-") in html for each in wanted)


def test_without_a_release_there_are_no_columns_for_it():
    html = page(a_report(served_release=None, figures=(figure("vi", 1.5),), notes=("Nothing was published before",)))
    assert "worse by" not in html
    assert "Nothing was published before" in html


def test_a_row_that_nobody_knew_before_is_shown_like_all_others():
    """Kills a page with a list of the metrics that it knows."""
    html = page(a_report(figures=(*FIGURES, figure("orphans_of_a_plugin", 0.7171, kept=False))))
    assert "ORPHANS_OF_A_PLUGIN" in html
    assert "0.7171" in html
    assert html.count('<span class="bad">missed</span>') == 2


def test_empty_parts_are_left_out():
    bare = QualityReport(dataset="demo", run="r", fingerprint="3f", time=a_report().time, passed=True)
    html = page(bare)
    assert "Passed" in html
    for empty in ("Figures", "Trend", "cut bodies", "by subvolume", "Joins", "Masked", "Pictures", "Links", "missing"):
        assert empty not in html
    assert "Waits for a person" not in html


def test_a_dataset_without_ground_truth_says_so_and_shows_what_was_counted():
    figures = tuple(each for each in FIGURES if each.scope == "everywhere")
    html = page(a_report(has_groundtruth=False, figures=figures, maps=(), places=(), joins=None))
    assert "The dataset has no ground truth" in html
    assert "1,234.5" in html
    assert "88,991" in html
    assert "ground truth</caption>" not in html


def test_a_refused_run_says_why():
    html = page(a_report(passed=False, reasons=("VI is worse than release 7",)))
    assert "Refused: not published" in html
    assert "VI is worse than release 7" in html
    assert "has to approve" not in html


def test_the_page_says_what_unassigned_voxels_count_as():
    """Kills figures of two rules that look alike."""
    assert "one more segment" in page(a_report())
    assert "one voxel each" in page(a_report(unassigned="singletons"))


def test_voxels_that_the_model_was_trained_on_are_owned_up_to():
    """Kills a page whose figures seem to be about the whole ground truth."""
    assert "7,654,321 labelled voxels do not count: the model was trained on them" in page(a_report())
    assert "trained on" not in page(a_report(left_out_voxels=0))


def test_a_place_has_its_own_picture_and_link():
    """Kills the picture or link of another place: a body may have the id of a segment."""
    places = (place("cut", 5), place("joining", 5))
    pictures = {f"pictures/{kind}-5.jpg": JPEG + kind.encode() for kind in ("cut", "joining")}
    html = page(a_report(places=places), places=pictures)
    cut, joining = html.index("Body 5<"), html.index("Segment 5<")
    for kind, place_at, end in (("cut", cut, joining), ("joining", joining, len(html))):
        data = b64encode(pictures[f"pictures/{kind}-5.jpg"]).decode()
        assert html.count(data) == 1
        assert html.index(data) < place_at < html.index(f'href="https://viewer/#{kind}-5"') < end


def test_a_component_is_shown_with_its_body_and_its_first_voxel():
    """Kills two components of one body that look like one, and components that are told as bodies."""
    places = (place("cut", 5, component_vox=(1, 22, 333)), place("joining", 6))
    changed = ChangedBody(
        kind="broke", body=8, bits=0.1, fragments_before=1, fragments_now=2, segment=9, component_vox=(4, 55, 666)
    )
    html = page(a_report(places=places, changed_bodies=(changed,), components=True))
    assert "Body 5<small>component at z 1, y 22, x 333</small>" in html
    assert "8<small>component at z 4, y 55, x 666</small>" in html
    assert "lies in 13 components" in html
    assert "Measured against the components" in html
    assert "component" not in page(a_report())


def test_a_picture_that_could_not_be_drawn_is_named_with_the_reason():
    html = page(a_report(places=(place("cut", 5, picture=None, no_picture="the server said 503"),)))
    assert "No picture: the server said 503" in html


def test_the_page_stays_below_its_size_and_says_which_pictures_it_leaves_out():
    """Kills a page of many megabytes, which nobody can mail."""
    places = tuple(place("cut", body) for body in range(8))
    pictures = {each.picture.path: JPEG * 25_000 for each in places if each.picture}
    html = page(a_report(places=places), places=pictures)
    assert 0.5 * MOST_BYTES < len(html.encode()) < MOST_BYTES
    assert "The page is full" in html
    assert "pictures/cut-7.jpg" in html


def test_the_page_needs_nothing_from_outside():
    pictures = {"pictures/cut-987654321.jpg": JPEG}
    found = Seen(page(a_report(), plots={"A slice": b"\x89PNG-like bytes"}, places=pictures))
    assert all(address.startswith("data:image/") for address in found.fetched)
    assert len(found.fetched) == 2
    assert not {"script", "iframe", "object"} & found.tags


@pytest.mark.parametrize("address", ["dvid://host/3f/seg", "s3://bucket/key", "javascript:alert(1)"])
def test_only_web_addresses_become_links_and_they_show_a_short_text(address):
    """Kills a page full of addresses with 2 000 characters, which no printer and no reader wants."""
    html = page(a_report(links={"There": address, "Docs": "https://example.org/a?b=1&c=2"}, places=()))
    found = Seen(html)
    assert [each for each in found.followed if "viewer" not in each] == ["https://example.org/a?b=1&c=2"]
    assert address in html
    assert "https://example.org" not in "".join(found.texts)


def test_names_are_text_and_never_markup():
    """Kills a page that runs what a run id, a reason, a metric or a finding contains."""
    evil = "<script>alert(1)</script>"
    images = Images(voxels=1, found={evil: 1}, shown=(ImageFinding(subvolume=evil, finding=evil, text=evil),))
    html = page(
        a_report(
            run=evil, reasons=(evil,), passed=False, notes=(evil,), links={evil: evil}, images=images, missing=(evil,),
            figures=(figure("vi", 1.0, title=evil, unit=evil, subject=evil, scope=evil),),
            trends=(trend().model_copy(update={"title": evil, "unit": evil}),),
        ),
        plots={evil: b"x"},
    )  # fmt: skip
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 14


def test_findings_of_images_are_counted_and_the_first_are_shown():
    found = tuple(ImageFinding(subvolume=f"sv-{k:08d}", finding="blank", text="3 % masked") for k in range(100))
    html = page(a_report(images=Images(voxels=200, masked_voxels=3, failed=2, found={"blank": 99}, shown=found)))
    assert "101 in all, the first 100 shown" in html
    assert "1.5 %" in html


def test_what_waits_for_a_person_is_told_with_what_to_do():
    html = unescape(page(a_report()))
    assert "somebody has to approve" in html
    assert "emseg stitch parked --dataset demo --run run-2" in html
    assert "21 and 22" in html
    nothing = Waiting(publication=Publication.AUTOMATIC)
    assert "Waits for a person" not in page(a_report(waiting=nothing, images=Images(voxels=9)))
