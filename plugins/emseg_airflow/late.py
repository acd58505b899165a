"""Late runs: a deadline of Airflow for each `late_after_h` of the dataset files, and the alert when one is missed.

Airflow knows deadlines of DAGs, not of datasets. So the DAG for all datasets has one for each number of hours that some
dataset names, and the callback tells only of a run whose dataset names that number. It runs in the triggerer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import AsyncCallback, DeadlineAlert, DeadlineReference

from emseg_airflow.messages import late_alert
from emseg_airflow.notifier import deliver, kept, policy_of

GOING_ON = frozenset({"queued", "running"})
"""States of a run that can be late. Airflow also calls for one that failed before: that has been told."""


def deadlines(datasets: Sequence[str], fixed: str | None = None) -> list[DeadlineAlert]:
    """The deadlines of a DAG for these datasets; `fixed` is the one of a DAG whose runs need not name it."""
    hours = {found.late_after_h for found in map(policy_of, datasets) if found.late is not None}
    return [
        DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT,
            interval=timedelta(hours=each),
            callback=AsyncCallback(tell_late, kwargs={"after_h": each, "fixed": fixed}),
        )
        for each in sorted(hours - {None})
    ]


async def tell_late(context: Mapping[str, Any], after_h: float, fixed: str | None = None) -> None:
    """Called by the triggerer when a run of the DAG is not done so many hours after it was queued."""
    await asyncio.to_thread(_tell, context["dag_run"], after_h, fixed)


def _tell(run: Mapping[str, Any], after_h: float, fixed: str | None) -> None:
    dataset = (run["conf"] or {}).get("dataset") or fixed
    if run["state"] not in GOING_ON or dataset is None or policy_of(dataset).late_after_h != after_h:
        return
    _, receipts = kept(dataset, run["dag_run_id"])
    deliver([late_alert(dataset, run, after_h)], None, receipts)
