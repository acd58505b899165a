"""A server that lies: replies without an end, of another length, far too deep, or that point elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from gzip import compress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from pydantic import SecretStr
from tests.refusals import refused

from emseg.config import DvidConnection
from emseg.dvid import DvidServer, http
from emseg.dvid.repetition import Patience
from emseg.errors import IntegrityError, PermanentError, TransientError

TOKEN = "canary-token"
MIB = 1 << 20


class Liar:
    """What the server answers, and the headers of the requests that it got."""

    def __init__(self) -> None:
        self.url = ""
        self.kind = ""
        self.sent = 0
        self.asked: list[dict[str, str]] = []


@pytest.fixture
def liar() -> Iterator[Liar]:
    state = Liar()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(dict(self.headers))
            status = {"redirect": 307, "endless error": 400}.get(state.kind, 200)
            self.send_response(status)
            if state.kind == "redirect":
                self.send_header("Location", f"{state.url.replace('127.0.0.1', 'localhost')}/api/elsewhere")
            if state.kind == "gzip bomb":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            with suppress(OSError):
                for part in self._parts():
                    self.wfile.write(part)
                    state.sent += len(part)

        def _parts(self) -> Iterator[bytes]:
            if state.kind == "deep":
                yield b"[" * 1_000_000
            if state.kind == "gzip bomb":
                yield compress(bytes(64 * MIB))
            while state.kind.startswith("endless"):
                yield bytes(MIB)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()


def dvid(liar: Liar, kind: str) -> DvidServer:
    liar.kind = kind
    return DvidServer(DvidConnection(url=liar.url, token=SecretStr(TOKEN)), patience=Patience(2, 0.01, 0.1))


def test_a_reply_without_an_end_is_read_no_further_than_what_was_asked_for(liar):
    """Kills `answer.content`, which takes all memory of the executor."""
    with refused(IntegrityError, "GET /api/x", 1000):
        dvid(liar, "endless").get("/api/x", expected_bytes=1000)
    assert liar.sent < 64 * MIB


def test_json_without_an_end_and_a_gzip_bomb_are_cut_off(liar, monkeypatch):
    monkeypatch.setattr(http, "MOST_BYTES_OF_JSON", 4 * MIB)
    for kind in ("endless", "gzip bomb"):
        with refused(IntegrityError, "GET /api/x", 4 * MIB):
            dvid(liar, kind).get_json("/api/x")
    assert liar.sent < 128 * MIB


def test_an_error_text_without_an_end_is_cut_off(liar):
    with refused(PermanentError, "HTTP 400"):
        dvid(liar, "endless error").get("/api/x")
    assert liar.sent < 64 * MIB


def test_json_that_is_nested_too_deeply_is_no_traceback(liar):
    """Kills `except ValueError` alone: the parser raises RecursionError."""
    with refused(IntegrityError, "GET /api/x"):
        dvid(liar, "deep").get_json("/api/x")


def test_a_redirect_takes_the_token_nowhere(liar):
    """Kills a client that follows: the other host would get the token, or a request from inside."""
    with pytest.raises((PermanentError, TransientError), match="307"):
        dvid(liar, "redirect").get("/api/x")
    assert [headers["Authorization"] for headers in liar.asked] == [f"Bearer {TOKEN}"] * len(liar.asked)
    assert all(headers["Host"].startswith("127.0.0.1") for headers in liar.asked)


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://dvid.example.org", True),
        ("http://127.example.org", True),
        ("http://inside", False),
        ("https://dvid.example.org", False),
        ("http://127.0.0.1:8000", False),
    ],
)
def test_plain_http_to_another_computer_is_told(url, warned, caplog, monkeypatch):
    """Kills a token that goes over the network in the clear and nobody knows."""
    monkeypatch.setenv("EMSEG_INSIDE_HOSTS", "inside")
    DvidServer(DvidConnection(url=url, token=SecretStr(TOKEN)))
    assert ("plain http" in caplog.text) is warned
    assert TOKEN not in caplog.text
