"""Alerts from Airflow: one message for each cause, to the log and to each channel that has a Connection.

A task that fails sends its alert from its worker, before Airflow counts it as failed. Then the run fails, and its
callback comes in the DAG processor: it sends what a channel did not take before, and tells of a run that failed without
a failed task (a deadlock, a time-out), or whose task was killed before it told anybody. `publish` tells of a release.
Retries and dry runs alert nobody. Receipts in the run's folder see to it that nothing is sent twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from emseg.config import dataset_names, datasets_folder, load_dataset
from emseg.config.alerts import AlertPolicy
from emseg.config.base import ALERTS
from emseg.errors import EmsegError
from emseg_airflow.channels import channels
from emseg_airflow.connections import object_store
from emseg_airflow.messages import failure_alert, publication_alerts

if TYPE_CHECKING:
    from airflow.sdk import Context

    from emseg.alerts import Alert, Receipts
    from emseg.store import ObjectStore

log = logging.getLogger(__name__)

TOLD_BY_ITS_TASK = "task_failure"
"""Airflow's reason for a failed run in which a task failed."""


_IN_THE_DAG_PROCESSOR = {"pauses_s": (), "longest_s": 20.0}
"""It ends a callback that takes long (`[dag_processor] dag_file_processor_timeout`, 50 s where it is not set)."""


class EmsegNotifier(BaseNotifier):
    """Sends the alerts of emseg; used as `on_failure_callback` of the tasks and of the DAG."""

    def notify(self, context: Context) -> None:
        """Tell what failed; of a failure that its task has told, deliver what is left."""
        from emseg.alerts import IS_TROUBLE

        store, receipts = _kept(context)
        options = {} if "exception" in context else _IN_THE_DAG_PROCESSOR
        alerts = [failure_alert(context)]
        if context.get("reason") == TOLD_BY_ITS_TASK:
            told = [] if receipts is None else [receipt.alert for receipt in receipts.of_this_run()]
            is_told = receipts is None or any(alert.kind in IS_TROUBLE for alert in told)
            alerts = told if is_told else [*told, *alerts]
        deliver(alerts, store, receipts, **options)


class PublicationNotifier(BaseNotifier):
    """Tells of a release, and that trouble has ended; used as `on_success_callback` of the task `publish`."""

    def notify(self, context: Context) -> None:
        """Send what the policy of the dataset asks for."""
        store, receipts = _kept(context)
        if store is not None:
            deliver(publication_alerts(context, store, policy_of), store, receipts)


def deliver(alerts: Iterable[Alert], store: ObjectStore | None, receipts: Receipts | None, **options: Any) -> None:
    """Send the alerts that the policy of their dataset wants; with a store, remember those that tell of trouble.

    One that it does not want gets a receipt, too: so the callback of the run knows that it is nothing new.
    """
    from emseg.alerts import send

    for alert in alerts:
        severity = policy_of(alert.dataset).severity(alert.kind)
        wanted, written = _with_receipt(alert.model_copy(update={"severity": severity or alert.severity}), receipts)
        if severity is not None:
            _remember(wanted, store)
            send(wanted, channels(log), written, **options)


def _remember(alert: Alert, store: ObjectStore | None) -> None:
    from emseg.alerts import IS_TROUBLE, note_trouble

    if store is None or alert.kind not in IS_TROUBLE or alert.dataset not in dataset_names(datasets_folder()):
        return
    try:
        note_trouble(store, alert)
    except EmsegError as error:
        log.error("when dataset %s recovers, nobody will be told: %s", alert.dataset, error)


def _with_receipt(alert: Alert, receipts: Receipts | None) -> tuple[Alert, Receipts | None]:
    """The alert as it was first told. Where no receipt can be written it is sent all the same, once a call."""
    if receipts is not None:
        try:
            return receipts.of(alert).alert, receipts
        except EmsegError as error:
            log.error("alert %s is sent without a receipt, so it may come again: %s", alert.dedupe_key, error)
    return alert, None


def policy_of(dataset: str) -> AlertPolicy:
    """What the dataset file says about alerts; the defaults where there is none, or none that can be read."""
    try:
        return load_dataset(datasets_folder(), dataset).alerts
    except EmsegError:  # a broken file is what some alerts are about
        return AlertPolicy()


def kept(dataset: str | None, run_id: str) -> tuple[ObjectStore | None, Receipts | None]:
    """The object store, and the receipts of a run in it; None twice where it cannot be opened."""
    from emseg.alerts import Receipts
    from emseg.tasks.run_folder import run_name

    try:
        store = object_store()
    except EmsegError as error:
        log.error("no receipt of an alert can be kept: %s", error)
        return None, None
    known = dataset if dataset in dataset_names(datasets_folder()) else ALERTS
    return store, Receipts(store, known, run_name(run_id))


def _kept(context: Context) -> tuple[ObjectStore | None, Receipts | None]:
    return kept(context.get("params", {}).get("dataset"), context["run_id"])
