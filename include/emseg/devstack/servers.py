"""The two servers of a devstack: how each is configured, started and asked whether it is ready. 127.0.0.1 only."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import requests
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import SecretStr

from emseg.child_environment import for_devstack
from emseg.config.connections import S3Connection
from emseg.devstack.keys import S3Keys
from emseg.devstack.processes import free_port, start, stop, wait_until
from emseg.devstack.state import State
from emseg.disk import write_whole
from emseg.dvid.filelog import logs_in, repair_filelogs
from emseg.store.s3 import s3_client

DVID_ROLE, S3_ROLE = "dvid", "s3"
BUCKET = "emseg"

SHUTDOWN_DELAY_S = 5
"""How long DVID lets open requests end after SIGTERM: longer than any POST of mappings, or its log is torn."""

GRACE_S = SHUTDOWN_DELAY_S + 40.0
"""Time to end before SIGKILL: DVID waits up to 20 s for its handlers, then the delay, then closes its stores."""

VIEWER_ORIGINS = ("https://neuroglancer-demo.appspot.com", "http://127.0.0.1:*", "http://localhost:*")
"""Web pages whose scripts may read this DVID: neuroglancer on the web and on this computer. Not `*`: the server has no
login, and any page open in the user's browser could then read (and write) unpublished volumes."""

_READY_TIMEOUT_S = 120.0
_log = logging.getLogger(__name__)


def log_of(root: Path, role: str) -> Path:
    """Where the output of a server goes."""
    return root / "logs" / f"{role}.log"


def dvid_is_ready(port: int) -> bool:
    """Whether DVID serves requests. Its heartbeat would not do: it answers 200 even while the server is stopping."""
    return _answers_200(f"http://127.0.0.1:{port}/api/server/info")


def s3_is_ready(port: int) -> bool:
    """Whether the S3 server answers its health check."""
    return _answers_200(f"http://127.0.0.1:{port}/healthz")


def start_dvid(root: Path, binary: Path, before: State) -> State:
    """Repair DVID's logs, start it, wait until it answers. Returns the state with its pid and ports."""
    stop(root, {DVID_ROLE}, GRACE_S)
    _repair_logs(root / "dvid" / "log")
    http = free_port(before.dvid_port)
    rpc = free_port(before.dvid_rpc_port, taken=(http,))
    configuration = root / "dvid" / "dvid.toml"
    write_whole(configuration, dvid_toml(root / "dvid", http, rpc).encode())
    leader = start(root, DVID_ROLE, [str(binary), str(configuration)], _plain_environment(), log_of(root, DVID_ROLE))
    wait_until(lambda: dvid_is_ready(http), [leader], _READY_TIMEOUT_S)
    return before.model_copy(update={"dvid_pid": leader.pid, "dvid_port": http, "dvid_rpc_port": rpc})


def start_s3(root: Path, binary: Path, before: State, keys: S3Keys) -> State:
    """Start the S3 server, wait until it answers, make the bucket. Returns the state with its pid and port."""
    stop(root, {S3_ROLE}, GRACE_S)
    port = free_port(before.s3_port)
    objects = root / "s3" / "objects"
    objects.mkdir(parents=True, exist_ok=True)
    # --disableotmp: the default mode shows its temporary links in listings
    options = ["--port", f"127.0.0.1:{port}", "--health", "/healthz", "--keep-alive", "--quiet"]
    command = [str(binary), *options, "posix", "--disableotmp", str(objects)]
    environment = {**_plain_environment(), "ROOT_ACCESS_KEY": keys.access_key, "ROOT_SECRET_KEY": keys.secret_key}
    leader = start(root, S3_ROLE, command, environment, log_of(root, S3_ROLE))
    wait_until(lambda: s3_is_ready(port) and _bucket_exists(port, keys), [leader], _READY_TIMEOUT_S)
    return before.model_copy(update={"s3_pid": leader.pid, "s3_port": port})


def dvid_toml(folder: Path, http_port: int, rpc_port: int) -> str:
    """DVID's configuration for data in `folder`.

    Labelmaps need the log store. There is no index cache, because DVID would answer from it with indices that are out
    of date, from the first read of a label until the next start.
    """
    text = json.dumps  # a JSON string is a TOML string
    return f"""\
[server]
httpAddress = "127.0.0.1:{http_port}"
rpcAddress = "127.0.0.1:{rpc_port}"
shutdownDelay = {SHUTDOWN_DELAY_S}
corsDomains = {text(list(VIEWER_ORIGINS))}

[mutations]
jsonstore = {text(str(folder.resolve() / "mutations"))}

[backend.default]
store = "mutable"
log = "mutationlog"

[store.mutable]
engine = "badger"
path = {text(str(folder.resolve() / "db"))}

[store.mutationlog]
engine = "filelog"
path = {text(str(folder.resolve() / "log"))}
"""


def _repair_logs(folder: Path) -> None:
    for each in repair_filelogs(folder) if logs_in(folder) else ():
        if each.kept is not None:
            _log.warning(
                "DVID log %s was torn: %d bytes cut off into %s. Post the mappings of this instance again.",
                *(each.path, each.torn_bytes, each.kept.name),
            )


def _plain_environment() -> dict[str, str]:
    ours = for_devstack(os.environ)
    return {name: ours[name] for name in ("PATH", "HOME", "LANG", "TZ", "TMPDIR") if ours.get(name)}


def _answers_200(url: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False  # the caller's proxy does not know this computer's servers
        try:
            return bool(session.get(url, timeout=5).status_code == requests.codes.ok)
        except requests.RequestException:
            return False


def _bucket_exists(port: int, keys: S3Keys) -> bool:
    client = s3_client(
        S3Connection(
            endpoint_url=f"http://127.0.0.1:{port}",
            bucket=BUCKET,
            access_key=SecretStr(keys.access_key),
            secret_key=SecretStr(keys.secret_key),
        )
    )
    try:
        if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket=BUCKET)
    except (BotoCoreError, ClientError):
        return False
    return True
