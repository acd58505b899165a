"""The settings of a job for each kind of master, worked out by hand, and what a deployment may say of itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection
from tests.refusals import refused

from emseg.config.resources import JobResources
from emseg.errors import PermanentError
from emseg_airflow.deployment import SparkDeployment, check_master, deployment_of
from emseg_airflow.spark_conf import conf_of, resources_conf

K8S = "k8s://https://kubernetes:6443"
ALL = JobResources(
    executors=8,
    cores=4,
    task_cores=2,
    memory_mb=2048,
    python_memory_mb=24_000,
    gpus=1,
    tasks_per_gpu=3,
    driver_memory_mb=4096,
    driver_python_memory_mb=30_000,
)
OF_EXECUTORS = {
    "spark.executor.cores": "4",
    "spark.task.cpus": "2",
    "spark.executor.memory": "2048m",
    "spark.executor.memoryOverhead": "24000m",
    "spark.driver.memory": "4096m",
    "spark.driver.memoryOverhead": "30000m",
    "spark.executor.resource.gpu.amount": "1",
    "spark.task.resource.gpu.amount": "0.333333",
}


@pytest.mark.parametrize(
    ("master", "number"),
    [
        ("yarn", {"spark.executor.instances": "8"}),
        (K8S, {"spark.executor.instances": "8"}),
        ("spark://master:7077", {"spark.cores.max": "32"}),
    ],
)
def test_resources_on_a_cluster(master: str, number: dict[str, str]) -> None:
    """Kills a number of executors that a standalone master does not know, and a third that gives two tasks a GPU."""
    assert resources_conf(master, ALL) == {**OF_EXECUTORS, **number}


def test_a_gpu_of_its_own_is_one_and_no_fraction() -> None:
    given = resources_conf("yarn", JobResources(cores=2, gpus=2))
    assert given == {
        "spark.executor.cores": "2",
        "spark.executor.resource.gpu.amount": "2",
        "spark.task.resource.gpu.amount": "1",
    }


@pytest.mark.parametrize("tasks", range(1, 65))
def test_as_many_tasks_share_a_gpu_as_were_asked_for(tasks: int) -> None:
    """Kills a share that was rounded up: 0.166667 goes into one GPU five times, not six."""
    given = resources_conf("yarn", JobResources(cores=tasks, gpus=1, tasks_per_gpu=tasks))
    assert int(1 / float(given["spark.task.resource.gpu.amount"])) == tasks


def test_what_is_not_asked_for_is_left_to_the_deployment() -> None:
    """Kills a default of emseg that overrules `spark-defaults.conf`."""
    assert resources_conf("yarn", JobResources()) == {}
    assert conf_of("spark://m:7077", SparkDeployment(), JobResources(), ["EMSEG_DVID_URL"]) == {}


def test_a_laptop_has_no_executors_to_divide() -> None:
    assert resources_conf("local[4]", ALL) == {}


def deployment(**extra: Any) -> SparkDeployment:
    return deployment_of(Connection(conn_id="emseg_spark", conn_type="spark", extra=json.dumps(extra)))


def test_yarn_in_cluster_mode() -> None:
    """Kills a second try of YARN's own, a submitter that waits for days, and a driver without the library."""
    said = deployment(
        **{
            "deploy-mode": "cluster",
            "archive": "hdfs:///emseg/emseg-0.1.0-00.zip",
            "services-file": "/etc/emseg/services",
            "queue": "em",
        }
    )
    assert conf_of("yarn", said, JobResources(), ["AWS_SECRET_ACCESS_KEY"]) == {
        "spark.yarn.submit.waitAppCompletion": "false",
        "spark.yarn.maxAppAttempts": "1",
        "spark.archives": "hdfs:///emseg/emseg-0.1.0-00.zip#emseg-library",
        "spark.executorEnv.PYTHONPATH": "emseg-library",
        "spark.executorEnv.EMSEG_SERVICES_FILE": "/etc/emseg/services",
        "spark.yarn.appMasterEnv.PYTHONPATH": "emseg-library",
        "spark.yarn.appMasterEnv.EMSEG_SERVICES_FILE": "/etc/emseg/services",
    }


