"""Airflow Connections as emseg's connections."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.refusals import refused

from emseg.config import dvid_connection as read_dvid
from emseg.config import s3_connection as read_s3
from emseg.errors import PermanentError
from emseg_airflow import connections

CANARY = "canary-secret"


def set_connection(monkeypatch: pytest.MonkeyPatch, conn_id: str, **fields: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"host": "https://dvid.example.org"}, "https://dvid.example.org"),
        ({"host": "http://127.0.0.1:8000"}, "http://127.0.0.1:8000"),
        ({"host": "http://dvid", "port": 8000}, "http://dvid:8000"),
        ({"host": "dvid", "port": 8000, "schema": "https"}, "https://dvid:8000"),
    ],
)
def test_a_dvid_server_is_given_as_url_or_in_parts(
    fields: dict[str, Any], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_connection(monkeypatch, "emseg_dvid", conn_type="http", password=CANARY, **fields)
    connection = connections.dvid_connection()
    assert connection.url == url
    assert connection.token is not None
    assert connection.token.get_secret_value() == CANARY
    assert CANARY not in repr(connection)


def test_a_server_without_a_scheme_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills guessing http: a token would go over the network in the clear."""
    set_connection(monkeypatch, "emseg_dvid", conn_type="http", host="dvid", port=8000, password=CANARY)
    with refused(PermanentError, connections.DVID, "schema") as caught:
        connections.dvid_connection()
    assert CANARY not in str(caught.value)


def test_a_connection_that_is_missing_is_named_with_the_ways_to_make_it() -> None:
    with refused(PermanentError, connections.DVID, "AIRFLOW_CONN_EMSEG_DVID"):
        connections.dvid_connection()


def test_an_s3_connection_needs_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    set_connection(monkeypatch, "emseg_s3", conn_type="aws", login="key", password=CANARY)
    with refused(PermanentError, connections.S3, "bucket") as caught:
        connections.s3_connection()
    assert CANARY not in str(caught.value)


def test_a_role_instead_of_keys_leaves_the_keys_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills empty keys in the environment, which boto3 would use instead of the role."""
    set_connection(monkeypatch, "emseg_s3", conn_type="aws", extra={"bucket": "neurons"})
    set_connection(monkeypatch, "emseg_dvid", conn_type="http", host="https://dvid")
    environment = connections.service_environment()
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "EMSEG_DVID_TOKEN"} & set(environment)


def test_a_driver_reads_back_what_the_connections_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends of the way to a Spark driver: a field lost between them would be a default in production."""
    extra = {"bucket": "neurons", "endpoint_url": "https://s3", "prefix": "team/em", "region_name": "eu-north-1"}
    set_connection(monkeypatch, "emseg_s3", conn_type="aws", login="key", password=CANARY, extra=extra)
    dvid_extra = {"max_requests": 64}
    set_connection(monkeypatch, "emseg_dvid", conn_type="http", host="https://dvid", password=CANARY, extra=dvid_extra)
    environment = connections.service_environment()
    assert read_s3(environment) == connections.s3_connection()
    assert read_s3(environment).prefix == "team/em"
    assert read_s3(environment).region == "eu-north-1"
    assert read_dvid(environment) == connections.dvid_connection()
    assert read_dvid(environment).max_requests == 64


@pytest.mark.parametrize("limit", [0, -1, 1001, "many", 1.5])
def test_a_limit_of_requests_that_is_none_is_refused(limit: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a limit of 0, under which everything waits for ever, and a typing error that means no limit."""
    set_connection(monkeypatch, "emseg_dvid", conn_type="http", host="https://dvid", extra={"max_requests": limit})
    with refused(PermanentError, connections.DVID, "max_requests"):
        connections.dvid_connection()
    with refused(PermanentError, "EMSEG_DVID_MAX_REQUESTS"):
        read_dvid({"EMSEG_DVID_URL": "https://dvid", "EMSEG_DVID_MAX_REQUESTS": str(limit)})


def test_a_webhook_is_optional_and_does_not_show_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connections.webhook() is None
    address = f"https://chat.example.org/{CANARY}"
    set_connection(monkeypatch, "emseg_webhook", conn_type="http", password=address, extra={"http_hosts": ["pager"]})
    webhook = connections.webhook()
    assert webhook == connections.Webhook(address, ("pager",))
    assert CANARY not in repr(webhook)


@pytest.mark.parametrize("conn_id", ["emseg_dvid", "emseg_webhook"])
def test_a_connection_whose_host_holds_a_secret_is_refused_without_it(
    conn_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills an error that repeats the host: `hooks.example.org/SECRET` and `user:SECRET@dvid` are hosts to Airflow."""
    set_connection(monkeypatch, conn_id, conn_type="http", host=f"hooks.example.org/{CANARY}")
    read = {"emseg_dvid": connections.dvid_connection, "emseg_webhook": connections.webhook}[conn_id]
    with pytest.raises(PermanentError) as caught:
        read()
    assert CANARY not in str(caught.value)
