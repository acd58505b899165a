"""The DAG that keeps the object store small: a dry run with its table, then, where `apply` was chosen, the removal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, chain, get_current_context, task

from emseg.config.base import validated
from emseg.config.housekeeping import HousekeepingPolicy
from emseg_airflow.connections import services
from emseg_airflow.notifier import EmsegNotifier
from emseg_airflow.pipeline import RETRIES, TASK_TIMEOUT
from emseg_airflow.retries import default_args

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "housekeeping.md"

log = logging.getLogger(__name__)


def housekeeping_dag(dag_id: str, datasets: Sequence[str]) -> DAG:
    """The DAG `dag_id`, paused when it is new. Unpaused it makes a dry run each week; it removes only where told to."""
    notifier = EmsegNotifier()
    with DAG(
        dag_id,
        description="What no kept run, release or running attempt refers to: shown, and removed if wished",
        doc_md=GUIDE.read_text(),
        schedule="@weekly",
        catchup=False,
        is_paused_upon_creation=True,
        max_active_runs=1,
        tags=["emseg", "housekeeping"],
        params=housekeeping_params(datasets),
        on_failure_callback=notifier,
        default_args=default_args(RETRIES, TASK_TIMEOUT, notifier),
    ) as dag:
        chain(look(), unless_only_looking(), sweep())
    return dag


def housekeeping_params(datasets: Sequence[str]) -> dict[str, Param]:
    """The form; limits and texts of the policy are those of `HousekeepingPolicy`."""
    names = [*datasets, None]
    shown = {"values_display": {"null": "all, and what lies beside them"}}
    fields = HousekeepingPolicy.model_json_schema()["properties"]
    return {
        "dataset": Param(
            None, type=["string", "null"], enum=names, title="Dataset", description="Which to look at", **shown
        ),
        **{name: Param(**_with_title(name, field)) for name, field in fields.items()},
        "apply": Param(
            False, type="boolean", title="Apply", description="Remove it. Without this nothing is removed: see the log"
        ),
    }


def _with_title(name: str, field: dict[str, Any]) -> dict[str, Any]:
    return field | {"title": name.replace("_", " ").capitalize()}


@task
def look() -> dict[str, Any]:
    """Dry run: list what would be removed and why, and what is kept for which release. The log has the tables."""
    return _tidied(dry_run=True)


@task.short_circuit
def unless_only_looking() -> bool:
    """Go on only where `apply` was chosen; else the run ends here and nothing was removed."""
    return bool(get_current_context()["params"]["apply"])


@task
def sweep() -> dict[str, Any]:
    """Remove it, by the same policy. It reads again what is referenced; stopped at any point it can be repeated."""
    return _tidied(dry_run=False)


def _tidied(dry_run: bool) -> dict[str, Any]:
    from emseg.tasks.tidy import tidy

    form = dict(get_current_context()["params"])
    dataset, applied = form.pop("dataset"), form.pop("apply")
    policy = validated(HousekeepingPolicy, form, "checking the form", "housekeeping")
    report = tidy(services(), policy, dry_run=dry_run, dataset=dataset)
    log.info("%s", report.markdown())
    if not (dry_run and applied):  # else `sweep` tells it, after it has done what can be done
        report.require_complete()
    return report.totals()
