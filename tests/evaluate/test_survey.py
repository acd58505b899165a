"""Figures of all of the volume, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emseg.config.gate import Everywhere, EverywhereRegression
from emseg.evaluate import SURVEY_FIGURES, Survey

TEN = Survey(
    voxel_um3=0.5,
    bodies=3,
    voxels=10,
    squares=46.0,
    largest_vox=6,
    orphans=1,
    orphan_vox=1,
    seams_met=100,
    seams_ended=12,
    inside_met=200,
    inside_ended=10,
    asked_vox=16,
    core_vox=40,
    failed_vox=4,
    quarantined_vox=10,
    candidates=20,
    parked=5,
)


def test_every_figure_by_hand():
    assert TEN.figures == pytest.approx(
        {
            "bodies": 3,
            "body_size_um3": 2.3,  # (36 + 9 + 1) / 10 voxels of 0.5 um3
            "largest_body_share": 0.6,
            "orphan_share": 0.1,
            "seam_excess": 0.07,
            "unlabelled_share": 6 / 16,
            "failed_share": 0.1,
            "quarantined_share": 0.25,
            "parked_share": 0.25,
        }
    )


def test_a_volume_without_labels_has_figures_too():
    """Kills a division by zero on a run whose steps found nothing."""
    empty = replace(
        TEN, **dict.fromkeys(("bodies", "voxels", "largest_vox", "seams_met", "candidates"), 0), squares=0.0
    )
    assert (empty.figure("largest_body_share"), empty.figure("unlabelled_share")) == (0, 1)


def test_counts_are_compared_by_growth_and_shares_by_difference():
    assert SURVEY_FIGURES["bodies"].worsening(30, 20) == pytest.approx(0.5)
    assert SURVEY_FIGURES["bodies"].worsening(3, 0) == 1
    assert SURVEY_FIGURES["orphan_share"].worsening(0.3, 0.2) == pytest.approx(0.1)


def test_each_figure_has_its_limit_and_its_regression_in_the_dataset_file():
    """Kills a new figure that nobody can set a limit for."""
    assert {f"{name}_max" for name in SURVEY_FIGURES} == {n for n in Everywhere.model_fields if n.endswith("_max")}
    assert list(SURVEY_FIGURES) == list(EverywhereRegression.model_fields)
