"""The DAG that trains a model on boxes of a dataset in DVID: one task, whose result is named in a dataset file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task
from pydantic import Field

from emseg.config import RunParameters, datasets_folder, load_dataset
from emseg.config.base import Name, NodeReference, Record, validated
from emseg.geometry import Box
from emseg_airflow.connections import services
from emseg_airflow.form import form_params
from emseg_airflow.notifier import EmsegNotifier
from emseg_airflow.pipeline import JOB_TIMEOUT, READ_POOL
from emseg_airflow.retries import default_args

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "training.md"

log = logging.getLogger(__name__)


class TrainingParameters(Record):
    """What a run of the DAG may choose. The task checks it again: callers of the API do not see the form."""

    dataset: Name
    node: NodeReference | None = None
    boxes: tuple[tuple[int, int, int, int, int, int], ...] = Field(min_length=1, max_length=1000)
    preset: Name = "default"
    seed: int = Field(default=0, ge=0)


def training_dag(dag_id: str, datasets: Sequence[str], presets: Sequence[str]) -> DAG:
    """The DAG `dag_id`; its form asks for a dataset, boxes with complete ground truth, a preset and a seed."""
    notifier = EmsegNotifier()
    with DAG(
        dag_id,
        description="Ground truth in DVID to a model of the trained steps",
        doc_md=GUIDE.read_text(encoding="utf-8"),
        schedule=None,
        catchup=False,
        max_active_runs=1,
        tags=["emseg", "training"],
        params=training_params(datasets, presets),
        on_failure_callback=notifier,
        default_args=default_args(1, JOB_TIMEOUT, notifier),
    ) as dag:
        train_model.override(pool=READ_POOL)()
    return dag


def training_params(datasets: Sequence[str], presets: Sequence[str]) -> dict[str, Param]:
    """The form; Airflow refuses bad values before a run exists."""
    corner = {"type": "integer"}
    box = {"type": "array", "items": corner, "minItems": 6, "maxItems": 6}
    return {
        "dataset": Param(
            type="string", enum=list(datasets), title="Dataset", description="Dataset file under include/datasets"
        ),
        "node": form_params(datasets, presets)["node"],
        "boxes": Param(
            type="array",
            items=box,
            minItems=1,
            title="Boxes",
            description="Where the ground truth is complete: a list of [Z0, Y0, X0, Z1, Y1, X1], voxels, half-open",
        ),
        "preset": Param(
            "default", type="string", enum=list(presets), title="Preset", description="What the model is for"
        ),
        "seed": Param(0, type="integer", minimum=0, title="Seed", description="Same seed and data: same model"),
    }


@task(task_id="train")
def train_model() -> dict[str, Any]:
    """Train on the boxes, keep model and report in the store; the value is the digest to name in a dataset file."""
    from emseg.tasks.train import train_in_store

    params = validated(TrainingParameters, dict(get_current_context()["params"]), "checking the parameters", "train")
    chosen = RunParameters(dataset=params.dataset, node=params.node)
    dataset = chosen.applied_to(load_dataset(datasets_folder(), chosen.dataset))
    boxes = [Box((z0, y0, x0), (z1, y1, x1)) for z0, y0, x0, z1, y1, x1 in params.boxes]
    trained, report = train_in_store(dataset, boxes, params.preset, params.seed, services(), log.info)
    log.info("Model %s, report %s", trained.model.digest, report)
    return {"model": trained.model.digest, "report": report, "figures": trained.report.figures}
