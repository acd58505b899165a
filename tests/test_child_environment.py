"""What a child process gets of a shell that was set up for other programs, and of an Airflow worker's variables."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from emseg.child_environment import for_devstack, for_driver, has_name

OTHERS = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://theirs",
    "AIRFLOW_CONFIG": "/theirs/airflow.cfg",
    "AWS_PROFILE": "work",
    "AWS_SESSION_TOKEN": "of-another-account",
    "EMSEG_DVID_TOKEN": "of-the-production-server",
    "GOFLAGS": "-mod=vendor",
    "GX_HOME": "/theirs",
    "HADOOP_CONF_DIR": "/etc/hadoop",
    "JAVA_TOOL_OPTIONS": "-agentlib:jdwp=address=5005",
    "JDK_JAVA_OPTIONS": "-Xmx32m",
    "_JAVA_OPTIONS": "-Xmx32m",
    "PYSPARK_DRIVER_PYTHON": "jupyter",
    "PYSPARK_PYTHON": "python2",
    "PYTHONHOME": "/usr/python2",
    "PYTHONPATH": "/theirs",
    "PYTHONSTARTUP": "/theirs/start.py",
    "SPARK_CONF_DIR": "/theirs/conf",
    "SPARK_HOME": "/opt/spark-2",
    "SPARK_SUBMIT_OPTS": "-Dx=y",
    "TMPDIR": "/nowhere",
}
WANTED = {
    "AIRFLOW_CONN_EMSEG_WEBHOOK": "https://chat.example.org/hook",
    "EMSEG_STEP_PACKAGES": "mine",
    "GOPROXY": "https://go.example.org",
    "HOME": "/home/me",
    "JAVA_HOME": "/usr/lib/jvm/java-17",
    "PATH": "/usr/bin",
}


def test_a_devstack_gets_nothing_that_is_for_other_programs() -> None:
    """Kills every variable by which a shell steers another Python, Spark, Java, Go, AWS or Airflow than ours."""
    given = for_devstack(OTHERS | WANTED)
    assert given.items() >= WANTED.items()
    assert OTHERS.keys() & given.keys() == set()


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_a_proxy_stays_for_what_is_elsewhere_and_is_not_used_on_this_computer(name: str) -> None:
    """Kills tasks that ask a proxy for Airflow on 127.0.0.1, and an alert that no longer gets out."""
    given = for_devstack({"https_proxy": "http://proxy:3128", name: "intranet"})
    assert given["https_proxy"] == "http://proxy:3128"
    for variable in ("no_proxy", "NO_PROXY"):
        assert {"intranet", "127.0.0.1", "localhost"} <= set(given[variable].split(","))


def test_a_socks_proxy_is_left_out() -> None:
    """Kills Airflow's HTTP library, which fails at the mere sight of one."""
    assert "ALL_PROXY" not in for_devstack({"ALL_PROXY": "socks5://proxy:1080"})


def test_a_driver_keeps_what_its_deployment_chose() -> None:
    """Kills an allow-list that loses a proxy, the cluster's configuration or a certificate of the deployment."""
    chosen = {
        "http_proxy": "http://proxy:3128",
        "HADOOP_CONF_DIR": "/etc/hadoop",
        "SPARK_CONF_DIR": "/etc/spark",
        "JAVA_TOOL_OPTIONS": "-Djavax.net.ssl.trustStore=/etc/ca.jks",
        "AWS_CA_BUNDLE": "/etc/ca.pem",
    }
    broken = {"PYSPARK_DRIVER_PYTHON_OPTS": "notebook", "PYTHONSTARTUP": "/x.py", "AIRFLOW__CORE__FERNET_KEY": "secret"}
    given = for_driver(chosen | broken)
    assert given.items() >= chosen.items()
    assert broken.keys() & given.keys() == set()


def test_a_folder_for_temporary_files_is_kept_where_there_is_one(tmp_path: Path) -> None:
    assert for_driver({"TMPDIR": str(tmp_path)})["TMPDIR"] == str(tmp_path)


def test_a_user_without_a_name_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills Airflow's "has no username" and Hadoop's "invalid null input: name" under a random uid of OpenShift."""

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    assert not has_name()
    for made in (for_devstack, for_driver):
        assert {made({})[name] for name in ("USER", "HADOOP_USER_NAME", "SPARK_USER")} == {f"uid{os.getuid()}"}
        assert made({"USER": "given"})["USER"] == "given"
