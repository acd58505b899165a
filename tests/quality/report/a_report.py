"""A report in which every part has something to tell, and no two numbers are alike."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from emseg.config.dataset import Publication
from emseg.geometry import Box, Grid
from emseg.quality import ImageFinding, QualityReport
from emseg.quality.report.document import (
    ChangedBody,
    Images,
    Interval,
    JoinAccuracy,
    Joins,
    ParkedJoin,
    Place,
    PlacePicture,
    ReportBody,
    ReportFigure,
    ReportSubvolume,
    Trend,
    TrendPoint,
    Waiting,
)
from emseg.quality.report.maps import subvolume_maps

GRID = Grid(Box((0, 0, 0), (128, 192, 256)), (64, 64, 64), (8, 8, 8))
START = datetime(2031, 4, 16, 17, 28, tzinfo=UTC)


def between(low: float) -> Interval:
    return Interval(low=low, high=low + 0.0137)


def figure(metric: str, value: float | None, **changes: Any) -> ReportFigure:
    given = {"scope": "volume", "subject": "demo", "title": metric.upper(), "unit": "bits", "limit": 1.8642}
    return ReportFigure(**{**given, "metric": metric, "value": value, "kept": value is not None, **changes})


FIGURES = (
    figure(
        "vi", 1.2345, interval=between(1.1739), served=1.3571, served_interval=between(1.2987), worsening=-0.1226,
        worsening_interval=between(-0.1479), limit=None,
    ),
    figure("largest", 0.4711, unit="", direction="min"),
    figure("unmeasured", None, unit=""),
    figure("bodies", 1234.5, scope="everywhere", limit=None),
    figure("change_vi", -0.0823, scope="change", subject="release 7", limit=0.0533),
)  # fmt: skip


def trend(count: int = 3) -> Trend:
    points = [
        TrendPoint(
            time=START + timedelta(days=i), run=f"run-{i}", passed=i != 1, value=1.3 + i / 17, interval=between(1.28)
        )
        for i in range(count)
    ]
    return Trend(metric="vi", title="VI", unit="bits", points=tuple(points))


def place(kind: str, body: int, **changes: Any) -> Place:
    box = {"start_vox": (31, 17, 19), "stop_vox": (32, 273, 275), "bar_nm": 500.0}
    given = {"kind": kind, "body": body, "voxels": 1_234_567, "volume_um3": 0.8765, "bits": 0.3719, "partners": 13}
    given |= {"position_vox": (31, 145, 147), "picture": PlacePicture(path=f"pictures/{kind}-{body}.jpg", **box)}
    return Place(**{**given, "link": f"https://viewer/#{kind}-{body}", **changes})


def subvolume(number: int, error: float, change: float) -> ReportSubvolume:
    core = GRID.subvolume(number).core
    return ReportSubvolume(
        name=GRID.subvolume(number).name, start_vox=core.start, stop_vox=core.stop, error=error, change=change
    )


def accuracy(rules: str, right: int) -> JoinAccuracy:
    return JoinAccuracy(
        rules=rules, joins=887, judged=779, right=right, wanted=673, precision=right / 779, recall=right / 673
    )


def a_report(**changes: Any) -> QualityReport:
    """The report, with other fields."""
    rng = np.random.default_rng(3)
    items = [GRID.subvolume(i).name for i in range(GRID.shape.product)]
    given = {
        "dataset": "demo", "run": "run-2", "fingerprint": "3f" * 16, "time": START, "passed": True,
        "notes": ("Against release 7, VI is 0.1226 bits better",), "served_release": 7, "subvolumes": 24,
        "subvolumes_missing_limit": 5, "left_out_voxels": 7_654_321, "figures": FIGURES, "trends": (trend(),),
        "maps": subvolume_maps(rng.random(len(items)), rng.random(len(items)) - 0.5, items, GRID),
        "worst_subvolumes": (subvolume(9, 0.2718, -0.0417),), "changed_subvolumes": (subvolume(11, 0.1618, 0.0577),),
        "places": (place("cut", 987654321), place("joining", 4), place("cut", 6, picture=None)),
        "largest": (ReportBody(body=77, voxels=88_991, share=0.1234, position_vox=(101, 102, 103), link="x"),),
        "changed_bodies": (
            ChangedBody(kind="broke", body=8, bits=0.0693, fragments_before=3, fragments_now=14, segment=159),
        ),
        "joins": Joins(overlaps_read=43, overlaps=59, accuracy=(accuracy("this run", 641), accuracy("mode iou", 587))),
        "stitching": {"candidates": 907, "joined": 883, "parked": 37},
        "waiting": Waiting(
            publication=Publication.APPROVAL, parked=37,
            parked_shown=(ParkedJoin(first=21, second=22, shared_vox=4_321, reason="parked: too large", link="x"),),
        ),
        "images": Images(
            voxels=1_000_000, masked_voxels=34_567, quarantined=23, failed=1, found={"missing-section": 29},
            shown=(ImageFinding(subvolume="sv-00000003", finding="failed", text="no room"),),
        ),
        "links": {"3-D view": "https://viewer/#all", "Run folder": "s3://bucket/demo/runs/run-2"},
        "missing": ("The picture of body 6: the server said 503",),
    }  # fmt: skip
    return QualityReport(**{**given, **changes})
