"""What is repeated, what is not, and what a caller is told. A faulty server made here plays the faults, never DVID."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.refusals import refused

from emseg.config.connections import DvidConnection
from emseg.dvid.errors import NodeLockedError, NotFoundError
from emseg.dvid.http import DvidServer, path
from emseg.dvid.repetition import Patience, retry_after_s
from emseg.errors import EmsegError, IntegrityError, PermanentError, TransientError

TOKEN = "canary-7f3a-not-to-be-seen"


@dataclass
class Faults:
    """Answers to give, one a request (the last one for ever), and the requests that came."""

    url: str = ""
    answers: list[object] = field(default_factory=lambda: [(200, b"good")])
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


def _handler(faults: Faults) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = b"".join(self._chunks()) or self.rfile.read(int(self.headers.get("Content-Length", 0)))
            faults.requests.append((self.command, self.path, dict(self.headers), body))
            answer = faults.answers.pop(0) if len(faults.answers) > 1 else faults.answers[0]
            if answer == "drop":
                self.close_connection = True
                return
            if answer == "hang":
                time.sleep(1.0)
                answer = (200, b"late")
            status, content, *headers = answer  # type: ignore[misc]
            self.send_response(status)
            cut = content.startswith(b"CUT")
            self.send_header("Content-Length", str(len(content) + 10 * cut))
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = cut

        do_POST = do_GET  # noqa: N815

        def _chunks(self) -> Iterator[bytes]:
            """The parts of a body whose length was not known when its request began."""
            while self.headers.get("Transfer-Encoding") == "chunked":
                size = int(self.rfile.readline(), 16)
                yield self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def faults() -> Iterator[Faults]:
    faults = Faults()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(faults))
    faults.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield faults
    http.shutdown()
    http.server_close()


QUICK = Patience(first_pause_s=0.001, busy_s=0.2)


def _server(faults: Faults, patience: Patience = QUICK, read_timeout_s: float = 60.0) -> DvidServer:
    connection = DvidConnection(url=faults.url, token=SecretStr(TOKEN))
    return DvidServer(connection, patience=patience, read_timeout_s=read_timeout_s)


@pytest.mark.usefixtures("foreign_shell")
def test_a_server_on_this_computer_is_reached_whatever_is_in_the_shell(faults: Faults) -> None:
    """Kills a proxy between this computer and itself, and a password of .netrc in the place of the token."""
    faults.answers = [(200, b"good")]
    assert _server(faults).get("/api/x") == b"good"
    assert _server(faults).get("/api/x") == b"good"


def test_a_server_elsewhere_is_reached_through_the_proxy(faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a client that looks at no proxy at all. The server of this test is the proxy."""
    monkeypatch.setenv("http_proxy", faults.url)
    faults.answers = [(200, b"through it")]
    assert DvidServer(DvidConnection(url="http://dvid.invalid:8000")).get("/api/x") == b"through it"


