"""A DVID server that must not be asked: for tests of what is refused before the first request."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from emseg.config import DvidConnection
from emseg.dvid import DvidServer


class UnaskedServer(DvidServer):
    """Fails the test at the first request."""

    def __init__(self) -> None:
        super().__init__(DvidConnection(url="http://127.0.0.1:9"))

    def _once(self, method: str, path: str, *_: Any) -> NoReturn:
        pytest.fail(f"the server was asked: {method} {path}")
