"""Phases are declared in one place: what a run does, shows and keeps follows from the declarations."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import emseg
from emseg import phases as registry
from emseg.phases import ORDER, catalogue, phase_named, phases, phases_of, stages
from emseg.phases.artefact import LabelArtefact, TableArtefact
from emseg.phases.declaration import Phase

PROJECT = Path(emseg.__file__).parents[2]

CENSUS = '''
"""Phase `census`, which a test adds: how many supervoxels each subvolume has."""

from emseg.phases.declaration import Phase
from emseg.phases.stages import Stage

CENSUS = Stage("census", "Count the supervoxels of every subvolume")


class Census(Phase):
    name = "census"
    stage = CENSUS
    follows = "match"

    def reads(self, spec):
        return {}

    def items(self, run):
        return tuple(run.grid.subvolume(number).name for number in run.cells)

    def prepare(self, run):
        return Counting(run)


class Counting:
    def __init__(self, run):
        self.run = run

    def __call__(self, item):
        from emseg.phases.match.artefacts import SUPERVOXELS

        matched = self.run.folder("match")
        (marker,) = matched.item_markers([item])
        count = SUPERVOXELS.read(matched, marker).num_rows
        return self.run.folder("census").commit_item(item, [], {"supervoxels": count})


PHASE = Census()
'''

USED = """
import json, sys
from pathlib import Path
import numpy as np
from emseg.config.dataset import Segmentation
from emseg.config.stitching import Stitching
from emseg.engine.items import InProcess
from emseg.phases import phase_named, phases, stages
from emseg.phases.keys import code_versions
from emseg.store import FolderStore
from emseg.tasks.local import bodies_of, run_on_array
from emseg.tasks.jobs import run_stage
from emseg.tasks.plan import plan_run

gray = np.random.default_rng(0).integers(0, 255, (64, 64, 128)).astype(np.uint8)
cut = Segmentation(core_vox=(64, 64, 64), halo_vox=(20, 20, 20))
run = run_on_array(gray, cut, Stitching(), FolderStore(Path(sys.argv[1])))
bodies_of(run)
report = run_stage("census", run, InProcess()).report
plan = plan_run(run)

from emseg_airflow import segmentation_dag
dag = segmentation_dag("volume", ["demo"], ["classical"])
job = dag.get_task("census")
print(json.dumps({
    "versions": sorted(code_versions()),
    "key": run.keys["census"],
    "followed": run.keys["match"],
    "report": [(p.phase, p.items_done) for p in report.phases],
    "counted": [m.statistics["supervoxels"] for m in run.folder("census").manifest()],
    "plan": plan.markdown(),
    "line": phase_named("census").line,
    "tasks": [task.task_id for task in dag.topological_sort()],
    "job": [job.stage, job.doc_md, job.pool],
}))
"""


def test_a_phase_is_added_by_one_new_file_and_one_line(tmp_path: Path) -> None:
    """Kills a list of phases that somebody keeps by hand: in keys, plan, reports, summary, jobs or DAG."""
    copy = Path(shutil.copytree(PROJECT / "include", tmp_path / "include", ignore=shutil.ignore_patterns("*.pyc")))
    (copy / "emseg" / "phases" / "census.py").write_text(CENSUS)
    listed = copy / "emseg" / "phases" / "__init__.py"
    listed.write_text(listed.read_text().replace('"evaluate")', '"evaluate", "census")'))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(copy), str(PROJECT / "plugins")])}
    command = [sys.executable, "-c", USED, str(tmp_path / "store")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["versions"] == sorted([*ORDER, "census"])
    assert re.fullmatch("[0-9a-f]{32}", said["key"])
    assert said["key"] != said["followed"]
    assert said["report"] == [["census", 2]]
    assert all(count > 0 for count in said["counted"])
    assert "| census | 2 | 2 | 0 |" in said["plan"]
    assert said["line"] == "census"
    assert said["tasks"] == ["pin", "plan", "unless_dry_run", *stage_names(), "census", "gate", "approve", "publish"]
    stage, documented, pool = said["job"]
    assert stage == "census"
    assert "count the supervoxels of every subvolume" in documented
    assert pool == "dvid_read"


def stage_names() -> list[str]:
    return [stage.name for stage in stages()]


def test_each_phase_is_declared_where_its_name_says() -> None:
    """A newcomer looks for the phase `match` in `phases/match`."""
    for phase in phases():
        assert type(phase).__module__ == f"emseg.phases.{phase.name}"
        assert phase.__doc__
        assert phase in phases_of(phase.stage.name)
        assert phase_named(phase.name) is phase


def test_stages_are_the_spark_jobs_in_the_order_of_their_phases() -> None:
    assert stage_names() == ["segment", "stitch", "evaluate"]
    assert [phase.name for phase in phases_of("stitch")] == ["match", "resolve", "write"]
    assert [phase.name for phase in phases() if phase.writes_dvid] == ["write"]


def test_artefacts_have_one_name_in_their_phase_and_say_what_they_hold() -> None:
    """The catalogue: name, codec and columns of all that a run leaves in the object store."""
    names = [(phase, artefact.name) for phase, artefact in catalogue()]
    assert len(set(names)) == len(names) > 8
    for _, artefact in catalogue():
        assert artefact.holds
        assert isinstance(artefact, LabelArtefact | TableArtefact)
        if isinstance(artefact, TableArtefact):
            assert artefact.schema.names


class Wrong(Phase):
    name = "evaluate"
    stage = phases()[0].stage
    follows = "nothing"

    def reads(self, _):
        return {}

    def items(self, _):
        return ()

    def prepare(self, _):
        raise NotImplementedError


class Apart(Wrong):
    follows = "write"


@pytest.mark.parametrize("last", [Wrong(), Apart()], ids=["follows what is not there", "its stage has run already"])
def test_a_list_that_contradicts_the_declarations_is_refused(last: Phase) -> None:
    """Kills an order in which a phase runs before its input is there."""
    with pytest.raises(TypeError):
        registry._check((*phases()[:-1], last))


def test_the_contract_between_phases_is_their_order() -> None:
    """Kills a list in pyproject.toml that forgets a phase, and so lets it read what comes after it."""
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (each["layers"] for each in contracts if each.get("containers") == ["emseg.phases"])
    assert layers == [*reversed(ORDER)]
