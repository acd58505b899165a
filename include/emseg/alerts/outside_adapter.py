"""HTTP connections that are made to public addresses only, whatever the name of the host means by then.

A name that was checked can have another address a second later. So the address that a socket reached is checked, too,
before a byte is sent. Where the deployment has a proxy, the proxy resolves the name, and no such connection is made.
"""

from __future__ import annotations

import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from emseg.errors import PermanentError
from emseg.outside_addresses import refuse_inside


class OutsideAdapter(HTTPAdapter):
    """An adapter for a session of requests; a request to an address inside ends with PermanentError."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of this adapter's connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _OutsidePool, "https": _OutsideTlsPool}


class _Outside(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        connected = super()._new_conn()
        try:
            refuse_inside(str(connected.getpeername()[0]), "opening a web address", self.host)
        except PermanentError:
            connected.close()
            raise
        return connected


class _OutsideTls(_Outside, HTTPSConnection):
    pass


class _OutsidePool(HTTPConnectionPool):
    ConnectionCls = _Outside


class _OutsideTlsPool(HTTPSConnectionPool):
    ConnectionCls = _OutsideTls
