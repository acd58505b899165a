"""The DAG `train_model` for real, and a run with the model that it made: judged only where the model did not learn."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from tests.refusals import refused
from tests.running import after

from emseg.config import RunParameters
from emseg.errors import PermanentError
from emseg.phases.evaluate.work import read_evaluation
from emseg.phases.models import load_model, model_digests
from emseg.phases.run_context import RunContext
from emseg.segment.model import dvid_source
from emseg.tasks.pin import pin_run
from emseg.tasks.plan import plan_run

pytestmark = [pytest.mark.services, pytest.mark.airflow]

BOX = ((0, 0, 0), (64, 112, 128))
TRAINING_TIMEOUT_S = 300


def test_a_model_is_trained_by_the_dag_and_never_scored_on_what_it_has_seen(
    airflow, services, dataset_files, volume, server
):
    """Kills a model that only its own process can use, and a score on the voxels that it learned by heart."""
    airflow.api.unpause("train_model")
    boxes = [[*BOX[0], *BOX[1]]]
    run_id = airflow.api.trigger("train_model", {"dataset": "trained", "boxes": boxes, "preset": "default", "seed": 5})
    deadline = time.monotonic() + TRAINING_TIMEOUT_S
    while (state := airflow.api.run_state("train_model", run_id)) not in {"success", "failed"}:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    (task,) = airflow.api.task_states("train_model", run_id)
    log = airflow.api.task_log("train_model", run_id, task)
    assert state == "success", log[-3000:]
    (digest,) = (d for d in model_digests(services.store) if f"Model {d}" in log)
    description = load_model(services.store, digest).description
    region = description.training.regions[0]
    assert (region.start, region.stop) == BOX
    assert description.training.figures["vi_split"] < 2
    assert services.store.exists(f"model-reports/{digest}/report.html")

    parameters = RunParameters(dataset="trained", preset="default", model=digest, core_vox=(128, 128, 128))
    spec = pin_run(parameters, "with-model", dataset_files, server, services.model)
    assert region.source == dvid_source(spec.volume.root, "grayscale")
    assert [(box.start, box.stop) for box in spec.groundtruth.excluded] == [BOX]
    run = RunContext(spec, "one", lambda: services)
    after(run, "segment", "stitch", "evaluate")
    evaluation = read_evaluation(run)
    unseen = volume.groundtruth.copy()
    unseen[tuple(slice(a, b) for a, b in zip(*BOX, strict=True))] = 0
    assert evaluation.whole.count.sum() == np.count_nonzero(unseen)
    assert evaluation.left_out == np.count_nonzero(volume.groundtruth) - np.count_nonzero(unseen)
    assert "0.9 trained on, not scored" in plan_run(run).markdown()
    assert evaluation.score.vi_split + evaluation.score.vi_merge < 1


@pytest.mark.parametrize(
    ("choices", "found"),
    [
        ({"preset": "default"}, ["pixel-classifier", "segmentation.model"]),
        ({"preset": "best", "model": "0" * 64}, [f"models/{'0' * 64}"]),
    ],
)
def test_a_run_without_its_model_is_refused_before_anything_is_submitted(
    services, dataset_files, server, volume, choices, found
):
    with refused(PermanentError, *found):
        pin_run(RunParameters(dataset="trained", **choices), "none", dataset_files, server, services.model)


def test_steps_that_need_more_memory_than_a_task_may_have_are_refused(
    services, dataset_files, server, volume, tmp_path
):
    """Kills cores so large that every executor dies of them."""
    text = (dataset_files / "trained.yaml").read_text()
    (tmp_path / "trained.yaml").write_text(text + "limits: {max_task_memory_mb: 10}\n")
    with refused(PermanentError, "limits.max_task_memory_mb = 10") as caught:
        pin_run(RunParameters(dataset="trained"), "large", tmp_path, server, services.model)
    assert int(re.search(r"([0-9]+) MiB", caught.value.found)[1]) > 10