def test_what_of_the_environment_cannot_work_is_refused_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills an OSError of the HTTP library, and five tries of what cannot succeed."""
    elsewhere = DvidConnection(url="https://dvid.invalid")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with refused(PermanentError, "/nowhere/ca.pem", "REQUESTS_CA_BUNDLE"):
        DvidServer(elsewhere)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.setenv("https_proxy", "socks5://proxy:1080")
    with refused(PermanentError, "https_proxy"):
        DvidServer(elsewhere).get("/api/x")


@pytest.mark.parametrize("fault", ["drop", (500, b"panic"), (502, b""), (503, b"busy"), (504, b""), (200, b"CUT")])
@pytest.mark.fault("F10")
def test_a_get_is_repeated_until_the_fault_has_passed(faults: Faults, fault: object) -> None:
    """Kills a client that gives up at the first hiccup, or takes a cut body for a whole one."""
    faults.answers = [fault, fault, (200, b"good")]
    assert _server(faults).get("/api/x") == b"good"
    assert len(faults.requests) == 3


@pytest.mark.parametrize("fault", ["drop", (500, b"panic"), (200, b"CUT")])
def test_a_get_ends_after_five_attempts_with_a_transient_error(faults: Faults, fault: object) -> None:
    """Kills an endless loop, and a fault that is reported as final."""
    faults.answers = [fault]
    with pytest.raises(TransientError):
        _server(faults).get("/api/x")
    assert len(faults.requests) == 5


@pytest.mark.parametrize("fault", ["drop", (503, b"busy"), (500, b"panic")])
def test_a_post_is_sent_once_unless_declared_repeatable(faults: Faults, fault: object) -> None:
    """Kills a blanket retry: DVID counts an indexed POST twice, and a second /branch is another branch."""
    faults.answers = [fault, (200, b"good")]
    with pytest.raises(TransientError):
        _server(faults).post("/api/x", b"body")
    assert len(faults.requests) == 1


@pytest.mark.parametrize(("fault", "sent"), [("drop", 2), ((503, b"busy"), 2), ((500, b"panic"), 1), ((400, b"no"), 1)])
@pytest.mark.fault("F10")
def test_a_repeatable_post_is_repeated_on_a_lost_connection_and_on_503_only(
    faults: Faults, fault: object, sent: int
) -> None:
    faults.answers = [fault, (200, b"good")]
    if sent == 2:
        assert _server(faults).post("/api/x", b"body", repeatable=True) == b"good"
    else:
        with pytest.raises(EmsegError):
            _server(faults).post("/api/x", b"body", repeatable=True)
    assert [body for *_, body in faults.requests] == [b"body"] * sent


@pytest.mark.parametrize("fault", ["drop", (503, b"busy")])
def test_a_body_in_parts_is_repeated_from_its_first(faults: Faults, fault: object) -> None:
    """Kills a repetition that sends what the first attempt left over of its parts: nothing."""
    faults.answers = [fault, (200, b"good")]
    parts = (b"one", b"two" * 1000, b"three")
    assert _server(faults).post("/api/x", parts, repeatable=True) == b"good"
    assert [body for *_, body in faults.requests] == [b"".join(parts)] * 2


def test_a_body_that_fails_under_way_is_its_makers_error_and_spoils_no_later_request(faults: Faults) -> None:
    """Kills half a body on a connection that is used again, and an error of ours that passes for the network's."""

    class Parts:
        def __iter__(self) -> Iterator[bytes]:
            yield b"half"
            raise PermanentError("packing", "the second part", "it is wrong", "Mend it")

    server = _server(faults)
    assert server.get("/api/x") == b"good"
    with pytest.raises(PermanentError) as caught:
        server.post("/api/x", Parts(), repeatable=True)
    assert caught.value.on == "the second part"
    assert server.post("/api/x", b"whole") == b"good"
    assert [body for *_, body in faults.requests] == [b"", b"whole"]


@pytest.mark.parametrize("status", [503, 429])
def test_a_busy_server_is_asked_for_longer_than_a_faulty_one_and_not_for_ever(faults: Faults, status: int) -> None:
    """Kills five tries of a server that is busy for a minute, and a loop without an end."""
    faults.answers = [(status, b"busy")] * 12 + [(200, b"good")]
    patient = Patience(first_pause_s=0.0001, busy_s=30.0)
    assert _server(faults, patient).post("/api/x", b"body", repeatable=True) == b"good"
    assert len(faults.requests) == 13
    faults.answers = [(status, b"busy")]
    with refused(TransientError, str(status), "busy"):
        _server(faults).get("/api/x")


def test_the_server_is_left_alone_as_long_as_it_asks(faults: Faults) -> None:
    """Kills a Retry-After that only the request that got it obeys: nothing else of the process is sent, either."""
    faults.answers = [(503, b"busy", ("Retry-After", "1")), (200, b"good")]
    server, began = _server(faults, Patience(first_pause_s=0.001, busy_s=5.0)), time.monotonic()
    first = threading.Thread(target=server.get, args=("/api/x",))
    first.start()
    while not faults.requests:
        time.sleep(0.01)
    time.sleep(0.1)
    assert server.get("/api/y") == b"good"
    first.join()
    assert time.monotonic() - began >= 1.0
    assert len(faults.requests) == 3


def test_a_server_that_asks_for_more_than_our_patience_is_not_waited_for(faults: Faults) -> None:
    """Kills a task that sleeps for a day because a proxy says so."""
    faults.answers = [(503, b"busy", ("Retry-After", "86400"))]
    with pytest.raises(TransientError):
        _server(faults).get("/api/x")
    assert len(faults.requests) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 120 "}, 120.0),
        ({"Retry-After": "Wed, 01 Jan 2020 00:01:00 GMT", "Date": "Wed, 01 Jan 2020 00:00:30 GMT"}, 30.0),
        ({"Retry-After": "Wed, 01 Jan 2020 00:00:00 GMT", "Date": "Wed, 01 Jan 2020 00:00:30 GMT"}, 0.0),
        ({"Retry-After": "Wed, 01 Jan 2020 00:01:00 GMT"}, 0.0),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon", "Date": "Wed, 01 Jan 2020 00:00:30 GMT"}, 0.0),
        ({"Retry-After": "²"}, 0.0),
        ({}, 0.0),
    ],
)
def test_retry_after_is_read_by_the_clock_of_the_server(headers: dict[str, str], seconds: float) -> None:
    """Kills comparing the server's date with the clock of this computer, and a crash on a header that is nonsense."""
    assert retry_after_s(headers) == seconds


