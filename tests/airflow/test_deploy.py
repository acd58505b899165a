"""The files of deploy/ without Docker, Helm or Kubernetes: schema, programs, options, variables, what they start."""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pyspark
import pytest
import yaml
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf

from emseg.config.connections import VARIABLES_OF_DVID, VARIABLES_OF_S3
from emseg.devstack import DevStack, status
from emseg.devstack.airflow import POOLS
from emseg.devstack.servers import dvid_toml
from emseg.devstack.tools import DVID
from emseg_airflow import connections

PROJECT = Path(__file__).resolve().parents[2]
DEPLOY = PROJECT / "deploy"
BIN = Path(sys.executable).parent
LINT = "{extends: default, rules: {line-length: {max: 120}, document-start: disable}}"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
HELM = yaml.safe_load((DEPLOY / "helm-values.yaml").read_text())
CONNECTIONS = {value for name, value in vars(connections).items() if name.isupper() and str(value).startswith("emseg_")}


def settings() -> Iterator[tuple[str, str]]:
    """Every variable that a container gets, with its value."""
    for service in COMPOSE["services"].values():
        given = service.get("environment", {})
        yield from given.items() if isinstance(given, dict) else (line.partition("=")[::2] for line in given)
    yield from ((each["name"], each["value"]) for each in HELM["env"])


