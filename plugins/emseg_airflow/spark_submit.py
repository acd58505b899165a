"""SparkSubmitOperator for emseg's jobs: ids as arguments, secrets by process environment, reasons instead of codes.

A job is `spark_jobs/run_stage.py STAGE DATASET RUN`, on whatever master Connection `emseg_spark` names. In client mode
the driver runs beside the task and finds its services in its environment: they are in no argument, no `--conf`, no
rendered field and no log. In cluster mode it finds them in the cluster (`deployment.py`), and the task waits in
Airflow's triggerer, without a worker. When a job fails, its exit code says whether a retry can help and the run folder
says why.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk.exceptions import AirflowException

from emseg.child_environment import has_name
from emseg.config.base import BESIDE_DATASETS
from emseg.config.resources import JobResources
from emseg.errors import ERROR_OF_EXIT_CODE, EmsegError, PermanentError, TransientError
from emseg_airflow.connections import SPARK, object_store, service_environment
from emseg_airflow.deployment import SparkDeployment, check_master, spark_deployment
from emseg_airflow.driver_environment import PLACES_WITHOUT_A_HOME, driver_environment, submitter_environment
from emseg_airflow.reference import RunReference
from emseg_airflow.spark_conf import conf_of
from emseg_airflow.spark_operator import SparkSubmitOperator
from emseg_airflow.triggers import DriverTrigger, RunTrigger, TurnTrigger

if TYPE_CHECKING:
    from airflow.providers.apache.spark.hooks.spark_submit import SparkSubmitHook
    from airflow.sdk import Context

    from emseg.tasks.run_folder import RunFolder

MAIN = Path(__file__).resolve().parents[2] / "spark_jobs" / "run_stage.py"

_CANNOT_START = {126: "a program cannot be run", 127: "a program is missing"}
"""What a shell's exit codes say of `spark-submit` and what it starts: no retry finds the program."""


