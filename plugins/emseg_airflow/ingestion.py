"""The DAG that brings a large volume into DVID: `pin` looks at the source and shows it, a Spark job writes it."""

from __future__ import annotations

import logging
from pathlib import Path

from airflow.sdk import DAG, Param, get_current_context, task

from emseg.config.base import INGESTIONS, validated
from emseg.config.ingestion import INGEST, IngestParameters
from emseg_airflow.connections import services
from emseg_airflow.form import params_of
from emseg_airflow.notifier import EmsegNotifier
from emseg_airflow.pipeline import JOB_TIMEOUT, RETRIES, TASK_TIMEOUT, WRITE_POOL
from emseg_airflow.reference import PIN, RunReference
from emseg_airflow.retries import default_args
from emseg_airflow.spark_submit import EmsegSparkSubmitOperator

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "datasets.md"

log = logging.getLogger(__name__)


def ingestion_dag(dag_id: str) -> DAG:
    """The DAG `dag_id`; its form asks for a source, an open node of DVID and an instance."""
    notifier = EmsegNotifier()
    with DAG(
        dag_id,
        description="A volume of files, the web or a bucket into DVID",
        doc_md=GUIDE.read_text(),
        schedule=None,
        catchup=False,
        max_active_runs=1,
        tags=["emseg", "ingestion"],
        params=ingestion_params(),
        on_failure_callback=notifier,
        default_args=default_args(RETRIES, TASK_TIMEOUT, notifier),
    ) as dag:
        pin_source() >> EmsegSparkSubmitOperator(
            task_id=INGEST,
            stage=INGEST,
            pool=WRITE_POOL,
            execution_timeout=JOB_TIMEOUT,
            doc_md="Spark job: writes every brick that has no marker, then extents and indices.",
        )
    return dag


def ingestion_params() -> dict[str, Param]:
    """The form; Airflow refuses bad values before a run exists."""
    return params_of(IngestParameters, "as the source says")


@task(task_id=PIN)
def pin_source() -> dict[str, str]:
    """Open the source, show what was found, pin every reference, and keep the result; nothing is written to DVID."""
    from emseg.tasks.ingestion import pin_ingestion
    from emseg.tasks.run_folder import RunFolder, run_name

    context = get_current_context()
    run = run_name(context["run_id"])
    parameters = validated(IngestParameters, dict(context["params"]), "checking the form", run)
    opened = services()
    spec, rows = pin_ingestion(parameters, opened)
    log.info("What was found:\n%s", "\n".join(f"{name:<12} {value}" for name, value in rows))
    RunFolder(opened.store, INGESTIONS, run).write("ingestion", spec)
    return RunReference(dataset=INGESTIONS, run=run).model_dump()
