"""Whoever may start a run can neither loosen its gate, nor publish what it refuses, nor reach another volume."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.config import Dataset, RunParameters
from emseg.config.base import validated
from emseg.config.stitching import StitchMode
from emseg.dvid import DvidServer, Node, create_repo
from emseg.errors import PermanentError
from emseg.ingest import ingest_grayscale
from emseg.ingest.arrays import ArrayVolume
from emseg.tasks.pin import pin_run

DATASET = Dataset.model_validate(
    {
        "name": "demo",
        "description": "d",
        "volume": {"node": "abcd", "groundtruth": {"instance": "groundtruth"}},
        "gate": {"vi_merge_max": 0.1},
        "limits": {"max_failed_share": 0},
    }
)
CHOICES = st.fixed_dictionaries(
    {"dataset": st.just("demo")},
    optional={
        "dry_run": st.booleans(),
        "node": st.just("ffff:master"),
        "roi": st.just("tissue"),
        "preset": st.sampled_from(["classical", "default"]),
        "model": st.just("a" * 64),
        "stitch": st.sampled_from([mode.value for mode in StitchMode]),
        "core_vox": st.just([128, 128, 128]),
        "halo_vox": st.just([32, 32, 32]),
    },
)


@pytest.mark.parametrize(
    "key",
    [
        "gate", "limits", "max_failed_share", "groundtruth", "volume", "output", "instance", "publish", "force",
        "verdict", "edits", "checks", "stitching", "segmentation", "pipeline", "isolation", "schedule", "name",
        "run", "bucket", "endpoint_url", "url", "token", "__class__", "gx_batch_parameters", "gate.vi_merge_max",
    ],
)  # fmt: skip
def test_a_key_that_is_no_run_parameter_is_refused(key):
    """Kills taking what the REST API adds to the form: Airflow hands unknown keys of `conf` on to the tasks."""
    with refused(PermanentError, key):
        validated(RunParameters, {"dataset": "demo", key: {"vi_merge_max": 99}}, "checking", "run")


@given(CHOICES)
def test_no_choice_of_a_run_changes_what_its_result_is_judged_by(choices: dict[str, Any]):
    """Kills a parameter through which a limit, the ground truth or the output could be reached."""
    chosen = RunParameters.model_validate(choices).applied_to(DATASET)
    for section in ("name", "gate", "limits", "output"):
        assert getattr(chosen, section) == getattr(DATASET, section)
    assert chosen.volume.groundtruth == DATASET.volume.groundtruth
    assert chosen.segmentation.checks == DATASET.segmentation.checks
    assert chosen.stitching.constraints == DATASET.stitching.constraints


@pytest.mark.services
def test_a_run_cannot_take_the_volume_of_another_repository(volume, server: DvidServer, dataset_files):
    """Kills publishing an easy volume under the name of a hard one."""
    node = Node(server, create_repo(server, "tests", "an easy volume"))
    ingest_grayscale(node, "grayscale", ArrayVolume(volume.grayscale[:64, :64, :64], "g"), (10.0, 10.0, 10.0))
    node.commit("easy")
    with refused(PermanentError, f"node = {node.uuid}", volume.node):
        pin_run(RunParameters(dataset="demo", node=node.uuid), "run-1", dataset_files, server)
    assert pin_run(RunParameters(dataset="demo", node=volume.node), "run-1", dataset_files, server).dataset == "demo"