def test_the_compose_file_keeps_the_schema_of_its_specification() -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_yamllint_and_hadolint_find_nothing() -> None:
    done = subprocess.run([BIN / "yamllint", "-d", LINT, DEPLOY], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    done = subprocess.run([BIN / "hadolint", DEPLOY / "dvid.Dockerfile"], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_every_variable_is_one_that_somebody_reads() -> None:
    """Kills a setting that Airflow, emseg or another program never looks at: it would be off without a word."""
    reference = (PROJECT / "docs" / "reference.md").read_text()
    of_others = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "ROOT_ACCESS_KEY", "ROOT_SECRET_KEY"}
    known = {*VARIABLES_OF_DVID.values(), *VARIABLES_OF_S3.values(), *of_others, "SPARK_CONF_DIR"}
    for name in {name for name, _ in settings()} - known:
        if name.startswith("AIRFLOW__"):
            section, option = name.lower().removeprefix("airflow__").split("__")
            assert option in conf.configuration_description[section]["options"], name
        elif name.startswith("AIRFLOW_CONN_"):
            assert name.removeprefix("AIRFLOW_CONN_").lower() in CONNECTIONS
        else:
            assert f"| `{name}` |" in reference, name
    lines = (DEPLOY / "services.env.example").read_text().splitlines()
    names = {line.partition("=")[0] for line in lines if not line.startswith("#")}
    assert names < {*VARIABLES_OF_DVID.values(), *VARIABLES_OF_S3.values()}


def test_no_secret_has_a_value_and_the_example_names_each() -> None:
    """Kills a password that everybody who reads the repository has, and a name that nobody is told to fill in."""
    asked = set(re.findall(r"\$\{([A-Z0-9_]+):\?\}", (DEPLOY / "compose.yaml").read_text()))
    lines = (DEPLOY / ".env.example").read_text().splitlines()
    assert {line for line in lines if not line.startswith("#")} == {f"{name}=" for name in asked}
    secret = re.compile(r"(SECRET|PASSWORD|_KEY|TOKEN|SQL_ALCHEMY)")
    given = {name: value for name, value in settings() if secret.search(name) and not name.endswith("_FILE")}
    assert [name for name, value in given.items() if ":?}" not in value] == []
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    assert ignored.index("deploy/.env") > ignored.index("!deploy")
    assert "deploy/.env" in (PROJECT / ".gitignore").read_text().splitlines()


def airflow_commands() -> Iterator[list[str]]:
    for service in COMPOSE["services"].values():
        words = service.get("command", [])
        if words[:2] == ["bash", "-ec"]:
            yield from (shlex.split(line) for line in words[2].split(";") if "airflow" in line)
        elif words[:1] == ["airflow"]:
            yield words


def test_every_command_of_airflow_is_one() -> None:
    """Kills `airflow webserver`, which Airflow 3 no longer has; a missing triggerer or DAG processor."""
    commands = [words[1:] for words in airflow_commands()]
    for words in commands:
        get_parser().parse_args(words)
    assert {words[0] for words in commands} == {"db", "pools", "api-server", "scheduler", "dag-processor", "triggerer"}


def test_connections_are_those_that_emseg_reads() -> None:
    """Kills JSON that is broken across lines, and a Connection of another name."""
    environment = COMPOSE["services"]["scheduler"]["environment"]
    found = {name: json.loads(value) for name, value in environment.items() if name.startswith("AIRFLOW_CONN_")}
    assert {name.lower().removeprefix("airflow_conn_") for name in found} == {"emseg_dvid", "emseg_s3", "emseg_spark"}
    assert found["AIRFLOW_CONN_EMSEG_S3"]["extra"]["bucket"] == "emseg"


def test_pools_are_those_of_the_devstack() -> None:
    told = json.loads((DEPLOY / "pools.json").read_text())
    assert {name: (pool["slots"], pool["description"]) for name, pool in told.items()} == POOLS


def test_classes_that_spark_starts_are_in_its_jars() -> None:
    """Kills a class that another Spark had, and an option that the executor does not know."""
    jars = Path(pyspark.__file__).parent / "jars"
    with zipfile.ZipFile(next(jars.glob("spark-core_*.jar"))) as core:
        names = set(core.namelist())
    for name in ("spark-master", "spark-worker"):
        program, kind, *_ = COMPOSE["services"][name]["command"]
        assert program == "spark-class"
        assert f"{kind.replace('.', '/')}.class" in names
    text = (DEPLOY / "entrypoint.sh").read_text()
    kind = re.search(r"org\.apache\.spark\.\S+", text)[0].replace(".", "/")
    with zipfile.ZipFile(next(jars.glob("spark-kubernetes_*.jar"))) as kubernetes:
        code = kubernetes.read(f"{kind}$.class")
    options = [word.encode() for word in re.findall(r"(?<!\S)--[a-zA-Z-]+(?= \"\$\{SPARK_)", text)]
    assert len(options) == 7
    assert [option for option in options if option not in code] == []


def programs(folder: Path, *names: str) -> dict[str, str]:
    """An environment in which programs of these names write down what they are given."""
    for name in names:
        (folder / name).write_text(f"#!/bin/bash\nprintf '%s\\n' {name} \"$@\" > {folder}/given\n")
        (folder / name).chmod(stat.S_IRWXU)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def given(folder: Path, environment: dict[str, str], *words: str) -> list[str]:
    subprocess.run([DEPLOY / "entrypoint.sh", *words], env=environment, check=True)
    return (folder / "given").read_text().splitlines()


def test_a_pod_of_kubernetes_starts_a_driver_or_an_executor_and_any_other_command_as_it_is(tmp_path: Path) -> None:
    """Kills a driver that submits itself again, and options with spaces that fall apart."""
    environment = programs(tmp_path, "spark-submit", "java", "airflow")
    assert given(tmp_path, environment, "airflow", "tasks", "run a") == ["airflow", "tasks", "run a"]
    driver = given(
        tmp_path, {**environment, "SPARK_DRIVER_BIND_ADDRESS": "10.0.0.7"}, "driver", "--class", "x", "main.py", "a b"
    )
    assert driver == [
        "spark-submit",
        *("--conf", "spark.driver.bindAddress=10.0.0.7", "--conf", "spark.executorEnv.SPARK_DRIVER_POD_IP=10.0.0.7"),
        *("--deploy-mode", "client", "--class", "x", "main.py", "a b"),
    ]
    of_spark = {
        "SPARK_HOME": "/spark",
        "SPARK_CONF_DIR": "/conf",
        "SPARK_JAVA_OPT_0": "-Dx=a b",
        "SPARK_JAVA_OPT_1": "-Dy=c",
        "SPARK_EXECUTOR_MEMORY": "2048m",
        "SPARK_DRIVER_URL": "spark://d",
        "SPARK_EXECUTOR_ID": "1",
        "SPARK_EXECUTOR_CORES": "4",
        "SPARK_APPLICATION_ID": "app",
        "SPARK_EXECUTOR_POD_IP": "10.0.0.8",
        "SPARK_RESOURCE_PROFILE_ID": "0",
        "SPARK_EXECUTOR_POD_NAME": "pod",
    }
    executor = given(tmp_path, {**environment, **of_spark}, "executor")
    assert executor[:7] == ["java", "-Dx=a b", "-Dy=c", "-Xms2048m", "-Xmx2048m", "-cp", "/conf:/spark/jars/*"]
    assert executor[8:12] == ["--driver-url", "spark://d", "--executor-id", "1"]


def test_dvid_is_configured_and_built_like_that_of_the_tests() -> None:
    """Kills an index cache, a missing log store, and another version of DVID."""
    told = tomllib.loads((DEPLOY / "dvid.toml").read_text())
    tried = tomllib.loads(dvid_toml(Path("/data"), 8000, 8001))
    tried["server"]["httpAddress"] = "0.0.0.0:8000"
    assert told["server"].pop("corsDomains")
    del tried["server"]["corsDomains"]
    assert told == tried
    built = (DEPLOY / "dvid.Dockerfile").read_text().replace('"', "")
    assert [flag for flag in (*DVID.flags, "-mod=readonly") if flag not in built] == []


def options_of(words: list[str]) -> list[str]:
    """Options of versitygw without addresses and folders."""
    return [word for word in words if word.startswith("--") or word in ("posix", "/healthz")]


@pytest.mark.services
def test_the_s3_server_is_started_like_that_of_the_tests(devstack: DevStack) -> None:
    """Kills a server that shows its temporary files, which the tests of emseg never met."""
    (pid,) = (each.pid for each in status(devstack.root) if "s3" in each.role)
    running = psutil.Process(pid).cmdline()
    assert options_of(COMPOSE["services"]["s3"]["command"]) == options_of(running)


@pytest.mark.services
def test_the_bucket_is_made_once(devstack: DevStack) -> None:
    """Kills an `init` that fails when everything is started a second time."""
    keys = {"AWS_ACCESS_KEY_ID": devstack.s3_access_key, "AWS_SECRET_ACCESS_KEY": devstack.s3_secret_key}
    environment = {**os.environ, **keys, "EMSEG_S3_ENDPOINT": devstack.s3_url, "EMSEG_S3_BUCKET": "of-deploy"}
    for _ in range(2):
        subprocess.run([sys.executable, DEPLOY / "make_bucket.py"], env=environment, check=True)
    named: dict[str, Any] = {
        "aws_access_key_id": devstack.s3_access_key,
        "aws_secret_access_key": devstack.s3_secret_key,
        "endpoint_url": devstack.s3_url,
        "region_name": "us-east-1",
    }
    assert "of-deploy" in [bucket["Name"] for bucket in boto3.client("s3", **named).list_buckets()["Buckets"]]
