"""Which services a command talks to."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from tests.refusals import refused

from emseg.cli import connecting
from emseg.config import DvidConnection
from emseg.errors import PermanentError


def test_a_limit_of_requests_counts_for_the_devstack_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a limit that is read only where the address of DVID is a variable, too; and one that is not looked at."""
    stack = SimpleNamespace(dvid=DvidConnection(url="http://127.0.0.1:1"), s3=None)
    monkeypatch.setattr(connecting, "running_devstack", lambda: stack)
    for name in ("EMSEG_DVID_URL", "EMSEG_SERVICES_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("EMSEG_DVID_MAX_REQUESTS", "7")
    assert connecting._connections()[0].max_requests == 7
    monkeypatch.setenv("EMSEG_DVID_MAX_REQUESTS", "1001")
    with refused(PermanentError, "EMSEG_DVID_MAX_REQUESTS", 1000):
        connecting._connections()
