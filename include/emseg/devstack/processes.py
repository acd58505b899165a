"""Server processes of a devstack: each starts in a session of its own, and is stopped with all its descendants.

Each process, and so each of its descendants, carries the folder and the role in its environment
(`EMSEG_DEVSTACK`, `EMSEG_DEVSTACK_ROLE`). By this mark a pid that was read from a file is told from a process of
somebody else, and a child that outlived its parent is found.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from emseg.devstack.files import tail
from emseg.errors import PermanentError

MARK = "EMSEG_DEVSTACK"
MARK_OF_ROLE = "EMSEG_DEVSTACK_ROLE"

_KILL_PATIENCE_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Leader:
    """The process that was started for a role of the devstack in `root`, and where its output goes."""

    root: Path
    role: str
    pid: int | None
    log: Path

    @property
    def is_alive(self) -> bool:
        """Whether this very process runs: a process has the pid and carries our mark."""
        return self.pid in (member.pid for member in _marked(self.root, {self.role}))


def start(root: Path, role: str, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Leader:
    """Start `command` with `environment` and the mark, as leader of a new session; output is appended to `log`.

    The process does not end with its caller. Raises PermanentError when it cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    marked_environment = {**environment, MARK: str(root.resolve()), MARK_OF_ROLE: role}
    output = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    actions = [nothing, output, (os.POSIX_SPAWN_DUP2, 1, 2)]
    try:
        pid = os.posix_spawn(command[0], list(command), marked_environment, file_actions=actions, setsid=True)
    except OSError as error:
        remedy = "Check that this file exists and may be run"
        raise PermanentError(f"starting the {role} server", command[0], str(error), remedy) from error
    leader = Leader(root, role, pid, log)
    _wait_for_mark(leader)
    return leader


def roles_running(root: Path) -> set[str]:
    """Roles of which any process lives, also one whose leader is gone."""
    return {_mark(process)[1] for process in _marked(root, None)}


def stop(root: Path, roles: Collection[str], grace_s: float) -> None:
    """End every process of these roles: SIGTERM, up to `grace_s` seconds to finish, then SIGKILL. None is left.

    Raises PermanentError if one outlives SIGKILL (it hangs in the kernel).
    """
    for sign, patience_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, _KILL_PATIENCE_S)):
        left = _signal_until_gone(root, roles, sign, patience_s)
        if not left:
            return
        _log.warning("%s of %s: %d processes outlived %s", ", ".join(sorted(roles)), root, left, sign.name)
    raise PermanentError(
        "stopping servers",
        f"{', '.join(sorted(roles))} of {root}",
        "they outlive SIGKILL",
        "Look at the computer's disks",
    )


def wait_until(ready: Callable[[], bool], leaders: Sequence[Leader], timeout_s: float) -> None:
    """Poll until `ready()`. If a leader dies or `timeout_s` passes, stop them all and raise PermanentError.

    The error holds the end of the log of the one that died, or of the first.
    """
    deadline = time.monotonic() + timeout_s
    while not ready():
        dead = [leader for leader in leaders if not leader.is_alive]
        if dead or time.monotonic() > deadline:
            culprit = (dead or leaders)[0]
            stop(culprit.root, {leader.role for leader in leaders}, grace_s=10)
            found = "it ended while starting" if dead else f"not ready after {timeout_s:.0f} s"
            raise PermanentError(
                f"starting the {culprit.role} server",
                f"log {culprit.log}",
                f"{found}; the log ends:\n{tail(culprit.log)}\n",
                "Mend what the log names, and start again",
            )
        time.sleep(0.1)


def free_port(preferred: int | None = None, taken: Collection[int] = ()) -> int:
    """A TCP port of 127.0.0.1 that nobody listens on and that is not `taken`.

    It is `preferred` if that one is free, so that links to a server outlive its restart.
    """
    for candidate in (*([preferred] if preferred else []), 0, 0, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            port = int(probe.getsockname()[1])
            if port not in taken:
                return port
    raise PermanentError("choosing a port", "127.0.0.1", "no free TCP port was given", "Stop some servers, try again")


def _wait_for_mark(leader: Leader) -> None:
    """Wait out the instant in which a new program has no environment yet; one that ended at once is left alone."""
    deadline = time.monotonic() + 5.0
    while not leader.is_alive and psutil.pid_exists(leader.pid) and time.monotonic() < deadline:
        if psutil.Process(leader.pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.005)


def _signal_until_gone(root: Path, roles: Collection[str], sign: signal.Signals, patience_s: float) -> int:
    deadline = time.monotonic() + patience_s
    told: set[int] = set()
    while members := _marked(root, roles) or _marked_later(root, roles):
        for process in members:
            if process.pid not in told:
                told.add(process.pid)
                _signal(process, sign)
        psutil.wait_procs(members, timeout=0.2)
        if time.monotonic() > deadline:
            return len(_marked(root, roles))
    return 0


def _marked_later(root: Path, roles: Collection[str]) -> list[psutil.Process]:
    """A second look, for a process that was just becoming another program and had no environment at the first."""
    time.sleep(0.05)
    return _marked(root, roles)


def _marked(root: Path, roles: Collection[str] | None) -> list[psutil.Process]:
    folder = str(root.resolve())
    members = []
    for process in psutil.process_iter():
        marked_folder, role = _mark(process)
        if marked_folder == folder and (roles is None or role in roles) and process.pid != os.getpid():
            members.append(process)
    return members


def _mark(process: psutil.Process) -> tuple[str, str]:
    try:
        environment = process.environ()
        if process.status() == psutil.STATUS_ZOMBIE:
            return "", ""
    except (psutil.Error, OSError):  # it ended meanwhile, or is another user's: not ours
        return "", ""
    return environment.get(MARK, ""), environment.get(MARK_OF_ROLE, "")


def _signal(process: psutil.Process, sign: signal.Signals) -> None:
    try:
        process.send_signal(sign)
    except psutil.NoSuchProcess:
        return