@pytest.mark.fault("F10")
def test_a_hanging_server_is_left_after_the_read_timeout(faults: Faults) -> None:
    faults.answers = ["hang"]
    with pytest.raises(TransientError, match="ReadTimeout"):
        _server(faults, Patience(attempts=1), read_timeout_s=0.05).get("/api/x")


@pytest.mark.fault("F10")
def test_a_body_of_the_wrong_size_is_an_integrity_error(faults: Faults) -> None:
    """Kills reshaping whatever came: DVID answers 200 with the wrong byte count over a damaged block."""
    with pytest.raises(IntegrityError) as caught:
        _server(faults).get("/api/x", expected_bytes=5)
    assert re.findall(r"\d+", caught.value.found) == ["4", "5"]
    assert len(faults.requests) == 1


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (400, 'Cannot do POST on endpoint "raw" of locked node 3f2a', NodeLockedError),
        (400, "can't branch an unlocked node", PermanentError),
        (404, "404 page not found", NotFoundError),
        (401, "who are you", PermanentError),
        (403, "not you", PermanentError),
        (429, 'User "emseg" is blocked: too much', PermanentError),
    ],
)
@pytest.mark.fault("F11")
def test_a_refusal_is_permanent_and_sent_once(faults: Faults, status: int, words: str, kind: type[EmsegError]) -> None:
    """Kills retrying a refusal, and reading `unlocked node` as `locked node`."""
    faults.answers = [(status, words.encode())]
    with pytest.raises(PermanentError) as caught:
        _server(faults).get("/api/x")
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert len(faults.requests) == 1


def test_the_token_goes_into_the_header_and_nowhere_else(faults: Faults) -> None:
    """Kills a token in the address, and a message that repeats what the server echoed."""
    faults.answers = [(400, f"bad token {TOKEN} of /api/x?secret={TOKEN}".encode() + b"x" * 5000)]
    with pytest.raises(PermanentError) as caught:
        _server(faults).get("/api/x", {"scale": "1"})
    _, address, headers, _ = faults.requests[0]
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in address
    assert "u=emseg" in address
    assert "app=emseg" in address
    assert TOKEN not in str(caught.value)
    assert "u=emseg" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_password_in_netrc_is_never_sent(faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills the silent default of requests, which would send a stranger's password to any server named in the file."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    DvidServer(DvidConnection(url=faults.url)).get("/api/x")
    assert "Authorization" not in faults.requests[0][2]


def test_a_redirect_is_not_followed(faults: Faults) -> None:
    """Kills a client that carries requests (and a token) to whatever host an answer names."""
    faults.answers = [(302, b"", ("Location", faults.url + "/elsewhere")), (200, b"stolen")]
    with pytest.raises(PermanentError) as caught:
        _server(faults).get("/api/x")
    assert "HTTP 302" in caught.value.found
    assert len(faults.requests) == 1


def test_a_server_that_is_not_there_is_transient() -> None:
    with pytest.raises(TransientError, match="ConnectionError"):
        DvidServer(DvidConnection(url="http://127.0.0.1:9"), patience=Patience(2, 0.001)).get("/api/x")


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://me:pw@host", "http://host/?token=pw", ""])
def test_an_address_that_is_none_or_hides_a_secret_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(PermanentError) as caught:
        DvidServer(DvidConnection(url=url))
    assert "pw" not in str(caught.value)


def test_a_name_is_quoted_in_an_address_and_never_leads_elsewhere() -> None:
    """Kills joining names unquoted."""
    assert path("node", "3f2a:master", "a/b?c", "é") == "/api/node/3f2a:master/a%2Fb%3Fc/%C3%A9"
    for parts in (("node", ".."), ("node", ""), (".",)):
        with pytest.raises(PermanentError):
            path(*parts)


@pytest.mark.parametrize(("exempt", "way"), [("", "/api/x"), ("dvid.invalid", None)])
def test_a_proxy_of_the_environment_is_used_but_for_hosts_that_it_exempts(
    faults: Faults, monkeypatch: pytest.MonkeyPatch, exempt: str, way: str | None
) -> None:
    """`dvid.invalid` is no host: only a proxy can answer for it."""
    monkeypatch.setenv("http_proxy", faults.url)
    monkeypatch.setenv("no_proxy", exempt)
    server = DvidServer(DvidConnection(url="http://dvid.invalid:8000"), patience=Patience(attempts=1))
    if way is None:
        with pytest.raises(TransientError):
            server.get("/api/x")
    else:
        assert server.get("/api/x") == b"good"
    assert [url.split("?")[0] for _, url, *_ in faults.requests] == (
        [] if way is None else [f"http://dvid.invalid:8000{way}"]
    )
