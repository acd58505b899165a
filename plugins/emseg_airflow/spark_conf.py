"""The Spark settings of one job as `--conf NAME=VALUE`, made from the deployment and from what the dataset asks for.

They are shown by Spark's page and in logs, so no secret is in any of them: they say where secrets are found.
"""

from __future__ import annotations

from collections.abc import Iterable

from emseg.config.connections import SERVICES_FILE
from emseg.config.resources import ONE_COMPILER, JobResources
from emseg.tasks.archive import FOLDER
from emseg_airflow.deployment import SparkDeployment

Conf = dict[str, str]


def conf_of(master: str, deployment: SparkDeployment, resources: JobResources, services: Iterable[str]) -> Conf:
    """All settings of a job on `master`; `services` are the names of the variables that bring it to its services."""
    return {
        **({"spark.driver.defaultJavaOptions": ONE_COMPILER} if master.startswith("local") else {}),
        **_of_submission(master, deployment),
        **_of_environment(master, deployment),
        **_of_secret(deployment, services),
        **resources_conf(master, resources),
    }


def resources_conf(master: str, resources: JobResources) -> Conf:
    """What a job gets. On a `local` master there are no executors, and nothing of it is said."""
    if master.startswith("local"):
        return {}
    given: dict[str, int | float | str | None] = {
        "spark.executor.cores": resources.cores,
        "spark.task.cpus": resources.task_cores if resources.task_cores > 1 else None,
        "spark.executor.memory": _mib(resources.memory_mb),
        "spark.executor.memoryOverhead": _mib(resources.python_memory_mb),
        "spark.driver.memory": _mib(resources.driver_memory_mb),
        "spark.driver.memoryOverhead": _mib(resources.driver_python_memory_mb),
    }
    if resources.executors is not None and resources.cores is not None:
        if master.startswith("spark://"):  # which knows no number of executors
            given["spark.cores.max"] = resources.executors * resources.cores
        else:
            given["spark.executor.instances"] = resources.executors
    if resources.gpus:
        given["spark.executor.resource.gpu.amount"] = resources.gpus
        # Rounded down: six times 0.166667 is more than one GPU, so Spark would run five tasks.
        given["spark.task.resource.gpu.amount"] = 1_000_000 // resources.tasks_per_gpu / 1_000_000
    return {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in given.items() if value}


def _of_submission(master: str, deployment: SparkDeployment) -> Conf:
    """`spark-submit` ends when the cluster has the job, and Airflow alone tries again."""
    if not deployment.is_cluster:
        return {}
    if master == "yarn":
        return {"spark.yarn.submit.waitAppCompletion": "false", "spark.yarn.maxAppAttempts": "1"}
    return {"spark.kubernetes.submission.waitAppCompletion": "false"}


def _of_environment(master: str, deployment: SparkDeployment) -> Conf:
    """Plain variables of executors, and of a driver in the cluster."""
    variables = {"PYTHONPATH": FOLDER} if deployment.archive else {}
    variables |= {SERVICES_FILE: deployment.services_file} if deployment.services_file else {}
    conf = {"spark.archives": f"{deployment.archive}#{FOLDER}"} if deployment.archive else {}
    prefixes = ["spark.executorEnv."]
    if deployment.is_cluster:
        prefixes += ["spark.yarn.appMasterEnv." if master == "yarn" else "spark.kubernetes.driverEnv."]
    return conf | {f"{prefix}{name}": value for prefix in prefixes for name, value in variables.items()}


def _of_secret(deployment: SparkDeployment, services: Iterable[str]) -> Conf:
    """Each variable of the services, from the key of its name in the Secret."""
    if not deployment.secret:
        return {}
    roles = ("driver", "executor") if deployment.is_cluster else ("executor",)
    return {
        f"spark.kubernetes.{role}.secretKeyRef.{name}": f"{deployment.secret}:{name}"
        for role in roles
        for name in sorted(services)
    }


def _mib(megabytes: int | None) -> str | None:
    return None if megabytes is None else f"{megabytes}m"
