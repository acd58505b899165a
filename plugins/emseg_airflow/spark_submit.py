"""SparkSubmitOperator for emseg's jobs: ids as arguments, secrets by process environment, reasons instead of codes.

A job is `spark_jobs/run_stage.py STAGE DATASET RUN`. The driver runs in client mode beside the task, on whatever master
Connection `emseg_spark` names, and finds its services in its environment: they are in no argument, no `--conf`, no
rendered field and no log. When it fails, its exit code says whether a retry can help and the run folder says why.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException

from emseg.child_environment import for_driver, has_name
from emseg.config.connections import VARIABLES_OF_DVID, VARIABLES_OF_S3
from emseg.errors import ERROR_OF_EXIT_CODE, EmsegError, PermanentError, TransientError
from emseg_airflow.connections import SPARK, airflow_connection, object_store, service_environment
from emseg_airflow.reference import RunReference

if TYPE_CHECKING:
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
    from airflow.sdk import Context

MAIN = Path(__file__).resolve().parents[2] / "spark_jobs" / "run_stage.py"

_CANNOT_START = {126: "a program cannot be run", 127: "a program is missing"}
"""What a shell's exit codes say of `spark-submit` and what it starts: no retry finds the program."""
_PLACES_WITHOUT_A_HOME = {"spark.jars.ivy": str(Path(tempfile.gettempdir(), f"ivy-{os.getuid()}"))}
"""Spark asks Java for the home of this user, and gets `?` for one who is not in /etc/passwd."""

_SPARK_OF_THIS_PYTHON = Path(sysconfig.get_path("purelib"), "pyspark")
_KEYS = {VARIABLES_OF_S3[field] for field in ("access_key", "secret_key", "session_token")}


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
        except FileNotFoundError as error:
            raise self._cannot_start(run, f"{error.filename} is not on PATH") from None
        return self._report(run)

    def on_kill(self) -> None:
        """Stop the job that was submitted, if one was."""
        if self._hook is not None:
            super().on_kill()

    def _get_hook(self) -> SparkSubmitHook:
        if not has_name():
            self.conf = {**_PLACES_WITHOUT_A_HOME, **(self.conf or {})}
        hook = super()._get_hook()
        # Not `env_vars`, which the hook turns into `--conf` on YARN and Kubernetes and shows among the rendered fields.
        hook.submit = partial(hook.submit, env=driver_environment(), encoding="utf-8", errors="replace")
        return hook

    def _report(self, run: RunReference) -> dict[str, Any]:
        from emseg.engine.report import StageReport
        from emseg.tasks.run_folder import RunFolder

        report = RunFolder(object_store(), run.dataset, run.run).read(f"report-{self.stage}", StageReport)
        return report.model_dump(mode="json", exclude={"given_up"})  # an XCom is small; reasons are not

    def _error(self, run: RunReference) -> EmsegError:
        process = self._hook._submit_sp if self._hook else None
        code = process.returncode if process else 0
        if code in _CANNOT_START:
            return self._cannot_start(run, f"{_CANNOT_START[code]} (exit code {code}){self._last_line()}")
        kind = ERROR_OF_EXIT_CODE.get(code, TransientError)
        found = self._reason(run) if code in ERROR_OF_EXIT_CODE else f"it crashed (exit code {code}){self._last_line()}"
        remedy = "A retry does only what is missing" if kind.retry_is_safe else "Clear this task when it is corrected"
        return kind(f"running the Spark job {self.stage}", str(run), found, remedy)

    def _cannot_start(self, run: RunReference, found: str) -> PermanentError:
        remedy = "Install what it names beside the Airflow workers (Java, bash, Spark); then clear this task"
        return PermanentError(f"starting the Spark job {self.stage}", str(run), found, remedy)

    def _last_line(self) -> str:
        """What the job printed last, where it printed anything."""
        lines = [line for line in self._hook._last_submit_log_lines if line] if self._hook else []
        return f"; its last line: {lines[-1][:300]}" if lines else ""

    def _reason(self, run: RunReference) -> str:
        from emseg.engine.report import Failure
        from emseg.tasks.run_folder import RunFolder

        try:
            return RunFolder(object_store(), run.dataset, run.run).read(f"failure-{self.stage}", Failure).message
        except EmsegError as error:
            return f"its reason cannot be read: {error}"


def driver_environment() -> dict[str, str]:
    """This process's environment without what breaks a driver, with the services, and with this Python and its Spark.

    A service that a Connection does not name is none: no token, key or endpoint of the worker's own takes its place.
    Where Connection `emseg_s3` has no keys, those of the worker stay: they are its role.
    """
    services = service_environment()
    others = {*VARIABLES_OF_DVID.values(), *VARIABLES_OF_S3.values()}
    others -= set() if VARIABLES_OF_S3["access_key"] in services else _KEYS
    inherited = {name: value for name, value in for_driver(os.environ).items() if name not in others}
    programs = str(Path(sys.executable).parent)
    return {
        "PYSPARK_PYTHON": sys.executable,
        **inherited,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_HOME": _spark_home(inherited.get("SPARK_HOME", "")),
        "PATH": os.pathsep.join([*filter(None, [inherited.get("PATH")]), programs]),
        **services,
    }


def _spark_home(given: str) -> str:
    """`given`, if it is a Spark of the version that this Python has; else the one that this Python has."""
    jars = list((_SPARK_OF_THIS_PYTHON / "jars").glob("spark-core_*.jar"))
    same = given and all((Path(given) / "jars" / jar.name).is_file() for jar in jars)
    return given if same else str(_SPARK_OF_THIS_PYTHON)
