"""Which variables of its caller a child process gets: what a shell holds for other programs does not leak in.

A devstack is started from a person's shell: `for_devstack` leaves out all that steers Python, Spark, Java, AWS and
Airflow there. A Spark driver is started by an Airflow worker, whose variables somebody chose for the deployment:
`for_driver` leaves out only what breaks a driver.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path

LOOPBACK = "127.0.0.1,localhost,::1"

_OTHER_PROGRAMS = (
    *("AIRFLOW__", "AIRFLOW_CONFIG", "AIRFLOW_HOME", "GX_"),
    *("AWS_", "EMSEG_DVID_", "EMSEG_S3_"),
    *("SPARK_", "PYSPARK_", "HADOOP_", "YARN_", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS"),
    *("PYTHON", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"),
    *("GOFLAGS", "GOOS", "GOARCH", "GOROOT", "GO111MODULE"),
)
"""Beginnings of names. `AIRFLOW_CONN_...` and `AIRFLOW_VAR_...` stay: a webhook for alerts, for example."""

_NOT_FOR_DRIVERS = (
    *("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_", "_AIRFLOW", "__AIRFLOW"),  # Airflow's own settings, keys, secrets
    *("PYSPARK_DRIVER_PYTHON", "PYSPARK_SUBMIT_ARGS", "PYTHONSTARTUP", "PYTHONINSPECT"),  # of somebody's notebook
)

_NAMES = ("USER", "HADOOP_USER_NAME", "SPARK_USER")
"""Where Airflow, Hadoop and Spark look for the name of a user who has none."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def for_devstack(caller: Mapping[str, str]) -> dict[str, str]:
    """The variables of a shell for the servers of a devstack, which are on this computer only.

    Proxies stay for what is elsewhere, but nothing on this computer goes through one.
    """
    kept = {name: value for name, value in caller.items() if not name.startswith(_OTHER_PROGRAMS)}
    # Airflow's HTTP library fails at the mere sight of a SOCKS proxy.
    kept = {n: v for n, v in kept.items() if not (n.lower() in _PROXIES and v.lower().startswith("socks"))}
    direct = ",".join(filter(None, [caller.get("no_proxy") or caller.get("NO_PROXY"), LOOPBACK]))
    return {**_usable(kept), "no_proxy": direct, "NO_PROXY": direct}


def for_driver(worker: Mapping[str, str]) -> dict[str, str]:
    """The variables of an Airflow worker for a Spark driver; services, Python and Spark are the caller's to add."""
    return _usable({name: value for name, value in worker.items() if not name.startswith(_NOT_FOR_DRIVERS)})


def has_name() -> bool:
    """Whether this user has an entry in /etc/passwd; a random uid of OpenShift has none."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        return False
    return True


def _usable(variables: Mapping[str, str]) -> dict[str, str]:
    """Without a TMPDIR that is no folder; with a name for a user who has none."""
    kept = {name: value for name, value in variables.items() if name != "TMPDIR" or Path(value).is_dir()}
    return kept if has_name() else dict.fromkeys(_NAMES, f"uid{os.getuid()}") | kept
