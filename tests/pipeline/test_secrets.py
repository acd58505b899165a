"""Secrets of a real run: only in the two files that are made for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.pipeline.conftest import COMMANDS
from tests.planted import PLANTED

from emseg.devstack import DevStack

pytestmark = [pytest.mark.services, pytest.mark.spark, pytest.mark.airflow]

KEPT_IN = {"s3-keys.json", "keys.json", "simple_auth_manager_passwords.json"}


def test_no_log_no_database_and_no_object_of_a_run_holds_a_secret(airflow, published, alerts, devstack: DevStack):
    """Kills keys in an argument, a rendered field, an XCom, a log line, a marker or an alert.

    Logs, metadata database, S3 and DVID of the session are all files of one folder. Runs that were killed, refused and
    failed are among them: the files of this folder that come before this one in the alphabet made them.
    """
    keys = json.loads((airflow.home / "keys.json").read_text())
    secrets = [devstack.s3_secret_key, keys["password"], keys["fernet_key"], keys["api_key"], keys["jwt_key"], *PLANTED]
    looked_at, found = 0, []
    for path in devstack.root.rglob("*"):
        if path.is_file() and path.name not in KEPT_IN and path.stat().st_blocks * 512 < 1 << 28:
            looked_at += 1
            found += [path for secret in secrets if _holds(path, secret.encode())]
    assert looked_at > 100
    assert not found
    assert [told for told in alerts if any(secret in json.dumps(told) for secret in secrets)] == []
    assert any("run_stage.py" in command for command in COMMANDS), "no driver was seen"
    assert [command for command in COMMANDS if any(secret in command for secret in secrets)] == []


def _holds(path: Path, secret: bytes) -> bool:
    """Sparse files (DVID's value log is 2 GiB of holes) are read only as far as they hold data."""
    with path.open("rb") as file:
        tail = b""
        while chunk := file.read(1 << 22):
            if secret in tail + chunk:
                return True
            tail = chunk[-len(secret) :]
            if path.suffix == ".vlog" and not chunk.strip(b"\0"):
                return False
    return False
