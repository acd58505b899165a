"""Alerts from Airflow: one message for each failure, to the log and, where Connection `emseg_webhook` exists, to it.

A task that fails sends the alert from its worker. A run may also fail without a failed task (a deadlock, a time-out):
then the DAG's callback sends the alert, and in no other case. Retries and dry runs alert nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier
from pydantic import SecretStr

from emseg_airflow.connections import webhook
from emseg_airflow.refusal import GateRefusalError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from emseg.alerts import Alert, Channel

log = logging.getLogger(__name__)

TOLD_BY_ITS_TASK = "task_failure"
"""Airflow's reason for a failed run in which a task failed."""


class EmsegNotifier(BaseNotifier):
    """Sends an emseg alert; used as `on_failure_callback` of the tasks and of the DAG."""

    def notify(self, context: Context) -> None:
        """Tell what failed, unless the failed task has done so."""
        from emseg.alerts import send

        if context.get("reason") != TOLD_BY_ITS_TASK:
            send(alert_of(context), _channels())


def alert_of(context: Context) -> Alert:
    """The alert about a failed task (`exception` in the context where its worker lived to tell) or a failed run."""
    from emseg.alerts import Alert
    from emseg.tasks.run_folder import run_name

    about = {
        "severity": "error",
        "dataset": context.get("params", {}).get("dataset") or "not chosen",
        "run": run_name(context["run_id"]),
    }
    error = context.get("exception")
    if isinstance(error, GateRefusalError):
        verdict = error.verdict
        what = {"reasons": verdict.reasons, "figures": verdict.figures, "worst_bodies": error.worst_bodies}
        return Alert(**about, **what, title="The gate refused a segmentation", links={**error.links, **_log(context)})
    if "reason" in context:
        return Alert(**about, title="A run failed", reasons=(f"Airflow says: {context['reason']}",))
    reason = str(error) if error else "The task ended without an error of its own: its worker was lost or killed"
    return Alert(**about, title=f"Task {context['ti'].task_id} failed", reasons=(reason,), links=_log(context))


def _log(context: Context) -> dict[str, Any]:
    return {"Log of the task": context["ti"].log_url}


def _channels() -> Iterator[Channel]:
    """The log first: a webhook that is not usable must not keep the alert out of it."""
    from emseg.alerts import LogChannel, WebhookChannel

    yield LogChannel(log)
    address = webhook()
    if address is not None:
        yield WebhookChannel(SecretStr(address.url), http_hosts=address.http_hosts)
