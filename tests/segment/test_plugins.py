"""The example package of the documentation, installed for real: listed, conforming, allowed or not, run on Spark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.conftest import EXAMPLE
from tests.refusals import refused
from tests.running import spark_job
from tests.segment.conftest import allowed

from emseg.config import RunParameters
from emseg.config.pipeline import StepConfig
from emseg.engine.report import StageReport
from emseg.errors import PermanentError
from emseg.phases.services import DvidServices
from emseg.segment import Setting, StepKind, registry, step_class, step_names
from emseg.segment.registry import make_step, package_of
from emseg.store import S3Store
from emseg.tasks.pin import pin_run
from emseg.tasks.run_folder import RunFolder

NAME = "emseg-gradient-boundary"
PROJECT = Path(__file__).parents[2]


def environment(site: Path, packages: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(site), registry.ALLOWED: packages, "COLUMNS": "200"}


def emseg(site: Path, packages: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("emseg"), *words]
    return subprocess.run(command, env=environment(site, packages), capture_output=True, text=True, check=False)


def test_an_allowed_package_shows_its_step_with_parameters_and_version(example_package):
    """Kills a list of built-in steps only, and parameters without limits or meaning."""
    shown = emseg(example_package, "Emseg_Gradient.Boundary", "steps", "predict").stdout
    for expected in ("gradient-boundary", f"{NAME}==1.2.0", "sigma_nm", "from 4, to 100", "Gaussian smoothing, nm"):
        assert expected in shown


def test_a_package_that_is_not_allowed_is_not_even_imported(example_package, tmp_path):
    """Kills an installed package that enters runs by itself."""
    canary = tmp_path / "imported"
    module = example_package / "emseg_gradient_boundary.py"
    text = module.read_text()
    try:
        module.write_text(f"open({str(canary)!r}, 'w').close()\n{text}")
        done = emseg(example_package, "something-else", "steps")
    finally:
        module.write_text(text)
    assert done.returncode == 0
    assert "gradient-boundary" not in done.stdout
    assert not canary.exists()


def test_a_step_whose_package_is_not_allowed_is_refused_with_what_to_allow(example_package, monkeypatch):
    """Kills a refusal that leaves the operator to guess which package has the step."""
    values = ("gradient-boundary", registry.ALLOWED, "something-else", NAME)
    with allowed(example_package, "something-else", monkeypatch), refused(PermanentError, *values):
        step_class(StepKind.PREDICT, "gradient-boundary")
    assert "emseg_gradient_boundary" not in sys.modules


def test_machines_are_told_what_people_are(example_package):
    """Kills a table in place of JSON, and presets that only people are shown."""
    shown = json.loads(emseg(example_package, NAME, "steps", "predict", "--json").stdout)
    steps = {step["name"]: step for step in shown}
    assert steps["gradient-boundary"]["package"] == f"{NAME}==1.2.0"
    assert steps["gradient-boundary"]["halo_vox"] == [7, 7, 7]
    assert steps["inverted-grayscale"]["presets"] == ["classical"]
    assert steps["gradient-boundary"]["presets"] == []


def test_the_packages_own_tests_pass(example_package):
    """Kills a conformance kit that an author cannot use, and an example that does not conform."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        os.devnull,
        "--rootdir",
        str(EXAMPLE),
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, str(EXAMPLE)], env=environment(example_package, ""), capture_output=True, text=True, check=False
    )
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_pinned_step_says_which_version_of_the_package(example_package, monkeypatch):
    """Kills a stage key that a new release of a package does not change."""
    with allowed(example_package, NAME, monkeypatch):
        assert "gradient-boundary" in step_names(StepKind.PREDICT)
        assert package_of(StepKind.PREDICT, "gradient-boundary") == f"{NAME}==1.2.0"
        step = make_step(StepKind.PREDICT, StepConfig(name="gradient-boundary"), Setting((10, 10, 10)))
        assert step.halo_vox == (7, 7, 7)


