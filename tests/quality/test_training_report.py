"""The page about a training: what it says, that it needs nothing else, and that its figures are the model's."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from emseg.quality.training_report import (
    SHOWN_FEATURES,
    AgglomerationPoint,
    PassFigures,
    RoundFigures,
    TrainingReport,
    training_page,
)
from emseg.segment.model import TrainingRegion

PNG = b"\x89PNG\r\n\x1a\n"
DIGEST = "1f" * 32


def point(threshold: float, split: float, merge: float) -> AgglomerationPoint:
    return AgglomerationPoint(threshold=threshold, vi_split=split, vi_merge=merge, adapted_rand_error=0.1)


def one_pass(precision: float, features: int = 3) -> PassFigures:
    return PassFigures(
        average_precision=precision,
        roc_area=0.9,
        recall=(0.1, 0.5, 1.0),
        precision=(1.0, 0.9, 0.2),
        importances={f"feature_{k:02d}": 1 / features for k in range(features)},
    )


def report(**changes) -> TrainingReport:
    given = {
        "preset": "best",
        "seed": 7,
        "regions": (TrainingRegion(source="dvid:ab/grayscale", start=(0, 10, 20), stop=(64, 74, 84)),),
        "voxels": 262_144,
        "seconds": {"boundary": 12.4, "agglomeration": 3.0},
        "passes": (one_pass(0.8), one_pass(0.9)),
        "rounds": (RoundFigures(average_precision=0.97, roc_area=0.99),),
        "curve": (point(0.1, 0.7, 0.2), point(0.4, 0.5, 0.3), point(0.8, 0.3, 0.9)),
        "threshold": 0.4,
    }
    return TrainingReport(**{**given, **changes})


class Page(HTMLParser):
    """The rows of all tables, the pictures, and everything that a browser would fetch."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.sources: list[str] = []
        self.feed(html.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        if self.rows:
            self.rows[-1].append(data)


def test_figures_are_those_of_the_last_pass_and_of_the_models_threshold():
    """Kills the figures of the best threshold, or of the first pass: the model would promise what it does not do."""
    assert report().figures == {
        "boundary_average_precision": 0.9,
        "vi_split": 0.5,
        "vi_merge": 0.3,
        "adapted_rand_error": 0.1,
    }


def test_a_threshold_between_two_points_of_the_curve_takes_the_nearer():
    assert report(threshold=0.61).chosen.threshold == 0.8
    assert report(threshold=0.59).chosen.threshold == 0.4


def test_the_page_has_every_figure_a_person_decides_by():
    """Kills a VI that is not split + merge, and a page of another model."""
    html = training_page(report(), DIGEST, PNG)
    rows = Page(html).rows
    for row in (
        ["VI split", "0.5000 bits"],
        ["VI merge", "0.3000 bits"],
        ["VI", "0.8000 bits"],
        ["boundary, pass 1: average precision", "0.8000"],
        ["boundary, pass 2: average precision", "0.9000"],
        ["contacts, round 1: average precision", "0.9700"],
        ["trained on", "0.3 Mvoxels"],
        ["time for boundary", "12 s"],
        ["dvid:ab/grayscale", "(0, 10, 20) to (64, 74, 84)"],
    ):
        assert row in [[cell for cell in found if cell.strip()][: len(row)] for found in rows]
    assert DIGEST in html.decode()
    assert "preset best, seed 7" in html.decode()


def test_the_page_needs_nothing_from_outside():
    """Kills a page that is empty without the internet: three plots and the slices are inside it."""
    sources = Page(training_page(report(), DIGEST, PNG)).sources
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,iVBORw0KGgo") for source in sources)


def test_the_page_of_one_pass_with_few_or_many_features_is_drawn(monkeypatch):
    """Kills plots that need two passes, and a bar for each of a hundred features."""
    for features in (1, 3, 100):
        made = report(passes=(one_pass(0.9, features),), curve=(point(0.5, 1.0, 1.0),))
        assert training_page(made, DIGEST, PNG).count(b"<img") == 4
    drawn = []
    from matplotlib.axes import Axes

    monkeypatch.setattr(Axes, "barh", lambda _, names, shares: drawn.append((names, shares)))
    shares = {f"feature_{k:03d}": k / 4950 for k in range(100)}
    training_page(report(passes=(one_pass(0.9).model_copy(update={"importances": shares}),)), DIGEST, PNG)
    ((names, _),) = drawn
    assert names == [f"feature_{k:03d}" for k in range(100 - SHOWN_FEATURES, 100)]


def test_names_of_sources_are_text_and_never_markup():
    evil = "<script>alert(1)</script>"
    region = TrainingRegion(source=evil, start=(0, 0, 0), stop=(1, 1, 1))
    html = training_page(report(regions=(region,)), DIGEST, PNG).decode()
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_the_report_survives_its_json():
    made = report()
    assert TrainingReport.model_validate_json(made.model_dump_json()) == made
    with pytest.raises(ValueError, match="threshold"):
        TrainingReport.model_validate_json(made.model_dump_json(exclude={"threshold"}))
