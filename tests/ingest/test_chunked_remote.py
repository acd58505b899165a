"""Volumes at remote addresses: a web server, an S3 bucket, a bucket of Google's API; and addresses that are refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pytest
from tests.ingest.chunked_writers import SHAPE, bare, n5, ome, precomputed, scale, voxels
from tests.refusals import refused

from emseg.config import environment_of
from emseg.devstack import DevStack
from emseg.errors import EmsegError, PermanentError, TransientError
from emseg.geometry import Box
from emseg.ingest import open_source
from emseg.ingest.chunked import location
from emseg.store import S3Store

WHOLE = Box.of_shape(SHAPE)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _served(handler: Callable[..., SimpleHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server over `tmp_path` that the deployment allows."""
    monkeypatch.setenv("EMSEG_INSIDE_HOSTS", "127.0.0.1")
    with _served(partial(_Quiet, directory=str(tmp_path))) as address:
        yield address


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (lambda folder: bare(folder, voxels(), 2), ""),
        (lambda folder: ome(folder, {"s0": (voxels(), scale(40, 4, 4)), "s1": (voxels() + 1, scale(80, 8, 8))}), ""),
        (lambda folder: n5(folder / "v" / "s0", voxels()).parent, ":s0"),
        (lambda folder: precomputed(folder, voxels()), ":8_8_40"),
    ],
    ids=["zarr", "ome", "n5", "precomputed"],
)
def test_a_volume_is_read_from_a_web_server(tmp_path: Path, web: str, write: Callable[[Path], Path], name: str) -> None:
    """Kills taking the port for the name of an array, and counting chunks where nothing can be listed."""
    source = open_source(f"{web}/{write(tmp_path).relative_to(tmp_path)}{name}")
    np.testing.assert_array_equal(source.read(WHOLE), voxels())
    assert any("18 chunks were not counted" in note for note in source.info.notes)


def test_a_chunk_that_a_web_server_lacks_is_refused(tmp_path: Path, web: str) -> None:
    """Kills zeros for whatever the server does not find."""
    (bare(tmp_path, voxels()) / "c/1/0/1").unlink()
    with refused(PermanentError, "c/1/0/1", "--missing-chunks empty"):
        open_source(f"{web}/v.zarr").read(WHOLE)
    assert open_source(f"{web}/v.zarr", "empty").read(WHOLE)[8, 0, 4] == 0


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/v.zarr",
        "https://127.0.0.1/v.zarr",
        "https://localhost/v.zarr",
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/v.zarr",
        "https://[::1]/v.zarr",
        "https://user:password@example.org/v.zarr",
        "https://example.org/v.zarr?token=secret",
        "s3:///v.zarr",
    ],
)
def test_addresses_inside_and_with_secrets_are_refused_before_any_request(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills reading the cloud's metadata for whoever can name a source, and a password in a message."""
    monkeypatch.delenv("EMSEG_INSIDE_HOSTS", raising=False)
    with pytest.raises(PermanentError) as caught:
        open_source(address)
    assert not any(secret in str(caught.value) for secret in ("password@", "token=secret"))


def test_no_redirect_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a public server that sends the reader to an address inside."""
    bare(tmp_path, voxels())
    asked: list[str] = []

    class Target(_Quiet):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    monkeypatch.setenv("EMSEG_INSIDE_HOSTS", "127.0.0.1")
    with _served(partial(Target, directory=str(tmp_path))) as inside:

        class Redirect(_Quiet):
            def do_GET(self) -> None:
                self.send_response(302)
                self.send_header("Location", f"{inside}{self.path}")
                self.send_header("Content-Length", "0")
                self.end_headers()

        with _served(Redirect) as outside, refused(PermanentError, "302"):
            open_source(f"{outside}/v.zarr")
    assert asked == []


def test_a_server_that_is_down_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMSEG_INSIDE_HOSTS", "127.0.0.1")
    monkeypatch.setattr(location, "CONTEXT", location.context(retries=1))
    with _served(_Quiet) as address:
        pass
    with pytest.raises(TransientError):
        open_source(f"{address}/v.zarr")


def test_a_volume_is_read_from_a_bucket_of_googles_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the JSON API of Google Cloud Storage: objects, and their listing."""
    bare(tmp_path / "atlas", voxels())

    class Api(_Quiet):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            name = unquote(parts.path.partition("/o/")[2])
            file = tmp_path / "atlas" / name
            if not name:
                prefix = parse_qs(parts.query).get("prefix", [""])[0]
                files = [f for f in (tmp_path / "atlas").rglob("*") if f.is_file()]
                names = [str(f.relative_to(tmp_path / "atlas")) for f in files]
                self._answer(json.dumps({"items": [{"name": n} for n in names if n.startswith(prefix)]}).encode())
            elif file.is_file():
                self._answer(file.read_bytes())
            else:
                self.send_error(404)

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("x-goog-generation", "1")
            self.end_headers()
            self.wfile.write(body)

    with _served(Api) as api:
        monkeypatch.setenv("TENSORSTORE_GCS_HTTP_URL", api)
        source = open_source("gs://atlas/v.zarr")
        np.testing.assert_array_equal(source.read(WHOLE), voxels())
    assert source.info.notes == ()


@pytest.mark.services
def test_a_volume_is_read_from_s3_with_keys_of_the_environment(
    tmp_path: Path, devstack: DevStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills keys that are taken from elsewhere, and missing chunks that a bucket's listing would show."""
    store = S3Store.open(devstack.s3)
    folder = bare(tmp_path, voxels())
    for file in (f for f in folder.rglob("*") if f.is_file()):
        store.put(f"sources/{file.relative_to(tmp_path)}", file.read_bytes())
    address = f"s3://{devstack.s3.bucket}/{devstack.s3.prefix}/sources/v.zarr"
    for name, value in environment_of(devstack.s3).items():
        monkeypatch.setenv(name, value)
    source = open_source(address)
    np.testing.assert_array_equal(source.read(WHOLE), voxels())
    assert source.info.notes == ()
    store.delete("sources/v.zarr/c/0/0/0")
    with refused(PermanentError, "1 of 18"):
        open_source(address)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(EmsegError) as caught:
        open_source(address)
    assert "wrong" not in str(caught.value)
