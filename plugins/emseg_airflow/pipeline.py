"""The DAG: pin, plan, a Spark job for each stage, gate, approve, publish. One factory for all datasets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, chain

from emseg.phases import phases_of, stages
from emseg.phases.stages import Stage
from emseg_airflow import tasks
from emseg_airflow.approval import approve
from emseg_airflow.form import form_params
from emseg_airflow.late import deadlines
from emseg_airflow.notifier import EmsegNotifier
from emseg_airflow.retries import default_args
from emseg_airflow.spark_submit import EmsegSparkSubmitOperator

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"

RETRIES = 3
TASK_TIMEOUT = timedelta(hours=2)
JOB_TIMEOUT = timedelta(days=2)

MAX_ACTIVE_RUNS = 16
"""A run that waits for a person's approval must not hold the others. Jobs of one dataset wait for each other, because
each takes the lease of the dataset (`emseg/tasks/one_run.py`); those of different datasets run at the same time."""

READ_POOL = "dvid_read"
WRITE_POOL = "dvid_write"
"""Pools of the deployment: how many tasks may read from, and write to, DVID at a time over all runs."""


def segmentation_dag(
    dag_id: str,
    datasets: Sequence[str],
    presets: Sequence[str],
    schedule: str | None = None,
) -> DAG:
    """The DAG `dag_id`; with a schedule it runs the one dataset given, without one the form asks which."""
    notifier = EmsegNotifier()
    with DAG(
        dag_id,
        description="Grayscale in DVID to judged and published neurons",
        doc_md=RUNBOOK.read_text(encoding="utf-8"),
        schedule=schedule,
        catchup=False,
        max_active_runs=MAX_ACTIVE_RUNS,
        tags=["emseg", "segmentation", *(datasets if schedule else [])],
        params=form_params(datasets, presets, fixed=datasets[0] if schedule else None),
        on_failure_callback=notifier,
        deadline=deadlines(datasets, fixed=datasets[0] if schedule else None),
        default_args=default_args(RETRIES, TASK_TIMEOUT, notifier),
    ) as dag:
        chain(
            tasks.pin(),
            tasks.plan(),
            tasks.unless_dry_run(),
            *(_job(stage) for stage in stages()),
            tasks.gate(),
            approve(),
            tasks.publish.override(pool=WRITE_POOL)(),
        )
    return dag


def _job(stage: Stage) -> EmsegSparkSubmitOperator:
    phases = phases_of(stage.name)
    names = ", ".join(phase.name for phase in phases)
    return EmsegSparkSubmitOperator(
        task_id=stage.name,
        stage=stage.name,
        pool=WRITE_POOL if any(phase.writes_dvid for phase in phases) else READ_POOL,
        execution_timeout=JOB_TIMEOUT,
        doc_md=f"Spark job: {stage.summary[0].lower()}{stage.summary[1:]}. Its phases: {names}.",
    )
