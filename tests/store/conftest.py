"""Stores of the tests: a folder and the real S3 server, each empty, and a proxy that spoils S3 replies on demand."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from emseg.config.connections import S3Connection
from emseg.store import FolderStore, ObjectStore, S3Store
from emseg.store.s3 import s3_client

BOTH = ["folder", pytest.param("s3", marks=pytest.mark.services)]


@pytest.fixture
def s3_connection(devstack) -> S3Connection:
    """A prefix of the real server that no other test uses."""
    return devstack.s3.model_copy(update={"prefix": f"test/{uuid4().hex}"})


@pytest.fixture(params=BOTH)
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Path | S3Connection:
    """Where an empty store is: a folder, or a connection to S3."""
    return tmp_path / "store" if request.param == "folder" else request.getfixturevalue("s3_connection")


@pytest.fixture
def store(location: Path | S3Connection) -> ObjectStore:
    """An empty store; each test that takes it runs once on a folder and once on the real S3 server."""
    return FolderStore(location) if isinstance(location, Path) else S3Store.open(location)


@pytest.fixture
def unfinished(location: Path | S3Connection) -> Callable[[str], None]:
    """Leaves behind what a writer leaves that is killed while it stores a large object under a key."""

    def leave(key: str) -> None:
        if isinstance(location, Path):
            (location / key).parent.mkdir(parents=True, exist_ok=True)
            (location / key).with_name(f".{uuid4().hex}").write_bytes(b"half")
            return
        client, where = s3_client(location), {"Bucket": location.bucket, "Key": f"{location.prefix}/{key}"}
        upload = client.create_multipart_upload(**where)["UploadId"]
        client.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"half")

    return leave


class FaultyProxy(ThreadingHTTPServer):
    """Passes requests on to an S3 server; spoils one request for each entry of `faults`, first come first served.

    `refuse`: 503 SlowDown, nothing done. `conflict`: 409, nothing done. `reset`: connection closed, nothing done.
    `lose`: done, but the reply is lost. `halve`: the reply's body breaks off. `flip`: one bit of it is changed.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.faults: list[str] = []
        self.requests = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultyProxy

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests += 1
        fault = self.server.faults.pop(0) if self.server.faults else None
        if fault == "refuse":
            self._fail(503, "SlowDown")
        elif fault == "conflict":
            self._fail(409, "ConditionalRequestConflict")
        elif fault == "reset":
            self.close_connection = True
        else:
            self._forward(body, fault)

    do_PUT = do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _forward(self, body: bytes, fault: str | None) -> None:
        upstream = http.client.HTTPConnection(self.server.upstream)
        upstream.request(self.command, self.path, body, dict(self.headers))
        reply = upstream.getresponse()
        data = reply.read()
        upstream.close()
        self.close_connection = fault in {"lose", "halve"}
        if fault == "lose":
            return
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "date", "server"}:
                self.send_header(name, value)
        self.end_headers()
        spoiled = {"halve": data[: len(data) // 2], "flip": bytes([data[0] ^ 1]) + data[1:] if data else data}
        self.wfile.write(spoiled.get(fault, data))

    def _fail(self, status: int, code: str) -> None:
        body = f"<Error><Code>{code}</Code><Message>spoiled</Message></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def faulty_proxy(devstack) -> Iterator[FaultyProxy]:
    """The proxy, before the real S3 server."""
    proxy = FaultyProxy(devstack.s3_url)
    Thread(target=proxy.serve_forever, daemon=True).start()
    yield proxy
    proxy.shutdown()
    proxy.server_close()


@pytest.fixture
def faulty_store(faulty_proxy: FaultyProxy, s3_connection: S3Connection) -> S3Store:
    """A store behind the proxy; nothing is spoiled until a test says so."""
    return S3Store.open(s3_connection.model_copy(update={"endpoint_url": faulty_proxy.url}))