COMPLETE = """
from emseg.config.base import Record
from emseg.segment.protocol import PredictStep, Step as Base

class Needed(Record):
    width: int

class Step(PredictStep):
    name = 'complete'
    version = 1
    bytes_per_voxel = 8
    Parameters = Record
    halo_vox = (0, 0, 0)

    def predict(self, gray, mask):
        return gray / 255
"""


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("raise ImportError('no such driver')", ("ImportError: no such driver",)),
        ("Step = int", ("emseg.segment.protocol",)),
        ("from emseg.segment.steps.dt_watershed import DtWatershed as Step", ("supervoxels step dt-watershed",)),
        (
            "from emseg.segment.steps.dt_watershed import DtWatershed\nclass Step(DtWatershed): name = 'Über/../x'",
            ("name", "Über/../x"),
        ),
        ("import sys\nsys.exit('no licence')", ("SystemExit: no licence",)),
        (COMPLETE.replace("version", "release"), ("version", "None")),
        (COMPLETE.replace("Parameters = Record", "settings = Record"), ("Parameters", "None")),
        (COMPLETE.replace("Parameters = Record", "Parameters = Needed"), ("parameter width",)),
        (COMPLETE.replace("(PredictStep)", "(Base)"), ("MaskStep", "PredictStep", "SegmentStep")),
        (COMPLETE.replace("'complete'", "5"), ("name", 5)),
    ],
)
def test_a_package_that_cannot_be_used_is_named_with_the_reason(tmp_path, monkeypatch, text, values):
    """Kills a traceback of somebody else's package, and a plugin that takes the place of a step of emseg."""
    info = tmp_path / "bad-0.1.dist-info"
    info.mkdir()
    (tmp_path / "bad_steps.py").write_text(text)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[emseg.steps]\nstep = bad_steps:Step\n")
    monkeypatch.delitem(sys.modules, "bad_steps", raising=False)
    with allowed(tmp_path, "bad", monkeypatch):
        with refused(PermanentError, "bad==0.1", "entry point step", *values):
            step_class(StepKind.PREDICT, "whatever")
        assert step_class(StepKind.SUPERVOXELS, "dt-watershed")
    sys.modules.pop("bad_steps", None)


@pytest.mark.services
@pytest.mark.spark
def test_the_installed_step_runs_in_a_spark_job(example_package, devstack, volume, server, tmp_path, monkeypatch):
    """Kills plugins that only the planner knows: the Python workers of Spark must find the package too."""
    document = {
        "name": "plugin",
        "description": "a step of an installed package",
        "volume": {"node": volume.node, "groundtruth": {"instance": "groundtruth"}},
        "segmentation": {
            "core_vox": [128, 192, 192],
            "pipeline": {
                "mask": {"name": "empty-region"},
                "predict": {"name": "gradient-boundary", "isolation": {"timeout_s": 300}},
                "supervoxels": {"name": "dt-watershed"},
                "agglomerate": {"name": "mean-boundary"},
            },
        },
    }
    (tmp_path / "plugin.yaml").write_text(yaml.safe_dump(document))
    services = DvidServices(S3Store.open(devstack.s3), server)
    with allowed(example_package, NAME, monkeypatch):
        spec = pin_run(RunParameters(dataset="plugin"), "on-spark", tmp_path, server)
    run = RunFolder(services.store, spec.dataset, spec.run)
    run.write("spec", spec)
    done = spark_job(
        "segment", spec.dataset, spec.run, {**environment(example_package, NAME), **devstack.environment()}
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert run.read("report-segment", StageReport).items_done == 1
    assert {step.name: step.package for step in spec.segmentation.steps}["gradient-boundary"] == f"{NAME}==1.2.0"


def test_a_step_is_added_by_two_files():
    """The example package is a project file and a module: nothing of emseg changes, and its test is its author's."""
    files = {path.name for path in EXAMPLE.iterdir() if path.is_file() and "fragments" not in path.name}
    assert files - {"test_emseg_gradient_boundary.py"} == {"pyproject.toml", "emseg_gradient_boundary.py"}


def test_the_documentation_shows_the_files_of_the_package():
    """Kills a guide that has fallen behind."""
    guide = (PROJECT / "docs" / "plugins.md").read_text()
    for name in ("pyproject.toml", "emseg_gradient_boundary.py", "test_emseg_gradient_boundary.py"):
        assert (EXAMPLE / name).read_text().strip() in guide
