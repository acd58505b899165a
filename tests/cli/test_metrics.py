"""`emseg metrics` tells everything that `gate.figures` may name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from emseg.evaluate import OPTIONAL_FIGURES


def test_figures_of_emseg_and_of_allowed_packages_are_listed(example_package):
    """Kills a list of emseg's own alone, and one that leaves out what a figure needs or which way is better."""
    command = [Path(sys.executable).with_name("emseg"), "metrics", "--json"]
    allowed = {"PYTHONPATH": str(example_package), "EMSEG_METRIC_PACKAGES": "emseg-gradient-boundary"}
    done = subprocess.run(command, env={**os.environ, **allowed}, capture_output=True, text=True, check=True)
    found = {row["name"]: row for row in json.loads(done.stdout)}
    assert list(found) == [*OPTIONAL_FIGURES, "fragments_mean", "whole_bodies"]
    assert found["erl_nm"]["needs"] == "volume.groundtruth.skeletons"
    assert found["whole_bodies"] == {
        "name": "whole_bodies",
        "title": "Bodies in one segment, share",
        "unit": "",
        "better": "more",
        "needs": "gate.metrics: [fragments]",
        "package": "emseg-gradient-boundary==1.2.0, version 1",
    }


def test_no_name_is_cut_in_a_narrow_terminal():
    """Kills a table of which nobody can copy a name into a dataset file."""
    command = [Path(sys.executable).with_name("emseg"), "metrics"]
    shown = subprocess.run(command, env={**os.environ, "COLUMNS": "80"}, capture_output=True, text=True, check=True)
    assert {line.split()[0] for line in shown.stdout.splitlines() if line.split()} >= set(OPTIONAL_FIGURES)
