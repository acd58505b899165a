"""What runs on a worker loads neither the tools of step authors nor training."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["emseg.segment.pipeline", "emseg.segment.isolated_child"])
def test_segmentation_loads_neither_authoring_nor_training(module):
    """Kills an import that re-keys every segmentation when the conformance kit or a training preset changes."""
    script = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name for name in done.stdout.split() if name.startswith(("emseg.authoring", "emseg.training"))}
    assert loaded == set()
    assert "lightgbm" not in done.stdout.split()
