"""Planted secrets stay where they are: in no error, no log, no child process, no core file.

`tests/pipeline/test_secrets.py` looks through all that real runs leave behind.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr, ValidationError
from tests.refusals import refused

from emseg.config import DvidConnection, S3Connection
from emseg.config.connections import VARIABLES_OF_DVID, VARIABLES_OF_S3
from emseg.config.pipeline import Isolation, StepConfig
from emseg.dvid import DvidServer
from emseg.errors import PermanentError, TransientError
from emseg.segment import Setting, StepKind, isolation
from emseg.segment.registry import make_step
from emseg.store import S3Store

CANARY = "canary-5f1d"
AT_EXIT = """
import resource, subprocess
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
if {holds}:
    from emseg.config import DvidConnection
    DvidConnection(url="https://dvid", token="canary")
print(subprocess.check_output(["sh", "-c", "ulimit -c"], text=True).strip())
"""


@pytest.fixture
def refusing_s3() -> Iterator[str]:
    """An S3 server that refuses everybody, in words that should not be trusted."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<Error><Code>Denied\n[2026-01-01] root \x1b[31mpassed</Code><Message>x</Message></Error>"
            self.send_response(403)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def core_limit(holds: bool) -> str:
    command = [sys.executable, "-c", AT_EXIT.format(holds=holds)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_a_process_with_a_connection_and_its_children_leave_no_core_file():
    """Kills the secrets of a crashed driver on a disk that many read."""
    if core_limit(holds=False) == "0":
        pytest.skip("nobody may leave core files here")
    assert core_limit(holds=True) == "0"


def test_the_child_process_of_a_step_gets_nothing_of_the_services(monkeypatch):
    """Kills `os.environ` for code that others wrote: a step that prints its environment would fill reports with it."""
    planted = [*VARIABLES_OF_DVID.values(), *VARIABLES_OF_S3.values(), "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW_CONN_X"]
    for name in planted:
        monkeypatch.setenv(name, CANARY)
    given: list[dict[str, str]] = []

    def popen(*_: Any, env: dict[str, str], **__: Any) -> None:
        given.append(env)
        raise OSError("enough seen")

    monkeypatch.setattr(isolation.subprocess, "Popen", popen)
    step = make_step(StepKind.MASK, StepConfig(name="empty-region"), Setting((10.0, 10.0, 10.0)))
    with pytest.raises(TransientError):
        isolation.run_isolated(step, Isolation(), (np.zeros((2, 2, 2), np.uint8),))
    (environment,) = given
    assert "PATH" in environment
    assert CANARY not in environment.values()
    assert set(planted) & set(environment) == set()


def test_no_log_level_shows_the_keys_or_the_session_token_of_s3(refusing_s3, caplog):
    """Kills botocore's lines at DEBUG: they hold the session token, as a header and in the text to sign."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("botocore").setLevel(logging.DEBUG)
    keys = {name: SecretStr(f"{CANARY}-{name}") for name in ("secret_key", "session_token")}
    connection = S3Connection(endpoint_url=refusing_s3, bucket="b", access_key=SecretStr("key"), **keys)
    with refused(PermanentError, "HTTP 403") as caught:
        S3Store.open(connection, probe=False).get("a/b")
    shown = [caplog.text, str(caught.value), repr(caught.value), repr(caught.value.__cause__), repr(connection)]
    assert [text for text in shown if CANARY in text] == []


def test_what_a_server_calls_its_error_is_shown_only_where_it_is_a_name(refusing_s3):
    """Kills lines of a log that a server has written."""
    connection = S3Connection(endpoint_url=refusing_s3, bucket="b", access_key="k", secret_key="s")
    with pytest.raises(PermanentError) as caught:
        S3Store.open(connection, probe=False).get("a/b")
    assert "\n" not in str(caught.value)
    assert "root" not in str(caught.value)


def test_a_connection_that_is_wrong_does_not_show_its_values():
    """Kills pydantic's own message, which shows the whole input."""
    with pytest.raises(ValidationError) as caught:
        S3Connection.model_validate({"secret_key": CANARY, "access_key": CANARY})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{CANARY}@dvid:8000",
        f"http://:{CANARY}@dvid:8000",
        f"https://{CANARY}@dvid",
        f"https://dvid/?admintoken={CANARY}",
        f"https://dvid/#{CANARY}",
        f"https://dvid:{CANARY}",
        f"https://[{CANARY}",
        f"dvid/{CANARY}",
    ],
)
def test_an_address_of_dvid_with_a_secret_is_refused_and_not_shown(url):
    """Kills an admin token in the query, a password without a user, and parts of an address in an error."""
    with pytest.raises(PermanentError) as caught:
        DvidServer(DvidConnection(url=url))
    assert CANARY not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
