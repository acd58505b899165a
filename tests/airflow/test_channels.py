"""The channels of a deployment, from its Airflow Connections: a webhook, a Slack-shaped endpoint and a mail server."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, get_args

import pytest
from tests.alerts.mail_server import MailServer, mail_server
from tests.memory_store import MemoryStore
from tests.refusals import refused

from emseg.alerts import Alert, Receipts, WorstPlace
from emseg.config.alerts import Kind
from emseg.errors import PermanentError
from emseg_airflow import channels as module
from emseg_airflow import notifier
from emseg_airflow.channels import channels
from emseg_airflow.notifier import deliver

SECRET = "canary-in-a-connection"
KINDS = get_args(Kind)
log = logging.getLogger("people")


@dataclass
class Endpoint:
    """Webhook and Slack in one server, by path. `status` of a path; 0 closes without an answer, None hangs."""

    port: int = 0
    status: dict[str, int | None] = field(default_factory=dict)
    got: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {"webhook": [], "slack": []})
    end: Event = field(default_factory=Event)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            path = self.path.split("/")[1]
            state.got[path].append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status = state.status.get(path, 200)
            if status is None:
                state.end.wait(30)
            if status:
                self.send_response(status)
                self.end_headers()
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    state.port = server.server_port
    yield state
    state.end.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def everywhere(endpoint: Endpoint, mail: MailServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """All three Connections, with secrets, and a dataset that tells of every kind."""
    base = f"http://127.0.0.1:{endpoint.port}"
    connect(monkeypatch, "emseg_webhook", conn_type="http", password=f"{base}/webhook/{SECRET}")
    connect(monkeypatch, "emseg_slack", conn_type="slackwebhook", host=f"{base}/slack", password=SECRET)
    connect(monkeypatch, "emseg_smtp", **mail_connection(mail.port))
    monkeypatch.setenv("EMSEG_INSIDE_HOSTS", "127.0.0.1")
    monkeypatch.setenv("EMSEG_DATASETS", str(tmp_path))
    (tmp_path / "demo.yaml").write_text(
        "name: demo\ndescription: d\nalerts: {published: info}\n"
        "volume: {node: de30000000000000000000000000de30, groundtruth: {instance: groundtruth}}\n"
    )


def connect(monkeypatch: pytest.MonkeyPatch, conn_id: str, **fields: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))


def mail_connection(port: int, **extra: Any) -> dict[str, Any]:
    plain = {"disable_ssl": True, "disable_tls": True, "timeout": 2, "retry_limit": 1}
    to = {"from_email": "emseg@example.org", "to": "ann@example.org, bo@example.org"}
    return {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": {**plain, **to, **extra}}


def alert(kind: str) -> Alert:
    return Alert(
        kind=kind,
        severity="error",
        title=f"This is {kind}",
        dataset="demo",
        run="run-1",
        cause="one",
        reasons=("VI split is 2.5 bits",),
        figures={"vi_split": 2.5},
        served={"vi_split": 2.0},
        served_number=3,
        places=(WorstPlace(text="Body 17", position_vox=(1.5, 2.5, 3.5), link="https://ng/#!x"),),
        links={"Report": "https://airflow/emseg/report/demo/run-1"},
    )


def counts(endpoint: Endpoint, mail: MailServer) -> dict[str, int]:
    return {**{name: len(got) for name, got in endpoint.got.items()}, "mail": len(mail.taken)}


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("kind", KINDS)
def test_each_channel_gets_one_well_formed_message_of_each_kind(
    kind: str, endpoint: Endpoint, mail: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Kills a kind that a channel cannot say, and a second message from a second notifier."""
    store = MemoryStore()
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            deliver([alert(kind)], store, Receipts(store, "demo", "run-1"))
    assert counts(endpoint, mail) == {"webhook": 1, "slack": 1, "mail": 1}
    (hook,), (slack,), ((_, recipients, message),) = *endpoint.got.values(), mail.taken
    assert (hook["alert"]["kind"], hook["alert"]["title"]) == (kind, f"This is {kind}")
    assert {block["type"] for block in slack["blocks"]} == {"header", "section"}
    assert recipients == ["ann@example.org", "bo@example.org"]
    for text in (hook["text"], slack["text"], message.get_body(("plain",)).get_content(), caplog.text):
        assert all(part in text for part in (f"This is {kind}", "2.5 (release 3: 2, +0.5)", "Z 1, Y 2, X 3", "/demo/"))
    assert SECRET not in caplog.text + repr(endpoint.got) + message.as_string() + repr(store.objects)


