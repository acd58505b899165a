"""Airflow's environment: connections that Airflow itself can read, and secrets only where they belong."""

import json
import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from emseg.devstack import DevStack
from emseg.devstack.airflow_settings import (
    airflow_connections,
    airflow_environment,
    airflow_keys,
    airflow_settings,
)

STACK = DevStack(
    root=Path("/data"),
    dvid_url="http://127.0.0.1:8000",
    s3_url="http://127.0.0.1:9000",
    s3_access_key="EMSEGKEY",
    s3_secret_key="se/cr:et@%",
    bucket="emseg",
    dvid_log=Path("/data/logs/dvid.log"),
    s3_log=Path("/data/logs/s3.log"),
)


def test_connections_are_what_airflow_reads_back() -> None:
    """Kills: a URI form that breaks on `/:@%` in a key. Oracle: Airflow's own parser."""
    sdk = pytest.importorskip("airflow.sdk")
    connections = airflow_connections(STACK, "local[2]")
    read = {name: sdk.Connection.from_json(value, conn_id=name) for name, value in connections.items()}
    assert set(read) == {"AIRFLOW_CONN_EMSEG_DVID", "AIRFLOW_CONN_EMSEG_S3", "AIRFLOW_CONN_EMSEG_SPARK"}
    dvid, s3, spark = (read[f"AIRFLOW_CONN_EMSEG_{name}"] for name in ("DVID", "S3", "SPARK"))
    assert (dvid.conn_type, dvid.schema, dvid.host, dvid.port) == ("http", "http", "127.0.0.1", 8000)
    assert (s3.conn_type, s3.login, s3.password) == ("aws", "EMSEGKEY", "se/cr:et@%")
    assert s3.extra_dejson == {
        "endpoint_url": "http://127.0.0.1:9000",
        "bucket": "emseg",
        "prefix": "emseg",
        "region_name": "us-east-1",
    }
    assert (spark.conn_type, spark.host) == ("spark", "local[2]")


def test_keys_are_private_kept_and_usable(tmp_path: Path) -> None:
    """Kills: keys that change at a restart (stored connections turn unreadable), files that others can read."""
    keys = airflow_keys(tmp_path)
    assert airflow_keys(tmp_path) == keys
    Fernet(keys.fernet_key)
    files = list(tmp_path.iterdir())
    assert len(files) == 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert keys.password not in repr(keys) + str(keys)


def test_password_file_holds_the_login_airflow_will_ask_for(tmp_path: Path) -> None:
    """Kills: a password file of another user or folder, for which Airflow would make up a password and print it."""
    keys = airflow_keys(tmp_path)
    settings = airflow_settings(tmp_path, tmp_path, 8080, keys)
    file = Path(settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    user, role = settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"].split(":")
    assert json.loads(file.read_text()) == {user: keys.password}
    assert role == "admin"


def test_all_addresses_follow_the_chosen_port(tmp_path: Path) -> None:
    """Kills: tasks that call the execution API on Airflow's default port."""
    settings = airflow_settings(tmp_path, tmp_path, 4711, airflow_keys(tmp_path))
    assert settings["AIRFLOW__API__PORT"] == "4711"
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert settings["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:4711/execution/"


def test_settings_of_another_airflow_do_not_leak_in(tmp_path: Path) -> None:
    """Kills: a caller's own Airflow (its database, its home) being used by the devstack; a lost JAVA_HOME."""
    caller = {
        "AIRFLOW_HOME": "/theirs",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://theirs",
        "AIRFLOW_CONFIG": "/theirs/airflow.cfg",
        "AIRFLOW_CONN_TEAM_CHAT": "theirs too, and wanted",
        "JAVA_HOME": "/java",
        "PATH": "/usr/bin",
    }
    environment = airflow_environment(caller, tmp_path, {"AIRFLOW__API__PORT": "4711"})
    assert environment["AIRFLOW_HOME"] == str(tmp_path)
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in environment
    assert "AIRFLOW_CONFIG" not in environment
    assert environment["AIRFLOW_CONN_TEAM_CHAT"] == "theirs too, and wanted"
    assert environment["JAVA_HOME"] == "/java"
    assert environment["PATH"].endswith(":/usr/bin")
    assert environment["AIRFLOW__API__PORT"] == "4711"
