"""The DAG that takes a release back: its form asks which earlier one is served again, and why."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_current_context, task
from pydantic import Field

from emseg.config.approval import MAX_WHY
from emseg.config.base import Name, Record, validated
from emseg_airflow.connections import services
from emseg_airflow.form import params_of
from emseg_airflow.notifier import EmsegNotifier
from emseg_airflow.pipeline import RETRIES, TASK_TIMEOUT, WRITE_POOL
from emseg_airflow.retries import default_args

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"

log = logging.getLogger(__name__)


class RollbackParameters(Record):
    """What a person chooses. The task checks it again: callers of the API do not see the form."""

    dataset: Name = Field(description="Dataset file under include/datasets")
    release: int = Field(ge=1, le=10**8, description="Number of the earlier release that is served again")
    why: str = Field(min_length=1, max_length=MAX_WHY, description="Kept in the new release record, with your name")


def rollback_dag(dag_id: str, datasets: Sequence[str]) -> DAG:
    """The DAG `dag_id`; whoever may trigger it may roll back."""
    notifier = EmsegNotifier()
    params = params_of(RollbackParameters, "")
    params["dataset"].schema["enum"] = list(datasets)
    with DAG(
        dag_id,
        description="Serve an earlier release again",
        doc_md=GUIDE.read_text(encoding="utf-8"),
        schedule=None,
        catchup=False,
        max_active_runs=1,
        tags=["emseg", "releases"],
        params=params,
        on_failure_callback=notifier,
        default_args=default_args(RETRIES, TASK_TIMEOUT, notifier),
    ) as dag:
        serve_again.override(pool=WRITE_POOL)()
    return dag


@task(task_id="serve_again")
def serve_again() -> dict[str, Any]:
    """Serve the release again as a new one of the same DVID node; a second try adds nothing."""
    from emseg.publish import roll_back

    context = get_current_context()
    chosen = validated(RollbackParameters, dict(context["params"]), "checking the form", "rollback")
    by = context["dag_run"].triggering_user_name or "a caller without a name"
    release = roll_back(services().store, chosen.dataset, chosen.release, by, chosen.why)
    log.info("%s: release %d serves node %s", chosen.dataset, release.number, release.uuid)
    return {"uuid": release.uuid, "instance": release.instance, "number": release.number}
