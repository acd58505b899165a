"""A real Airflow on this computer, joined to a devstack: `airflow_up`, `airflow_down`, `airflow_status`.

It runs the four components that `airflow standalone` runs, each as a process of its own. `standalone` itself is not
used: it carries on when its API server died, leaves its children behind when killed, and opens two log servers on all
interfaces, which one computer does not need. The web page and API listen on 127.0.0.1 only. Everything is in
`root/airflow` (SQLite database, task logs, secrets with mode 0600).
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from emseg.child_environment import for_devstack
from emseg.devstack.airflow_api import AirflowApi
from emseg.devstack.airflow_settings import (
    USERNAME,
    airflow_connections,
    airflow_environment,
    airflow_keys,
    airflow_settings,
)
from emseg.devstack.files import locked, tail, write_private
from emseg.devstack.java import ensure_java
from emseg.devstack.processes import Leader, free_port, roles_running, start, stop, wait_until
from emseg.devstack.servers import log_of
from emseg.devstack.stack import DevStack
from emseg.disk import write_whole
from emseg.errors import EmsegError, PermanentError

COMPONENTS = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
"""Component and its options; logs are read as files, so the servers for them stay off."""

POOLS = {
    "dvid_read": (2, "Tasks that read from DVID"),
    "dvid_write": (1, "The one task that writes to DVID: parallel writers of mappings damage its log"),
}

_READY_TIMEOUT_S = 300.0
_GRACE_S = 10.0  # a scheduler with a running task waits for it for ever
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AirflowService:
    """A running Airflow: its address, the login (`repr` hides the password), the folder of its database and logs."""

    url: str
    username: str
    password: str = field(repr=False)
    home: Path

    @property
    def api(self) -> AirflowApi:
        """A client of this Airflow."""
        return AirflowApi(self.url, self.username, self.password)


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    port: int | None = None
    pids: dict[str, int] = {}
    settings_digest: str = ""
    migrated_to: str = ""


def airflow_up(stack: DevStack, project: Path, port: int = 0, spark_master: str = "local[*]") -> AirflowService:
    """Start Airflow with `dags/` and `plugins/` of `project` and the connections of `stack`; wait until it is healthy.

    An Airflow that runs with the same settings is left as it is. `port` 0 takes the last one, or a free one.
    Raises PermanentError when Java is missing, `port` is taken, or a component does not become ready.
    """
    ensure_java(for_devstack(os.environ))
    root, home = stack.root, stack.root / "airflow"
    with locked(root / "airflow.lock"):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        state, keys = _read_state(root), airflow_keys(home)
        number = port or (state.port if _all_alive(root, state) else None) or free_port(state.port)
        ours = airflow_settings(project, home, number, keys) | airflow_connections(stack, spark_master)
        service = AirflowService(f"http://127.0.0.1:{number}", USERNAME, keys.password, home)
        digest = sha256(repr(sorted(ours.items())).encode()).hexdigest()
        if digest != state.settings_digest or not _all_alive(root, state) or not _healthy(service.api):
            _start(service, project, number, airflow_environment(os.environ, home, ours), digest)
    return service


def airflow_down(root: Path) -> None:
    """Stop Airflow and all that its tasks started, Spark drivers too. Its database, logs and port are kept."""
    root = root.resolve()
    if not root.is_dir():
        return
    with locked(root / "airflow.lock"):
        _stop(root)
        _write_state(root, _read_state(root).model_copy(update={"pids": {}}))


def airflow_status(root: Path) -> tuple[Leader, ...]:
    """The four components with their pids (None: never started) and logs; `is_alive` asks the processes now."""
    root = root.resolve()
    return _leaders(root, _read_state(root))


def _start(service: AirflowService, project: Path, port: int, environment: Mapping[str, str], digest: str) -> None:
    root = service.home.parent
    _stop(root)
    if free_port(port) != port:
        raise PermanentError("starting Airflow", f"127.0.0.1:{port}", "the port is taken", "Give another port, or none")
    write_whole(service.home / "airflow.cfg", b"# All settings are variables: see emseg.devstack.airflow_settings\n")
    migrated_to = _migrate(root, environment)
    leaders = [
        start(root, _role(name), [_program(), name, *options], environment, log_of(root, _role(name)))
        for name, options in COMPONENTS.items()
    ]
    pids = {name: leader.pid for name, leader in zip(COMPONENTS, leaders, strict=True) if leader.pid}
    _write_state(root, _State(port=port, pids=pids, settings_digest=digest, migrated_to=migrated_to))
    api = service.api
    wait_until(lambda: _healthy(api), leaders, _READY_TIMEOUT_S)
    for name, (slots, description) in POOLS.items():
        api.ensure_pool(name, slots, description)
    if any((project / "dags").glob("*.py")):
        wait_until(lambda: bool(api.dag_ids() or api.import_problems()), leaders, _READY_TIMEOUT_S)
        for problem in api.import_problems():
            _log.warning("Airflow cannot import %s:\n%s", problem.filename, problem.stack_trace)


def _migrate(root: Path, environment: Mapping[str, str]) -> str:
    target, log = version("apache-airflow-core"), log_of(root, "airflow-migrate")
    if _read_state(root).migrated_to == target:
        return target
    with log.open("wb") as output:
        status = subprocess.call(
            [_program(), "db", "migrate"], env=dict(environment), stdout=output, stderr=subprocess.STDOUT
        )
    if status != 0:
        found = f"airflow db migrate ended with {status}; the log ends:\n{tail(log)}\n"
        raise PermanentError("making Airflow's database", f"log {log}", found, "Mend what the log names, and try again")
    return target


def _healthy(api: AirflowApi) -> bool:
    try:
        return api.is_healthy()
    except EmsegError:
        return False


def _all_alive(root: Path, state: _State) -> bool:
    return all(leader.is_alive for leader in _leaders(root, state))


def _leaders(root: Path, state: _State) -> tuple[Leader, ...]:
    return tuple(Leader(root, _role(name), state.pids.get(name), log_of(root, _role(name))) for name in COMPONENTS)


def _stop(root: Path) -> None:
    stop(root, {role for role in roles_running(root) if role.startswith("airflow-")}, _GRACE_S)


def _role(component: str) -> str:
    return f"airflow-{component}"


def _program() -> str:
    return str(Path(sys.executable).parent / "airflow")


def _read_state(root: Path) -> _State:
    path = root / "airflow.json"
    try:
        return _State.model_validate_json(path.read_text(encoding="utf-8")) if path.is_file() else _State()
    except ValidationError:
        return _State()


def _write_state(root: Path, state: _State) -> None:
    write_private(root / "airflow.json", state.model_dump_json(indent=1))
