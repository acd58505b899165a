"""Airflow Connections `emseg_dvid` and `emseg_s3` as emseg's own connections, and the services opened with them.

`emseg_dvid`: type http; host is the server's URL (or host, port and schema), password a user's token if it wants one;
extra may hold `max_requests`, the limit of requests under way over all processes.
`emseg_s3`: type aws; login and password are the key pair (empty: the role of the machine), extra holds `bucket` and,
where needed, `endpoint_url`, `prefix`, `region_name`, `aws_session_token`.
Optional ones are where alerts go besides the log. `emseg_webhook`: the address as host, or as password where it holds
a secret; extra `http_hosts` where plain http is wanted. `emseg_slack` (type slackwebhook) and `emseg_smtp` (type smtp)
are read as Airflow's providers say; extra of `emseg_smtp` also holds `to`, the recipients.
Read in the running task only, never when a DAG is parsed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from pydantic import ValidationError

from emseg.config import DvidConnection, S3Connection, environment_of
from emseg.errors import PermanentError

if TYPE_CHECKING:
    from emseg.phases.services import DvidServices
    from emseg.store import ObjectStore

DVID = "emseg_dvid"
S3 = "emseg_s3"
SPARK = "emseg_spark"
WEBHOOK = "emseg_webhook"
SLACK = "emseg_slack"
SMTP = "emseg_smtp"

C = TypeVar("C", DvidConnection, S3Connection)


@dataclass(frozen=True)
class Webhook:
    """An address, which may hold a secret, and the hosts to which plain http is good enough."""

    url: str = field(repr=False)
    http_hosts: tuple[str, ...] = ()


_S3_EXTRAS = {
    "bucket": "bucket",
    "endpoint_url": "endpoint_url",
    "prefix": "prefix",
    "region": "region_name",
    "session_token": "aws_session_token",
}


def airflow_connection(conn_id: str) -> Connection:
    """The Airflow Connection; PermanentError that says how to make it where there is none."""
    found = optional_connection(conn_id)
    if found is None:
        raise PermanentError(
            "reading an Airflow Connection",
            conn_id,
            "there is none with this id",
            f"Add it (Admin > Connections, a secrets backend, or the variable AIRFLOW_CONN_{conn_id.upper()})",
        )
    return found


def optional_connection(conn_id: str) -> Connection | None:
    """The Airflow Connection; None where there is none with this id."""
    try:
        return Connection.get(conn_id)
    except AirflowNotFoundException:
        return None


def dvid_connection() -> DvidConnection:
    """The DVID server of Connection `emseg_dvid`."""
    connection = airflow_connection(DVID)
    limit = connection.extra_dejson.get("max_requests")
    data = {"url": _url(connection), "token": connection.password or None, "max_requests": limit}
    return _made(DvidConnection, data, DVID)


def s3_connection() -> S3Connection:
    """The bucket of Connection `emseg_s3`."""
    connection = airflow_connection(S3)
    extra = connection.extra_dejson
    data = {field: extra[name] for field, name in _S3_EXTRAS.items() if extra.get(name)}
    keys = {"access_key": connection.login or None, "secret_key": connection.password or None}
    return _made(S3Connection, {**data, **keys}, S3)


def service_environment() -> dict[str, str]:
    """Both connections as the variables that a Spark driver reads: for the environment of a process, never a log."""
    return {**environment_of(dvid_connection()), **environment_of(s3_connection())}


def object_store(probe: bool = True) -> ObjectStore:
    """The object store of Connection `emseg_s3`; without a probe it is for reading only."""
    from emseg.store import S3Store

    return S3Store.open(s3_connection(), probe)


def services() -> DvidServices:
    """The store and the DVID server that a task works with."""
    from emseg.phases.services import DvidServices, limited_server

    store = object_store()
    return DvidServices(store, limited_server(dvid_connection(), store))


def webhook() -> Webhook | None:
    """Where alerts are posted to, by Connection `emseg_webhook`; None where there is none."""
    connection = optional_connection(WEBHOOK)
    if connection is None:
        return None
    return Webhook(connection.password or _url(connection), tuple(connection.extra_dejson.get("http_hosts", ())))


def _made(kind: type[C], data: dict[str, Any], conn_id: str) -> C:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        # Without the values: they are secrets, and pydantic would show them all for a field that is missing.
        faults = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors(include_input=False))
        raise PermanentError("reading an Airflow Connection", conn_id, faults, "Correct the Connection") from None


def _url(connection: Connection) -> str:
    host = connection.host or ""
    if "://" not in host:
        if not host or not connection.schema:
            raise PermanentError(
                "reading an Airflow Connection",
                connection.conn_id,
                f"host and schema {connection.schema!r} do not make a URL",  # a host may hold a password
                "Give the whole URL as host, e.g. https://dvid.example.org:8000, or the schema https or http",
            )
        host = f"{connection.schema}://{host}"
    return f"{host}:{connection.port}" if connection.port else host
