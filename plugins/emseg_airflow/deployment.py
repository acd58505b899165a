"""Where Spark runs in this deployment: the extra of Connection `emseg_spark`, beside what Airflow's provider reads.

Example, Kubernetes: `{"deploy-mode": "cluster", "namespace": "emseg", "secret": "emseg-services", "main":
"local:///opt/emseg/spark_jobs/run_stage.py"}`. Nothing of it is a secret: `secret` is the name of one.
"""

from __future__ import annotations

import re
from typing import Literal

from airflow.sdk import Connection
from pydantic import ConfigDict, Field

from emseg.config.base import Record, validated
from emseg.errors import PermanentError
from emseg_airflow.connections import SPARK, airflow_connection

_OF_THE_PROVIDER = {
    *("queue", "namespace", "spark-binary", "principal", "keytab", "rest-scheme", "rest-port"),
    "yarn_resourcemanager_webapp_address",
}
_KEY_IN_URL = re.compile(r"//[^/@]*:[^/@]*@|\?")
"""A password or a signature: `https://user:password@host/...`, `https://host/emseg.zip?X-Amz-Signature=...`."""


class SparkDeployment(Record):
    """Fields of the extra; their names there have `-` in place of `_`."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    deploy_mode: Literal["client", "cluster"] = Field(default="client", description="Where the driver runs")
    archive: str = Field(
        default="", pattern=r"^[^,#]*$", description="Path or URL of what `emseg archive` made, without , and #"
    )
    main: str = Field(default="", description="Where the cluster finds spark_jobs/run_stage.py, if not here")
    secret: str = Field(
        default="", pattern=r"^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?)?$", description="Secret of Kubernetes"
    )
    services_file: str = Field(default="", pattern=r"^(/[\w./-]*)?$", description="File of the cluster's computers")
    driver_start_s: int = Field(default=3600, ge=60, le=604_800, description="How long a driver may wait for room")

    @property
    def is_cluster(self) -> bool:
        """Whether drivers run in the cluster, and not beside the Airflow task."""
        return self.deploy_mode == "cluster"


def spark_deployment() -> SparkDeployment:
    """What Connection `emseg_spark` says; PermanentError that names the field where it is wrong or unknown."""
    return deployment_of(airflow_connection(SPARK))


def deployment_of(connection: Connection) -> SparkDeployment:
    """The same of a given Connection."""
    doing, given = "reading the extra of an Airflow Connection", connection.extra_dejson
    for name in ("archive", "main"):  # here, because `validated` repeats the value that it refuses
        if _KEY_IN_URL.search(str(given.get(name, ""))):
            found = f"{name} is a URL with a password or a query: it would be seen in the command that submits a job"
            remedy = "Name a path, or a URL without them; keys of a store are for Spark's own settings on its computers"
            raise PermanentError(doing, connection.conn_id, found, remedy)
    ours = {name: value for name, value in given.items() if name not in _OF_THE_PROVIDER}
    return validated(SparkDeployment, ours, doing, connection.conn_id)


def check_master(master: str, deployment: SparkDeployment) -> None:
    """PermanentError where a master cannot do what the deployment asks of it."""
    for asked, is_possible, remedy in (
        ("deploy-mode = cluster", master == "yarn" or master.startswith("k8s://") or not deployment.is_cluster,
         "Only YARN and Kubernetes take a Python driver into the cluster: use client mode"),
        ("secret", master.startswith("k8s://") or not deployment.secret,
         "Only Kubernetes has Secrets. Use services-file, or variables of the Spark workers"),
    ):  # fmt: skip
        if not is_possible:
            raise PermanentError("submitting a Spark job", f"Connection {SPARK}, {asked}", f"master {master}", remedy)