def test_kubernetes_in_cluster_mode() -> None:
    """Kills a secret as a setting: the names of keys of a Secret are all that is said."""
    said = deployment(**{"deploy-mode": "cluster", "secret": "emseg-services", "namespace": "em"})
    assert conf_of(K8S, said, JobResources(), ["EMSEG_S3_BUCKET", "EMSEG_DVID_TOKEN"]) == {
        "spark.kubernetes.submission.waitAppCompletion": "false",
        "spark.kubernetes.driver.secretKeyRef.EMSEG_DVID_TOKEN": "emseg-services:EMSEG_DVID_TOKEN",
        "spark.kubernetes.driver.secretKeyRef.EMSEG_S3_BUCKET": "emseg-services:EMSEG_S3_BUCKET",
        "spark.kubernetes.executor.secretKeyRef.EMSEG_DVID_TOKEN": "emseg-services:EMSEG_DVID_TOKEN",
        "spark.kubernetes.executor.secretKeyRef.EMSEG_S3_BUCKET": "emseg-services:EMSEG_S3_BUCKET",
    }


def test_kubernetes_in_client_mode_has_a_driver_with_an_environment_of_its_own() -> None:
    said = deployment(secret="emseg-services")
    assert conf_of(K8S, said, JobResources(), ["EMSEG_S3_BUCKET"]) == {
        "spark.kubernetes.executor.secretKeyRef.EMSEG_S3_BUCKET": "emseg-services:EMSEG_S3_BUCKET",
    }


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        ({"deploy-mode": "yarn"}, "deploy-mode = 'yarn'"),
        ({"archiv": "a.zip"}, "archiv = 'a.zip'"),
        ({"archive": "/a,b/emseg.zip"}, "archive = '/a,b/emseg.zip'"),
        ({"archive": "/a#b/emseg.zip"}, "archive = '/a#b/emseg.zip'"),
        ({"secret": "a,b"}, "secret = 'a,b'"),
        ({"services-file": "services"}, "services-file = 'services'"),
        ({"driver-start-s": 1}, "driver-start-s = 1"),
    ],
)
def test_a_wrong_field_of_the_extra_is_named(extra: dict[str, Any], fault: str) -> None:
    """Kills a misspelt field that is passed over: the job would run without the archive."""
    with refused(PermanentError, "emseg_spark", fault):
        deployment(**extra)


@pytest.mark.parametrize("name", ["archive", "main"])
@pytest.mark.parametrize("url", ["https://me:hush@store/emseg.zip", "https://store/emseg.zip?X-Amz-Signature=hush"])
def test_a_key_in_a_url_is_refused_and_not_repeated(name: str, url: str) -> None:
    """Kills keys in the command line of spark-submit, which every user of the computer can read."""
    with refused(PermanentError, "emseg_spark", name) as caught:
        deployment(**{name: url})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("archive", ["abfss://emseg@account.dfs.core.windows.net/emseg.zip", "/srv/emseg/a@b:c.zip"])
def test_a_url_without_a_key_is_taken(archive: str) -> None:
    assert deployment(archive=archive).archive == archive


def test_java_compiles_once_where_the_driver_is_all_there_is() -> None:
    """Kills a setting for drivers of seconds that an executor of hours gets, too."""
    given = conf_of("local[2]", SparkDeployment(), JobResources(), ())
    assert given == {"spark.driver.defaultJavaOptions": "-XX:TieredStopAtLevel=1"}
    assert conf_of("spark://m:7077", SparkDeployment(), JobResources(), ()) == {}


@pytest.mark.parametrize("master", ["local[2]", "spark://m:7077"])
def test_only_yarn_and_kubernetes_take_a_driver(master: str) -> None:
    """Kills a submission at which Spark fails with a stack trace, four times."""
    with refused(PermanentError, master, "client mode"):
        check_master(master, SparkDeployment(**{"deploy-mode": "cluster"}))
    check_master("yarn", SparkDeployment(**{"deploy-mode": "cluster"}))
    check_master(K8S, SparkDeployment(**{"deploy-mode": "cluster", "secret": "s"}))


def test_only_kubernetes_has_secrets() -> None:
    with refused(PermanentError, "secret", "services-file"):
        check_master("yarn", SparkDeployment(secret="s"))
