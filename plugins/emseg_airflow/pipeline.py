"""The DAG: resolve, plan, (stop of a dry run), segment, stitch, evaluate, gate, publish. One factory for all datasets.

What may be repeated is decided in one place: any error but a `PermanentError` is tried again, and a retry does only
what its markers say is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction, RetryRule, chain

from emseg.errors import PermanentError
from emseg_airflow import tasks
from emseg_airflow.form import form_params
from emseg_airflow.notifier import EmsegNotifier
from emseg_airflow.spark_submit import EmsegSparkSubmitOperator

RUNBOOK = Path(__file__).resolve().parents[2] / "docs" / "runbook.md"

RETRIES = 3
TASK_TIMEOUT = timedelta(hours=2)
JOB_TIMEOUT = timedelta(days=2)
LONGEST_RETRY_DELAY = timedelta(minutes=30)

READ_POOL = "dvid_read"
WRITE_POOL = "dvid_write"
"""Pools of the deployment: how many tasks may read from, and write to, DVID at a time over all runs."""

_JOB_DOCS = {
    "segment": "Spark job: read grayscale from DVID, segment every subvolume, keep labels and overlaps in S3.",
    "stitch": "Spark job: join bodies over the overlaps, then write labels and mappings to the run's own DVID branch.",
    "evaluate": "Spark job: compare the written segmentation with the ground truth and keep all metrics.",
}

NO_RETRY = ExceptionRetryPolicy(
    [RetryRule(PermanentError, RetryAction.FAIL, reason="No repetition can succeed: see the error above")]
)


def segmentation_dag(
    dag_id: str,
    datasets: Sequence[str],
    presets: Sequence[str],
    retry_delay: timedelta,
    schedule: str | None = None,
) -> DAG:
    """The DAG `dag_id`; with a schedule it runs the one dataset given, without one the form asks which."""
    notifier = EmsegNotifier()
    with DAG(
        dag_id,
        description="Grayscale in DVID to judged and published neurons",
        doc_md=RUNBOOK.read_text(),
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        tags=["emseg", "segmentation", *(datasets if schedule else [])],
        params=form_params(datasets, presets, fixed=datasets[0] if schedule else None),
        on_failure_callback=notifier,
        default_args={
            "owner": "emseg",
            "retries": RETRIES,
            "retry_delay": retry_delay,
            "retry_exponential_backoff": 2.0,
            "max_retry_delay": LONGEST_RETRY_DELAY,
            "retry_policy": NO_RETRY,
            "execution_timeout": TASK_TIMEOUT,
            "on_failure_callback": notifier,
        },
    ) as dag:
        chain(
            tasks.resolve(),
            tasks.plan(),
            tasks.unless_dry_run(),
            _job("segment", READ_POOL),
            _job("stitch", WRITE_POOL),
            _job("evaluate", READ_POOL),
            tasks.gate(),
            tasks.publish.override(pool=WRITE_POOL)(),
        )
    return dag


def _job(stage: str, pool: str) -> EmsegSparkSubmitOperator:
    return EmsegSparkSubmitOperator(
        task_id=stage, stage=stage, pool=pool, execution_timeout=JOB_TIMEOUT, doc_md=_JOB_DOCS[stage]
    )
