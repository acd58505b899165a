"""SparkSubmitOperator for emseg's jobs: ids as arguments, secrets by process environment, reasons instead of codes.

A job is `spark_jobs/run_stage.py STAGE DATASET RUN`. The driver runs in client mode beside the task, on whatever master
Connection `emseg_spark` names, and finds its services in its environment: they are in no argument, no `--conf`, no
rendered field and no log. When it fails, its exit code says whether a retry can help and the run folder says why.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException

from emseg.errors import ERROR_OF_EXIT_CODE, EmsegError, TransientError
from emseg_airflow.connections import SPARK, airflow_connection, object_store, service_environment
from emseg_airflow.reference import RunReference

if TYPE_CHECKING:
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
    from airflow.sdk import Context

MAIN = Path(__file__).resolve().parents[2] / "spark_jobs" / "run_stage.py"

_NOT_FOR_DRIVERS = ("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_", "_AIRFLOW", "__AIRFLOW")
"""Airflow's own settings, keys and connections: a Spark driver has no business with them."""


class EmsegSparkSubmitOperator(SparkSubmitOperator):
    """Runs one emseg job on Spark and returns its report (`StageReport` as a dict)."""

    def __init__(self, *, stage: str, **kwargs: Any) -> None:
        """Run a stage of the run that the task `pin` returned."""
        super().__init__(
            application=str(MAIN),
            name=f"emseg-{stage}",
            conn_id=SPARK,
            # The parent would take a deploy mode from the Connection. In cluster mode the driver gets neither the
            # environment nor a way to hand its exit code back (and standalone clusters refuse Python there).
            deploy_mode="client",
            **kwargs,
        )
        self.stage = stage

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit the job and wait for it; the error of a failed job is the one it left in the run folder."""
        airflow_connection(SPARK)  # the hook would quietly submit to YARN where there is none
        run = RunReference.of(context)
        self.application_args = [self.stage, run.dataset, run.run]
        try:
            super().execute(context)
        except AirflowException:
            raise self._error(run) from None
        return self._report(run)

    def on_kill(self) -> None:
        """Stop the job that was submitted, if one was."""
        if self._hook is not None:
            super().on_kill()

    def _get_hook(self) -> SparkSubmitHook:
        hook = super()._get_hook()
        # Not `env_vars`, which the hook turns into `--conf` on YARN and Kubernetes and shows among the rendered fields.
        hook.submit = partial(hook.submit, env=driver_environment())
        return hook

    def _report(self, run: RunReference) -> dict[str, Any]:
        from emseg.engine.report import StageReport
        from emseg.tasks.run_folder import RunFolder

        report = RunFolder(object_store(), run.dataset, run.run).read(f"report-{self.stage}", StageReport)
        return report.model_dump(mode="json", exclude={"given_up"})  # an XCom is small; reasons are not

    def _error(self, run: RunReference) -> EmsegError:
        process = self._hook._submit_sp if self._hook else None
        code = process.returncode if process else 0
        kind = ERROR_OF_EXIT_CODE.get(code, TransientError)
        found = self._reason(run) if code in ERROR_OF_EXIT_CODE else f"it crashed (exit code {code})"
        remedy = "A retry does only what is missing" if kind.retry_is_safe else "Clear this task when it is corrected"
        return kind(f"running the Spark job {self.stage}", str(run), found, remedy)

    def _reason(self, run: RunReference) -> str:
        from emseg.engine.report import Failure
        from emseg.tasks.run_folder import RunFolder

        try:
            return RunFolder(object_store(), run.dataset, run.run).read(f"failure-{self.stage}", Failure).message
        except EmsegError as error:
            return f"its reason cannot be read: {error}"


def driver_environment() -> dict[str, str]:
    """This process's environment without Airflow's own secrets, with the services, and with this Python's Spark."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_FOR_DRIVERS)}
    programs = str(Path(sys.executable).parent)
    return {
        "PYSPARK_PYTHON": sys.executable,
        **inherited,
        "PATH": os.pathsep.join([*filter(None, [inherited.get("PATH")]), programs]),
        **service_environment(),
    }
