"""The DAG that watches one dataset: `pin` finds whether anything has changed, a Spark job counts, `judge` tells."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow.sdk import DAG, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

from emseg.config import datasets_folder, load_dataset
from emseg_airflow.connections import services
from emseg_airflow.evaluation import evaluate_job
from emseg_airflow.messages import RUN
from emseg_airflow.notifier import EmsegNotifier, deliver
from emseg_airflow.pages import report_address, run_address
from emseg_airflow.pipeline import READ_POOL, RETRIES, TASK_TIMEOUT
from emseg_airflow.reference import PIN, RunReference
from emseg_airflow.retries import default_args

if TYPE_CHECKING:
    from emseg.alerts import Alert

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "alerts.md"

log = logging.getLogger(__name__)


def watch_dag(dag_id: str, dataset: str, schedule: str) -> DAG:
    """The DAG `dag_id`, which looks at one dataset on its schedule; by hand it does the same at once."""
    notifier = EmsegNotifier()
    with DAG(
        dag_id,
        description="What is served, measured again when its ground truth or its proofreading has changed",
        doc_md=GUIDE.read_text(encoding="utf-8"),
        schedule=schedule,
        catchup=False,
        max_active_runs=1,
        tags=["emseg", "watch", dataset],
        params={"dataset": Param(dataset, type="string", enum=[dataset], title="Dataset")},
        on_failure_callback=notifier,
        default_args=default_args(RETRIES, TASK_TIMEOUT, notifier),
    ) as dag:
        pin_watched() >> evaluate_job() >> judge.override(pool=READ_POOL)()
    return dag


@task(task_id=PIN)
def pin_watched() -> dict[str, str]:
    """Pin what is served and its ground truth as they are now. The run ends here, skipped, where nothing changed."""
    from emseg.tasks.watch import pin_watch

    dataset = load_dataset(datasets_folder(), get_current_context()["params"]["dataset"])
    folder = pin_watch(dataset, services())
    if folder is None:
        raise AirflowSkipException("There is nothing to measure again: the line above says why")
    return RunReference(dataset=folder.dataset, run=folder.run).model_dump()


@task(task_id="judge")
def judge() -> dict[str, Any]:
    """Judge the figures, tell people, and leave rows in the history. What is served stays as it is."""
    from emseg.alerts import Receipts
    from emseg.config.evaluation import EvaluationSpec
    from emseg.tasks.evaluation.job import context_of
    from emseg.tasks.run_folder import RunFolder
    from emseg.tasks.watch import Watched, judge_watch

    context = get_current_context()
    reference, opened = RunReference.of(context), services()
    folder = RunFolder(opened.store, reference.dataset, reference.run)
    watched, spec = folder.read("watch", Watched), folder.read("evaluation", EvaluationSpec)
    pages = {
        "Report of the release": report_address(watched.dataset, watched.release.run),
        RUN: run_address(context["dag"].dag_id, context["run_id"]),
    }

    def tell(alert: Alert) -> None:
        deliver([alert], opened.store, Receipts(opened.store, folder.dataset, folder.run))

    dataset = load_dataset(datasets_folder(), watched.dataset)
    run = context_of(spec, uuid4().hex[:12], lambda: opened)
    verdict = judge_watch(run, folder, dataset.gate, pages, tell)
    log.info("Release %d: %s. %s", watched.release.number, verdict.figures, folder.address("scores.json"))
    return {"passed": verdict.passed, "figures": verdict.figures, "scores": folder.address("scores.json")}
