"""Folders of this checkout, and the services that a command talks to: those of the environment, or of the devstack.

The devstack is imported only where the environment names no services: in production nothing needs it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import emseg
from emseg.errors import PermanentError

if TYPE_CHECKING:
    from emseg.config import DvidConnection, S3Connection
    from emseg.devstack import DevStack
    from emseg.dvid import DvidServer
    from emseg.phases.services import DvidServices

PROJECT = Path(emseg.__file__).parents[2]
BUILD = PROJECT / "build"
DEVSTACK_ROOT = BUILD / "devstack"


def connected() -> DvidServices:
    """Services named by the environment (EMSEG_*, AWS_*); without EMSEG_DVID_URL, those of the devstack."""
    from emseg.phases.services import DvidServices, limited_server
    from emseg.store import S3Store

    dvid, s3 = _connections()
    store = S3Store.open(s3())
    return DvidServices(store, limited_server(dvid, store))


def dvid_server() -> DvidServer:
    """The DVID server alone; the store is opened only where the server's limit is kept there."""
    from emseg.dvid import DvidServer

    dvid, s3 = _connections()
    if dvid.max_requests is None:
        return DvidServer(dvid)
    from emseg.phases.services import limited_server
    from emseg.store import S3Store

    return limited_server(dvid, S3Store.open(s3(), probe=False))


def _connections() -> tuple[DvidConnection, Callable[[], S3Connection]]:
    from emseg.config import dvid_connection, s3_connection
    from emseg.config.connections import VARIABLES_OF_DVID, environment_of

    if _environment_names_services():
        return dvid_connection(os.environ), lambda: s3_connection(os.environ)
    stack = running_devstack()
    limit = VARIABLES_OF_DVID["max_requests"]
    return dvid_connection(environment_of(stack.dvid) | {limit: os.environ.get(limit, "")}), lambda: stack.s3


def require_dataset(name: str) -> None:
    """Refuse a name that nobody knows. Ask it where the store has nothing: runs outlive their dataset file."""
    from emseg.config import datasets_folder, load_dataset

    load_dataset(datasets_folder(), name)


def running_devstack() -> DevStack:
    """The devstack of this checkout; PermanentError that says how to start it where it does not run."""
    from emseg.devstack import status

    if not all(server.ready for server in status(DEVSTACK_ROOT)):
        raise PermanentError(
            "finding DVID and S3",
            "EMSEG_DVID_URL",
            "the variable is not set, and the devstack of this checkout does not run",
            "Set EMSEG_* and AWS_* to your servers, or: emseg devstack up",
        )
    return started_devstack()


def started_devstack() -> DevStack:
    """The devstack of this checkout, started where it does not run."""
    from emseg.devstack import up

    DEVSTACK_ROOT.mkdir(parents=True, exist_ok=True)
    return up(DEVSTACK_ROOT, BUILD / "tools")


def _environment_names_services() -> bool:
    return bool({"EMSEG_DVID_URL", "EMSEG_SERVICES_FILE"} & os.environ.keys())