class EmsegSparkSubmitOperator(SparkSubmitOperator):
    """Runs one emseg job on Spark and returns its report (`StageReport` as a dict)."""

    def __init__(self, *, stage: str, **kwargs: Any) -> None:
        """Run a stage of the run that the task `pin` returned."""
        super().__init__(application=str(MAIN), name=f"emseg-{stage}", conn_id=SPARK, deploy_mode="client", **kwargs)
        self.stage = stage
        self._deployment = SparkDeployment()
        self._resources = JobResources()

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit the job when it is this run's turn; the error of a failed job is the one it left in the run folder."""
        self._deployment = spark_deployment()  # the hook would quietly submit to YARN where there is no Connection
        run = RunReference.of(context)
        if not self._is_our_turn(run):
            self._wait_for_our_turn(run)
        return self._submitted(context, run)

    def execute_in_turn(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        """Go on when no other run of the dataset has a job.

        It does not look again: to whoever has just begun to look, the lease of a killed job is held.
        """
        self._deployment = spark_deployment()
        return self._submitted(context, RunReference.of(context))

    def execute_ended(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Go on when the driver in the cluster has ended, or is given up."""
        run, code = RunReference.of(context), event["exit_code"]
        if code is None:
            from emseg.tasks.driver_life import call_off_driver

            call_off_driver(self._folder(run), self.stage, event["submission"])
            remedy = "A retry does only what is missing"
            raise TransientError(f"running the Spark job {self.stage}", str(run), event["why"], remedy)
        if code:
            raise self._ended_badly(run, code)
        return self._report(run)

    def on_kill(self) -> None:
        """Stop what was submitted, if anything was; a driver in the cluster is called off by its trigger."""
        if self._hook is not None:
            self._hook.on_kill()

    def _submitted(self, context: Context, run: RunReference) -> dict[str, Any]:
        """The report of the job, which takes over from a job that was killed; in the cluster it is waited for."""
        self._resources = self._resources_of(run)
        self.application_args = [self.stage, run.dataset, run.run]
        if self._deployment.is_cluster:
            self._execute_in_the_cluster(run)
        try:
            super().execute(context)
        except AirflowException:
            process = self._hook._submit_sp if self._hook else None
            raise self._ended_badly(run, process.returncode if process else 0) from None
        except FileNotFoundError as error:
            raise self._cannot_start(run, f"{error.filename} is not on PATH") from None
        return self._report(run)

    def _execute_in_the_cluster(self, run: RunReference) -> NoReturn:
        """Submit, and leave the worker: `execute_ended` goes on."""
        from emseg.tasks.driver_life import expect_driver

        submission = expect_driver(self._folder(run), self.stage)
        self.application_args = [*(self.application_args or []), submission]
        self.application = self._deployment.main or self.application
        self._deploy_mode = "cluster"
        self._track_driver_via_k8s_api = True  # else the hook takes a pod that goes on for one that failed
        self._hook = self._get_hook()
        try:
            self._hook.submit(self.application)
        except AirflowException:
            remedy = "Mend what it names; a retry submits it again"
            found = f"spark-submit failed (exit code {self._hook._submit_sp.returncode}){self._last_line()}"
            raise TransientError(f"submitting the Spark job {self.stage}", str(run), found, remedy) from None
        except FileNotFoundError as error:
            raise self._cannot_start(run, f"{error.filename} is not on PATH") from None
        limit_s = self.execution_timeout.total_seconds() if self.execution_timeout else None
        more = {"submission": submission, "start_s": self._deployment.driver_start_s, "limit_s": limit_s}
        self._wait(DriverTrigger(run.dataset, run.run, self.stage, **more), "execute_ended")

    def _is_our_turn(self, run: RunReference) -> bool:
        from emseg.tasks.one_run import job_lease

        return run.dataset in BESIDE_DATASETS or job_lease(object_store(probe=False), run.dataset, run.run).is_free()

    def _wait_for_our_turn(self, run: RunReference) -> NoReturn:
        self.log.info("another run of %s has a job: this task waits without a worker", run.dataset)
        self._wait(TurnTrigger(run.dataset, run.run, self.stage), "execute_in_turn")

    def _wait(self, trigger: RunTrigger, then: str) -> NoReturn:
        self.defer(trigger=trigger, method_name=then)

    def _get_hook(self) -> SparkSubmitHook:
        hook = super()._get_hook()
        in_cluster, master = self._deployment.is_cluster, hook._connection["master"]
        check_master(master, self._deployment)
        if self._deployment.archive:
            from emseg.tasks.archive import check_archive

            check_archive(self._deployment.archive)
        hook._conf = {
            **({} if has_name() else PLACES_WITHOUT_A_HOME),
            **hook._conf,
            **conf_of(master, self._deployment, self._resources, service_environment()),
        }
        # Not `env_vars`, which the hook turns into `--conf` on YARN and Kubernetes and shows among the rendered fields.
        environment = submitter_environment() if in_cluster else driver_environment()
        hook.submit = partial(hook.submit, env=environment, encoding="utf-8", errors="replace")
        return hook

    def _folder(self, run: RunReference) -> RunFolder:
        from emseg.tasks.run_folder import RunFolder

        return RunFolder(object_store(probe=False), run.dataset, run.run)

    def _resources_of(self, run: RunReference) -> JobResources:
        """What the spec of the run asks for this stage; ingestions and evaluations ask for nothing."""
        if run.dataset in BESIDE_DATASETS:
            return JobResources()
        return self._folder(run).pinned().spark.get(self.stage, JobResources())

    def _report(self, run: RunReference) -> dict[str, Any]:
        from emseg.engine.report import StageReport

        report = self._folder(run).read(f"report-{self.stage}", StageReport)
        return report.model_dump(mode="json", exclude={"given_up"})  # an XCom is small; reasons are not

    def _ended_badly(self, run: RunReference, code: int) -> EmsegError:
        """The error of a job that ended with `code`; where another run had its turn, this task waits for it instead."""
        if code in _CANNOT_START:
            return self._cannot_start(run, f"{_CANNOT_START[code]} (exit code {code}){self._last_line()}")
        kind = ERROR_OF_EXIT_CODE.get(code, TransientError)
        found = self._reason(run) if code in ERROR_OF_EXIT_CODE else f"it crashed (exit code {code}){self._last_line()}"
        if code == TransientError.exit_code and not self._is_our_turn(run):
            self._wait_for_our_turn(run)
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

        try:
            return self._folder(run).read(f"failure-{self.stage}", Failure).message
        except EmsegError as error:
            return f"its reason cannot be read: {error}"