@pytest.mark.usefixtures("everywhere")
@pytest.mark.parametrize("broken", ["webhook", "slack", "mail"])
@pytest.mark.parametrize("how", ["failing", "hanging", "closing"])
@pytest.mark.fault("F22")
def test_one_broken_channel_keeps_no_other_from_its_message(
    how: str, broken: str, endpoint: Endpoint, mail: MailServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Kills one timeout for all, a failure that is raised, and a second message after an answer that was lost."""
    endpoint.status[broken] = {"failing": 500, "hanging": None, "closing": 0}[how]
    mail.answers |= {".": {"failing": "451 later", "hanging": "hang", "closing": ""}[how]} if broken == "mail" else {}
    store, began = MemoryStore(), time.monotonic()
    deliver([alert("failed")], store, Receipts(store, "demo", "run-1"), pauses_s=(), longest_s=1.0)
    assert time.monotonic() - began < 5
    (receipt,) = Receipts(store, "demo", "run-1").of_this_run()
    states = {name: each.state for name, each in receipt.deliveries.items()}
    left = {"failing": {"failed"}, "hanging": {"claimed", "unsure"}, "closing": {"unsure"}}[how]
    assert states.pop(broken) in left
    assert states == dict.fromkeys({"log", "webhook", "slack", "mail"} - {broken}, "delivered")
    endpoint.status.clear()
    mail.answers.clear()
    deliver([alert("failed")], store, Receipts(store, "demo", "run-1"), pauses_s=())
    again = {"webhook": 2, "slack": 2, "mail": 1}[broken] if how == "failing" else 1
    assert counts(endpoint, mail) == {"webhook": 1, "slack": 1, "mail": 1} | {broken: again}
    assert SECRET not in caplog.text + repr(store.objects)


def test_without_connections_there_is_only_the_log() -> None:
    assert [channel.name for channel in channels(log)] == ["log"]


@pytest.mark.parametrize(
    ("connection", "url"),
    [
        ({"password": f"T0/B0/{SECRET}"}, f"https://hooks.slack.com/services/T0/B0/{SECRET}"),
        ({"password": f"https://chat.example.org/hooks/{SECRET}"}, f"https://chat.example.org/hooks/{SECRET}"),
    ],
)
def test_slack_is_where_airflows_provider_says(
    connection: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emseg.outside_addresses._addresses", lambda _: set())
    connect(monkeypatch, "emseg_slack", conn_type="slackwebhook", **connection)
    (_, slack) = channels(log)
    assert slack._url.get_secret_value() == url
    assert SECRET not in repr(vars(slack))


@pytest.mark.parametrize(
    ("conn_id", "connection", "said"),
    [
        ("emseg_slack", {"conn_type": "slackwebhook"}, "no password"),
        ("emseg_slack", {"conn_type": "slackwebhook", "password": f"http://10.0.0.1/{SECRET}"}, "10.0.0.1"),
        ("emseg_webhook", {"conn_type": "http", "password": f"ftp://example.org/{SECRET}"}, "example.org"),
        ("emseg_smtp", mail_connection(25, to=""), "there is no recipient"),
        ("emseg_smtp", mail_connection(25, from_email=f"x\r\n{SECRET}@y"), "an address is none"),
        ("emseg_smtp", mail_connection(25) | {"host": "mail.example.org", "password": SECRET}, "not be encrypted"),
    ],
)
def test_a_connection_that_cannot_be_used_is_told_and_keeps_no_other_channel(
    conn_id: str,
    connection: dict[str, Any],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Kills an alert that is lost with a typing error in a Connection, and a password that is sent in the clear."""
    connect(monkeypatch, conn_id, **connection)
    assert [channel.name for channel in channels(log)] == ["log"]
    assert said in caplog.text
    assert SECRET not in caplog.text


def test_a_mail_server_gets_the_login_of_the_connection_and_refusals_do_not_show_it(
    mail: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail.answers["EHLO"] = "250-me\r\n250 AUTH PLAIN"
    connect(monkeypatch, "emseg_smtp", login="emseg", password=SECRET, **mail_connection(mail.port))
    (_, channel) = channels(log)
    channel.deliver(alert("failed"))
    assert len(mail.taken) == 1
    assert any(command.startswith("AUTH PLAIN") for command in mail.commands)
    mail.answers["AUTH"] = f"535 wrong {SECRET}"
    with refused(PermanentError, "127.0.0.1", "SMTP 535") as caught:
        channel.deliver(alert("failed"))
    assert SECRET not in str(caught.value)


def test_every_channel_of_the_module_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a channel that is written and never used."""
    opened = {function for name, function in vars(module).items() if name in {"_webhook", "_slack", "_mail"}}
    assert set(module.CHANNELS) == opened
    assert notifier.channels is module.channels
