"""A real DVID and a real S3 on this computer: `up`, `down`, `status`. All data is in one folder.

    root/devstack.json   pids and ports          root/dvid/   DVID's stores and configuration
    root/s3-keys.json    S3 keys, mode 0600      root/s3/     objects as files
    root/logs/           dvid.log, s3.log

The servers outlive the caller; a second `up` finds them. They listen on 127.0.0.1 only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from emseg.config.connections import DvidConnection, S3Connection, environment_of
from emseg.devstack.files import locked
from emseg.devstack.keys import s3_keys
from emseg.devstack.processes import Leader, roles_running, stop
from emseg.devstack.servers import (
    BUCKET,
    DVID_ROLE,
    GRACE_S,
    S3_ROLE,
    dvid_is_ready,
    log_of,
    s3_is_ready,
    start_dvid,
    start_s3,
)
from emseg.devstack.state import State
from emseg.devstack.tools import DVID, VERSITYGW, built

_BUSY_S = 30.0


@dataclass(frozen=True)
class DevStack:
    """A running devstack: where its servers are and with what keys (not shown by `repr`)."""

    root: Path
    dvid_url: str
    s3_url: str
    s3_access_key: str = field(repr=False)
    s3_secret_key: str = field(repr=False)
    bucket: str
    dvid_log: Path
    s3_log: Path

    @property
    def dvid(self) -> DvidConnection:
        """Connection to DVID; it wants no token."""
        return DvidConnection(url=self.dvid_url)

    @property
    def s3(self) -> S3Connection:
        """Connection to the bucket."""
        return S3Connection(
            endpoint_url=self.s3_url,
            bucket=self.bucket,
            access_key=SecretStr(self.s3_access_key),
            secret_key=SecretStr(self.s3_secret_key),
        )

    def environment(self) -> dict[str, str]:
        """Variables that bring a job or a command to these servers. Holds the S3 keys: never log it."""
        return environment_of(self.dvid) | environment_of(self.s3)


@dataclass(frozen=True)
class ServerStatus:
    """State of one server: the pid of its process (None: not running), whether it answers, its URL and its log."""

    role: str
    pid: int | None
    ready: bool
    url: str | None
    log: Path


def up(root: Path, tools: Path) -> DevStack:
    """Start DVID and S3 in `root` where they do not run, and wait until both answer; builds them once into `tools`.

    Raises PermanentError with the end of the log when a program cannot be built or a server does not become ready.
    """
    binaries = built(DVID, tools), built(VERSITYGW, tools)
    root = root.resolve()
    with locked(root / "devstack.lock"):
        state, keys = State.read(root), s3_keys(root)
        dvid, s3 = _patiently(root)
        if not dvid.ready:
            state = start_dvid(root, binaries[0], state)
            state.write(root)
        if not s3.ready:
            state = start_s3(root, binaries[1], state, keys)
            state.write(root)
    return DevStack(
        root=root,
        dvid_url=f"http://127.0.0.1:{state.dvid_port}",
        s3_url=f"http://127.0.0.1:{state.s3_port}",
        s3_access_key=keys.access_key,
        s3_secret_key=keys.secret_key,
        bucket=BUCKET,
        dvid_log=log_of(root, DVID_ROLE),
        s3_log=log_of(root, S3_ROLE),
    )


def _patiently(root: Path) -> tuple[ServerStatus, ...]:
    """`status`, after up to 30 s in which a server that runs but is busy may answer: it is not to be taken down."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        servers = status(root)
        if all(s.ready or s.pid is None for s in servers) or time.monotonic() > deadline:
            return servers
        time.sleep(0.5)


def down(root: Path) -> None:
    """Stop all that runs in `root` (about 5 s: DVID lets open requests end). Data and ports are kept.

    Everything else that was started in `root` (Airflow, its tasks, their Spark drivers) is stopped first.
    """
    root = root.resolve()
    if not root.is_dir():
        return
    with locked(root / "devstack.lock"):
        servers = {DVID_ROLE, S3_ROLE}
        stop(root, roles_running(root) - servers, grace_s=10)
        stop(root, servers, GRACE_S)
        State.read(root).model_copy(update={"dvid_pid": None, "s3_pid": None}).write(root)


def status(root: Path) -> tuple[ServerStatus, ...]:
    """State of DVID and of S3 in `root`, as their processes and servers answer now. Shows no secrets."""
    root = root.resolve()
    state = State.read(root)
    return (
        _status_of(Leader(root, DVID_ROLE, state.dvid_pid, log_of(root, DVID_ROLE)), state.dvid_port, dvid_is_ready),
        _status_of(Leader(root, S3_ROLE, state.s3_pid, log_of(root, S3_ROLE)), state.s3_port, s3_is_ready),
    )


def _status_of(leader: Leader, port: int | None, is_ready: Callable[[int], bool]) -> ServerStatus:
    if port is None or not leader.is_alive:
        return ServerStatus(leader.role, None, False, None, leader.log)
    return ServerStatus(leader.role, leader.pid, is_ready(port), f"http://127.0.0.1:{port}", leader.log)
