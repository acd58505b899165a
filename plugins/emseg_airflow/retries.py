"""What every task of a DAG does when it fails: tries again where that can help, and tells people once.

Any error but a `PermanentError` is tried again, and a retry does only what its markers say is missing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from emseg.errors import PermanentError
from emseg_airflow.notifier import EmsegNotifier

LONGEST_RETRY_DELAY = timedelta(minutes=30)

NO_RETRY = ExceptionRetryPolicy(
    [RetryRule(PermanentError, RetryAction.FAIL, reason="No repetition can succeed: see the error above")]
)


def first_retry_delay(environment: Mapping[str, str] = os.environ) -> timedelta:
    """EMSEG_RETRY_DELAY_S, or one minute: a setting of the deployment that becomes part of the DAG when it is built."""
    return timedelta(seconds=float(environment.get("EMSEG_RETRY_DELAY_S", "60")))


def default_args(retries: int, timeout: timedelta, notifier: EmsegNotifier) -> dict[str, Any]:
    """What all tasks of a DAG have in common: retries with doubled delays, a time limit, and one alert at the end."""
    return {
        "owner": "emseg",
        "retries": retries,
        "retry_delay": first_retry_delay(),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": LONGEST_RETRY_DELAY,
        "retry_policy": NO_RETRY,
        "execution_timeout": timeout,
        "on_failure_callback": notifier,
    }
