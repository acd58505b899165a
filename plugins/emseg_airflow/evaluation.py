"""The DAG that compares any two labelmaps: `pin` checks them, a Spark job counts, `score` keeps figures and places."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from uuid import uuid4

from airflow.sdk import DAG, Param, get_current_context, task

from emseg.config.base import EVALUATIONS, validated
from emseg.config.evaluation import EvaluationParameters, EvaluationSpec
from emseg_airflow.connections import services
from emseg_airflow.form import params_of
from emseg_airflow.notifier import EmsegNotifier
from emseg_airflow.pipeline import JOB_TIMEOUT, READ_POOL, RETRIES, TASK_TIMEOUT
from emseg_airflow.reference import PIN, RunReference
from emseg_airflow.retries import default_args
from emseg_airflow.spark_submit import EmsegSparkSubmitOperator

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "evaluation.md"

log = logging.getLogger(__name__)


def evaluation_dag(dag_id: str) -> DAG:
    """The DAG `dag_id`; its form asks for two labelmaps, a region, and what of it counts."""
    notifier = EmsegNotifier()
    with DAG(
        dag_id,
        description="Any two segmentations in DVID compared",
        doc_md=GUIDE.read_text(encoding="utf-8"),
        schedule=None,
        catchup=False,
        max_active_runs=4,
        tags=["emseg", "evaluation"],
        params=evaluation_params(),
        on_failure_callback=notifier,
        default_args=default_args(RETRIES, TASK_TIMEOUT, notifier),
    ) as dag:
        pin_labelmaps() >> evaluate_job() >> score.override(pool=READ_POOL)()
    return dag


def evaluate_job() -> EmsegSparkSubmitOperator:
    """The task that counts two labelmaps, which the task before it has pinned."""
    return EmsegSparkSubmitOperator(
        task_id="evaluate",
        stage="evaluate",
        pool=READ_POOL,
        execution_timeout=JOB_TIMEOUT,
        doc_md="Spark job: counts every subvolume that has no marker, as the stage of this name does in any run.",
    )


def evaluation_params() -> dict[str, Param]:
    """The form; Airflow refuses bad values before a run exists."""
    params = params_of(EvaluationParameters, "all that both have")
    params["leave_out"].schema["items"] = {"type": "array", "items": {"type": "integer"}, "minItems": 6, "maxItems": 6}
    return params


@task(task_id=PIN)
def pin_labelmaps() -> dict[str, str]:
    """Check both labelmaps and the region, pin every reference, and keep the result; nothing is written to DVID."""
    from emseg.tasks.evaluation import pin_evaluation
    from emseg.tasks.run_folder import RunFolder, run_name

    context = get_current_context()
    run = run_name(context["run_id"])
    parameters = validated(EvaluationParameters, dict(context["params"]), "checking the form", run)
    opened = services()
    spec = pin_evaluation(parameters, opened.server)
    RunFolder(opened.store, EVALUATIONS, run).write("evaluation", spec)
    log.info("%s against %s, voxels %s to %s", spec.segmentation, spec.groundtruth, spec.start, spec.stop)
    return RunReference(dataset=EVALUATIONS, run=run).model_dump()


@task(task_id="score")
def score() -> dict[str, Any]:
    """Make the figures of the tables, find the worst places, and keep all of it as `scores.json` of the run."""
    from emseg.tasks.evaluation import scored
    from emseg.tasks.evaluation.job import context_of
    from emseg.tasks.run_folder import RunFolder

    reference, opened = RunReference.of(get_current_context()), services()
    folder = RunFolder(opened.store, reference.dataset, reference.run)
    spec = folder.read("evaluation", EvaluationSpec)
    scores = scored(context_of(spec, uuid4().hex[:12], lambda: opened), spec)
    folder.write("scores", scores)
    figures = [f"{name}: {value:.6g}" for name, value in scores.figures.items()]
    places = [f"{place.text}: {place.link}" for place in scores.places]
    log.info("%s", "\n".join([scores.compared, *figures, *places, f"All of it: {folder.address('scores.json')}"]))
    return {"figures": scores.figures, "scores": folder.address("scores.json"), "link": scores.link}
