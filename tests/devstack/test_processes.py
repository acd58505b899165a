"""Starting and stopping processes: what a person reads when a server dies, and which port is chosen."""

import os
import socket
import time
from pathlib import Path

from tests.refusals import refused

from emseg.devstack.processes import free_port, roles_running, start, stop, wait_until
from emseg.errors import PermanentError

SHELL = "/bin/sh"


def test_server_that_dies_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    """Kills: waiting out the whole deadline for a dead server, and an error without its reason."""
    log = tmp_path / "x.log"
    leader = start(tmp_path, "x", [SHELL, "-c", "echo the disk is full; exit 3"], os.environ, log)
    began = time.monotonic()
    with refused(PermanentError, "x", log, "the disk is full"):
        wait_until(lambda: False, [leader], timeout_s=60)
    assert time.monotonic() - began < 30


def test_server_that_never_gets_ready_is_stopped(tmp_path: Path) -> None:
    """Kills: an error that leaves the half-started server behind."""
    leader = start(tmp_path, "x", [SHELL, "-c", "sleep 300; true"], os.environ, tmp_path / "x.log")
    with refused(PermanentError, "x", tmp_path / "x.log"):
        wait_until(lambda: False, [leader], timeout_s=0.3)
    assert not leader.is_alive
    assert roles_running(tmp_path) == set()


def test_leader_is_alive_as_soon_as_start_returns(tmp_path: Path) -> None:
    """Kills: asking for the mark in the instant in which the new program has no environment yet."""
    for _ in range(20):
        assert start(tmp_path, "x", ["/bin/sleep", "300"], {}, tmp_path / "x.log").is_alive
    stop(tmp_path, {"x"}, grace_s=5)
    assert roles_running(tmp_path) == set()


def test_stop_spares_other_roles_and_folders(tmp_path: Path) -> None:
    """Kills: a sweep that ends the servers of another devstack, or Airflow together with DVID."""
    other = tmp_path / "other"
    start(tmp_path, "x", ["/bin/sleep", "300"], {}, tmp_path / "x.log")
    same_folder = start(tmp_path, "y", ["/bin/sleep", "300"], {}, tmp_path / "y.log")
    same_role = start(other, "x", ["/bin/sleep", "300"], {}, other / "x.log")
    stop(tmp_path, {"x"}, grace_s=5)
    assert same_folder.is_alive
    assert same_role.is_alive
    stop(tmp_path, {"y"}, grace_s=5)
    stop(other, {"x"}, grace_s=5)


def test_missing_program_is_a_clear_error(tmp_path: Path) -> None:
    """Kills: a bare OSError that does not say which server was meant."""
    with refused(PermanentError, "x", tmp_path / "nothing"):
        start(tmp_path, "x", [str(tmp_path / "nothing")], {}, tmp_path / "x.log")


def test_preferred_port_is_taken_only_when_free() -> None:
    """Kills: a port that another server holds; a new port where the old one was free."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = server.getsockname()[1]
        assert free_port(held) != held
    assert free_port(held) == held
    assert free_port(held, taken=(held,)) != held
