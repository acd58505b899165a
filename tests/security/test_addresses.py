"""An address that somebody names cannot be turned inward: by a spelling, a name, or a name that changes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from pydantic import SecretStr
from tests.refusals import refused

from emseg.alerts import Alert, WebhookChannel
from emseg.errors import PermanentError
from emseg.outside_addresses import checked_address, refuse_inside

ALERT = Alert(kind="failed", severity="error", title="t", dataset="demo", run="run-1")
INSIDE = [
    "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.1",
    "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1",
]  # fmt: skip


@pytest.fixture
def asked() -> Iterator[tuple[int, list[str]]]:
    """A server on this computer: its port, and the paths that it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            paths.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, paths
    server.shutdown()
    server.server_close()


def resolver(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    """Every look-up of a name gives the next of `answers`, and then the last one for ever."""
    left, real = list(answers), socket.getaddrinfo

    def look_up(_host, port, *args, **kwargs):
        answer = left.pop(0) if len(left) > 1 else left[0]
        return real(answer, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.mark.parametrize("address", INSIDE)
def test_no_address_of_this_computer_or_of_a_private_network_is_accepted(address):
    """Kills `is_private` alone: it lets through shared space, multicast, translated and wrapped IPv4, and metadata."""
    with refused(PermanentError, "example.org", address):
        refuse_inside(address, "opening", "example.org")


@pytest.mark.parametrize("address", ["1.1.1.1", "140.82.121.4", "2606:4700::1111"])
def test_a_public_address_is_accepted(address):
    refuse_inside(address, "opening", "example.org")


@pytest.mark.parametrize("host", ["127.1", "0x7f000001", "2130706433", "017700000001", "[::1]", "localhost"])
def test_other_spellings_of_this_computer_are_resolved_and_refused(host):
    """Kills a look at the text of the host."""
    with refused(PermanentError, "EMSEG_INSIDE_HOSTS"):
        checked_address(f"https://{host}/x", "opening", environment={})


def test_a_public_name_with_an_address_inside_is_refused(monkeypatch):
    resolver(monkeypatch, "169.254.169.254")
    with refused(PermanentError, "metadata.example.org", "169.254.169.254"):
        checked_address("https://metadata.example.org/latest", "opening", environment={})


def test_plain_http_to_a_listed_host_inside_needs_the_deployment(monkeypatch):
    """Kills a Connection whose `http_hosts` opens the own network: an operator may edit Connections."""
    resolver(monkeypatch, "10.1.2.3")
    with refused(PermanentError, "10.1.2.3"):
        checked_address("http://chat/x", "opening", http_hosts={"chat"}, environment={})
    assert checked_address("http://CHAT/x", "opening", environment={"EMSEG_INSIDE_HOSTS": "other, Chat"}) == "chat"


@pytest.mark.parametrize(
    "url", ["https://user:canary@example.org/x", "https://example.org@127.0.0.1/x", "https://example.org:x/canary"]
)
def test_an_address_with_a_user_or_a_broken_port_is_refused_and_not_shown(url):
    with refused(PermanentError) as caught:
        checked_address(url, "opening", environment={"EMSEG_INSIDE_HOSTS": "127.0.0.1"})
    assert "canary" not in str(caught.value)


def test_a_name_that_changes_after_the_check_reaches_nobody(monkeypatch, asked):
    """Kills a check that resolves the name once and a client that resolves it again."""
    port, paths = asked
    monkeypatch.delenv("EMSEG_INSIDE_HOSTS", raising=False)
    resolver(monkeypatch, "1.1.1.1", "127.0.0.1")
    hook = WebhookChannel(SecretStr(f"http://chat.example.org:{port}/hook"), http_hosts={"chat.example.org"})
    with refused(PermanentError, "chat.example.org", "127.0.0.1"):
        hook.deliver(ALERT)
    assert paths == []


def test_a_listed_host_is_reached(monkeypatch, asked):
    """Kills an adapter that refuses what the deployment allows, and with it a test above that cannot fail."""
    port, paths = asked
    monkeypatch.setenv("EMSEG_INSIDE_HOSTS", "chat.example.org")
    resolver(monkeypatch, "127.0.0.1")
    WebhookChannel(SecretStr(f"http://chat.example.org:{port}/hook")).deliver(ALERT)
    assert paths == ["/hook"]
