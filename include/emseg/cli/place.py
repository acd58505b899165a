"""Folders of this checkout, and the services that a command talks to."""

from __future__ import annotations

import os
from pathlib import Path

import emseg
from emseg.config import dvid_connection, s3_connection
from emseg.devstack import DevStack, status, up
from emseg.dvid import DvidServer
from emseg.errors import PermanentError
from emseg.stages import DvidServices
from emseg.store import S3Store

PROJECT = Path(emseg.__file__).parents[2]
BUILD = PROJECT / "build"
DEVSTACK_ROOT = BUILD / "devstack"


def running_laptop() -> DevStack:
    """The devstack of this checkout, which must run; PermanentError that says how to start it."""
    if not all(server.ready for server in status(DEVSTACK_ROOT)):
        raise PermanentError(
            "finding DVID and S3",
            "EMSEG_DVID_URL",
            "the variable is not set, and the devstack of this checkout does not run",
            "Set EMSEG_* and AWS_* to your servers, or: emseg devstack up",
        )
    return laptop()


def laptop() -> DevStack:
    """The devstack of this checkout, started where it does not run."""
    DEVSTACK_ROOT.mkdir(parents=True, exist_ok=True)
    return up(DEVSTACK_ROOT, BUILD / "tools")


def connected() -> DvidServices:
    """Services named by the environment (EMSEG_*, AWS_*); without EMSEG_DVID_URL, those of the devstack."""
    s3 = s3_connection(os.environ) if "EMSEG_DVID_URL" in os.environ else running_laptop().s3
    return DvidServices(S3Store.open(s3), dvid_server())


def dvid_server() -> DvidServer:
    """The DVID server of the environment, or of the devstack."""
    return DvidServer(dvid_connection(os.environ) if "EMSEG_DVID_URL" in os.environ else running_laptop().dvid)
