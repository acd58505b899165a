"""Phase `survey`: regions count apart what one process would count at once."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from tests.phases.test_resolve import WITHOUT, matched, resolved, small_regions, without_a_cell
from tests.stitch.test_regions import SHAPE, made

from emseg.engine.items import InProcess
from emseg.phases import phase_named
from emseg.phases.resolve.artefacts import read_mapping
from emseg.phases.survey import regions_counted
from emseg.phases.survey.work import SurveyResult, read_survey
from emseg.stitch import cells_of
from emseg.tasks.jobs import run_phases


def surveyed(folder, seed: int) -> tuple[SurveyResult, object, object]:
    known, said = made(seed)
    known = without_a_cell(known)
    run = matched(folder, known, said, np.empty((0, 2), np.uint64))
    resolved(run)
    run.folder("write").commit_phase([], {})
    run_phases("evaluate", (phase_named("survey"),), run, InProcess())
    return read_survey(run), run, known


def test_regions_count_what_the_whole_counts_and_what_pandas_counts(tmp_path, monkeypatch):
    """Kills a body that is counted in each of its regions, an end at a border of two regions, and voxels lost there."""
    whole, run, known = surveyed(tmp_path / "whole", 3)
    assert len(regions_counted(run)) == 1
    small_regions(monkeypatch)
    found, run, _ = surveyed(tmp_path / "regions", 3)
    assert len(regions_counted(run)) == 20
    assert asdict(found.survey) == pytest.approx(asdict(whole.survey), rel=1e-12)
    assert np.array_equal(found.largest, whole.largest)
    assert np.array_equal(found.largest_vox, whole.largest_vox)
    some = known.supervoxels
    frame = pd.DataFrame({"body": read_mapping(run).body_of(some.supervoxel), "voxels": some.voxels})
    bodies = frame.groupby("body").voxels.sum()
    assert (found.survey.bodies, found.survey.voxels) == (len(bodies), int(bodies.sum()))
    assert found.largest_vox.tolist() == bodies.sort_values(ascending=False).head(100).tolist()
    assert found.survey.seams_met > 0
    core = 64**3
    assert (found.survey.core_vox, found.survey.failed_vox) == (SHAPE.product * core, core)
    assert WITHOUT not in cells_of(some.supervoxel)
