"""The report about one training: a page with plots for people, and the same figures as JSON.

All figures are out of fold. The page holds all that it shows, so it opens offline.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING

from emseg.config.base import Record
from emseg.quality.page import document, picture, section, table
from emseg.segment.model import TrainingRegion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_FEATURES = 15


class PassFigures(Record):
    """How well one pass of the pixel classifier finds boundary voxels; `importances` are shares of its splits."""

    average_precision: float
    roc_area: float
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    importances: dict[str, float]


class RoundFigures(Record):
    """How well one round separates contacts between two bodies from contacts inside one."""

    average_precision: float
    roc_area: float


class AgglomerationPoint(Record):
    """Scores of the whole pipeline on the training volumes with the last round at `threshold`; VI in bits."""

    threshold: float
    vi_split: float
    vi_merge: float
    adapted_rand_error: float


class TrainingReport(Record):
    """Preset, training data, duration and quality of one training."""

    preset: str
    seed: int
    regions: tuple[TrainingRegion, ...]
    voxels: int
    seconds: dict[str, float]
    passes: tuple[PassFigures, ...]
    rounds: tuple[RoundFigures, ...]
    curve: tuple[AgglomerationPoint, ...]
    threshold: float

    @property
    def chosen(self) -> AgglomerationPoint:
        """The point of the curve at the threshold that the model has."""
        return min(self.curve, key=lambda point: abs(point.threshold - self.threshold))

    @property
    def figures(self) -> dict[str, float]:
        """The few figures that are stored in the model itself."""
        return {
            "boundary_average_precision": self.passes[-1].average_precision,
            "vi_split": self.chosen.vi_split,
            "vi_merge": self.chosen.vi_merge,
            "adapted_rand_error": self.chosen.adapted_rand_error,
        }


def training_page(report: TrainingReport, digest: str, slices: bytes) -> bytes:
    """HTML, UTF-8; `slices` is a PNG of grayscale, out-of-fold probability and segmentation, and ground truth."""
    best = report.chosen
    rows = [
        ["VI split", f"{best.vi_split:.4f} bits"],
        ["VI merge", f"{best.vi_merge:.4f} bits"],
        ["VI", f"{best.vi_split + best.vi_merge:.4f} bits"],
        ["adapted Rand error", f"{best.adapted_rand_error:.4f}"],
        *(
            [f"boundary, pass {k}: average precision", f"{p.average_precision:.4f}"]
            for k, p in enumerate(report.passes, 1)
        ),
        *(
            [f"contacts, round {k}: average precision", f"{r.average_precision:.4f}"]
            for k, r in enumerate(report.rounds, 1)
        ),
        ["trained on", f"{report.voxels / 1e6:.1f} Mvoxels"],
        *([f"time for {name}", f"{seconds:.0f} s"] for name, seconds in report.seconds.items()),
    ]
    regions = [[escape(region.source), escape(f"{region.start} to {region.stop}")] for region in report.regions]
    plots = {
        "Boundary voxels: precision against recall, out of fold": _precision_recall(report),
        "What the pixel classifier splits by": _importances(report),
        "Agglomeration: VI against the threshold of the last round, out of fold": _thresholds(report),
        "Grayscale, boundary probability, segmentation and ground truth; both results are out of fold": slices,
    }
    quiet = f"preset {escape(report.preset)}, seed {report.seed}<br>model {digest}"
    return document(
        f"Model {digest[:12]}",
        quiet,
        [
            section(
                "Figures, out of fold", table("Nothing is scored by what it was trained on", ["figure", "value"], rows)
            ),
            section("Trained on", table("Voxels, Z Y X", ["source", "box"], regions)),
            section("Plots", "".join(picture(caption, png) for caption, png in plots.items())),
        ],
    )


def _precision_recall(report: TrainingReport) -> bytes:
    figure = _figure()
    axes = figure.subplots()
    for number, each in enumerate(report.passes, 1):
        axes.plot(each.recall, each.precision, label=f"pass {number} (average precision {each.average_precision:.3f})")
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    axes.legend()
    return _png(figure)


def _importances(report: TrainingReport) -> bytes:
    figure = _figure(width=9 if len(report.passes) > 1 else 6)
    for axes, each in zip(figure.subplots(1, len(report.passes), squeeze=False)[0], report.passes, strict=True):
        first = _largest(each.importances)
        axes.barh(list(first)[::-1], list(first.values())[::-1])
        axes.set(xlabel="share of splits")
        axes.tick_params(axis="y", labelsize=7)
    return _png(figure)


def _thresholds(report: TrainingReport) -> bytes:
    figure = _figure()
    axes = figure.subplots()
    x = [point.threshold for point in report.curve]
    split, merge = [p.vi_split for p in report.curve], [p.vi_merge for p in report.curve]
    axes.plot(x, split, label="VI split")
    axes.plot(x, merge, label="VI merge")
    axes.plot(x, [a + b for a, b in zip(split, merge, strict=True)], label="VI", color="black")
    axes.axvline(report.threshold, color="gray", linestyle="--", label="threshold of the model")
    axes.set(xlabel="threshold", ylabel="bits", ylim=(0, None))
    axes.legend()
    return _png(figure)


def _largest(importances: Mapping[str, float]) -> dict[str, float]:
    ordered = sorted(importances.items(), key=lambda item: (-item[1], item[0]))
    return dict(ordered[:SHOWN_FEATURES])


def _figure(width: float = 6) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, 3.6), layout="constrained")


def _png(figure: Figure) -> bytes:
    out = BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()
