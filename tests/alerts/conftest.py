"""A receiver on this computer that takes real requests and answers as it is told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from emseg.alerts import Alert, WorstPlace

TOKEN = "T0KEN-canary"


@dataclass
class Receiver:
    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    closes: bool = False
    received: list[tuple[str, str | None, dict]] = field(default_factory=list)


@pytest.fixture(autouse=True)
def _this_computer_may_be_addressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMSEG_INSIDE_HOSTS", "127.0.0.1")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.received.append((self.path, self.headers.get("Authorization"), json.loads(body)))
            time.sleep(state.delay_s)
            if state.closes:
                self.close_connection = True
                return
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            state.received.append((self.path, None, {}))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}/hooks/{TOKEN}?key={TOKEN}"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def alert() -> Alert:
    return Alert(
        kind="refused",
        severity="error",
        title="Quality gate failed",
        dataset="demo",
        run="run-1",
        reasons=("VI split of the volume is 2.5 bits; the gate asks for at most 2 bits",),
        figures={"vi_split": 2.5},
        served={"vi_split": 2.0},
        served_number=3,
        places=(WorstPlace(text="Body 17 is cut", position_vox=(12.5, 0.5, 7.5), link="https://example.org/#!17"),),
        links={"Report": "https://example.org/report.html"},
    )
