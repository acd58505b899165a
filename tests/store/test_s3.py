"""S3Store before a server that refuses, drops, cuts off or ignores: the real one, spoiled by a proxy, and a fake."""

import logging
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from botocore.exceptions import ClientError
from pydantic import SecretStr
from tests.refusals import refused

from emseg.config.connections import S3Connection
from emseg.errors import IntegrityError, PermanentError, TransientError
from emseg.store import S3Store
from emseg.store.s3_errors import emseg_error

services = pytest.mark.services


@services
def test_opening_leaves_nothing_behind_and_workers_need_no_request(faulty_proxy, s3_connection):
    """Kills probes that litter the bucket, and a probe by each of a thousand Spark workers."""
    through_proxy = s3_connection.model_copy(update={"endpoint_url": faulty_proxy.url})
    store = S3Store.open(through_proxy, probe=False)
    assert faulty_proxy.requests == 0
    S3Store.open(through_proxy)
    assert 4 <= faulty_proxy.requests <= 8
    assert list(store.keys_under("")) == []


@services
@pytest.mark.usefixtures("foreign_shell")
def test_the_connection_alone_says_where_the_bucket_is_and_with_what_keys(s3_connection):
    """Kills profile, session token, endpoint, options and proxy of the caller's other programs of AWS."""
    store = S3Store.open(s3_connection)
    store.put("a/b", b"x")
    assert S3Store.open(s3_connection).get("a/b") == b"x"


def test_a_bucket_elsewhere_is_reached_through_the_proxy(monkeypatch):
    """Kills a client that looks at no proxy at all. The server of this test is the proxy."""
    asked = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(418)

    keys = {"access_key": SecretStr("a"), "secret_key": SecretStr("b")}
    elsewhere = S3Connection(endpoint_url="http://s3.invalid", bucket="neurons", **keys)
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as proxy:
        Thread(target=proxy.serve_forever, daemon=True).start()
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.server_port}")
        with refused(PermanentError, "HTTP 418"):
            S3Store.open(elsewhere, probe=False).get("a/b")
        proxy.shutdown()
    assert asked == ["http://s3.invalid/neurons/emseg/a/b"]


@services
@pytest.mark.parametrize("fault", ["refuse", "reset", "lose"])
def test_a_put_survives_faults_and_stores_the_object_once(faulty_proxy, faulty_store, fault):
    """Kills clients that give up at the first 503, reset or lost reply."""
    faulty_proxy.faults += [fault, fault]
    faulty_store.put("a/b", b"body" * 1000)
    assert faulty_proxy.faults == []
    assert faulty_store.get("a/b") == b"body" * 1000


@services
@pytest.mark.parametrize(
    "faults", [["lose"], ["lose", "reset"], ["conflict", "lose"], ["lose", "conflict"], ["conflict"] * 3]
)
@pytest.mark.fault("F8")
def test_a_conditional_put_that_won_says_so_whatever_happened_to_its_reply(faulty_proxy, faulty_store, faults):
    """The retry of a put whose reply was lost gets 412 from itself. Kills taking that for somebody else's win."""
    faulty_proxy.faults += faults
    assert faulty_store.put_if_absent("marker.json", b"attempt 1")
    assert faulty_store.get("marker.json") == b"attempt 1"
    faulty_proxy.faults += faults
    assert not faulty_store.put_if_absent("marker.json", b"attempt 2")
    assert faulty_store.get("marker.json") == b"attempt 1"


@services
@pytest.mark.parametrize("faults", [["lose"], ["conflict", "lose"], ["lose", "conflict"]])
@pytest.mark.fault("F8")
def test_a_replacement_that_won_says_so_whatever_happened_to_its_reply(faulty_proxy, faulty_store, faults):
    """Kills a lease that its holder believes lost, though its renewal was stored."""
    faulty_store.put("lease", b"turn 1")
    _, version = faulty_store.get_with_version("lease")
    faulty_proxy.faults += faults
    assert faulty_store.replace_if("lease", b"turn 2", version)
    faulty_proxy.faults += faults
    assert not faulty_store.replace_if("lease", b"turn 3", version)
    assert faulty_store.get("lease") == b"turn 2"


@services
def test_a_body_that_breaks_off_is_read_again(faulty_proxy, faulty_store):
    """botocore does not repeat a read whose body breaks off. Kills half an object taken for the whole."""
    faulty_store.put("a/b", bytes(range(256)) * 4000)
    faulty_proxy.faults += ["halve", "halve"]
    assert faulty_store.get("a/b") == bytes(range(256)) * 4000
    faulty_proxy.faults += ["halve"] * 3
    with refused(TransientError, faulty_store.address("a/b")):
        faulty_store.get("a/b")


@services
def test_a_bit_that_flips_on_the_wire_is_seen_and_read_again(faulty_proxy, faulty_store):
    """Kills reading the raw stream, past the checksum the server sent: TCP's own misses one error in 65536."""
    faulty_store.put("a/b", b"body" * 1000)
    faulty_proxy.faults += ["flip"]
    assert faulty_store.get("a/b") == b"body" * 1000
    faulty_proxy.faults += ["flip"] * 3
    with refused(IntegrityError, faulty_store.address("a/b")):
        faulty_store.get("a/b")


@services
def test_what_lies_damaged_can_be_replaced(faulty_proxy, faulty_store):
    """Kills damage of a disk that nobody can mend: its version is not told, and its reader's advice is never heard."""
    faulty_store.put("rotten", b"x" * 1000)
    _, version = faulty_store.get_with_version("rotten")
    faulty_proxy.faults += ["flip"] * 4
    data, found = faulty_store.get_with_version("rotten")
    assert (len(data), found) == (1000, version)
    assert data != b"x" * 1000
    assert faulty_store.replace_if("rotten", b"mended", version)


@services
def test_a_server_that_refuses_for_ever_is_a_transient_error_in_bounded_time(faulty_proxy, faulty_store):
    """Kills endless retries, and 503 taken for a permanent fault."""
    faulty_proxy.faults += ["conflict"] * 50
    before = faulty_proxy.requests
    with refused(TransientError, faulty_store.address("a/b"), 409, "ConditionalRequestConflict"):
        faulty_store.put_if_absent("a/b", b"x")
    assert faulty_proxy.requests - before <= 10


@services
def test_an_object_over_the_part_size_goes_up_in_parts_and_comes_back(faulty_proxy, faulty_store):
    """Kills one PUT for everything, which S3 refuses above 5 GB: 70 MB is two parts, so at least four requests."""
    body = bytes(range(251)) * 280_000
    before = faulty_proxy.requests
    faulty_store.put("a/large", body)
    assert faulty_proxy.requests - before >= 4
    assert faulty_store.get("a/large") == body


@services
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"bucket": "no-such-bucket"}, "EMSEG_S3_BUCKET"),
        ({"secret_key": SecretStr("canary-secret")}, "AWS_SECRET_ACCESS_KEY"),
        ({"access_key": SecretStr("canary-access")}, "AWS_ACCESS_KEY_ID"),
        ({"endpoint_url": "http://canary-user:canary-secret@127.0.0.1:9"}, "EMSEG_S3_ENDPOINT"),
        ({"endpoint_url": "127.0.0.1:9"}, "EMSEG_S3_ENDPOINT"),
        ({"prefix": "../up"}, "'..'"),
    ],
)
def test_what_a_person_must_correct_is_named_and_no_secret_is_shown(s3_connection, caplog, change, named):
    """Kills retries of a wrong key, and errors or logs that carry the key (planted canaries)."""
    caplog.set_level(logging.INFO)
    with refused(PermanentError, named) as caught:
        S3Store.open(s3_connection.model_copy(update=change))
    assert "canary" not in "".join(traceback.format_exception(caught.value)) + caplog.text
    assert s3_connection.secret_key.get_secret_value() not in "".join(traceback.format_exception(caught.value))


def test_a_server_that_is_not_there_is_transient():
    """Kills a permanent error for a server that is only restarting; port 9 of this computer does not answer."""
    keys = {"access_key": SecretStr("a"), "secret_key": SecretStr("b")}
    with refused(TransientError, "s3://bucket/emseg/probe", "EMSEG_S3_ENDPOINT"):
        S3Store.open(S3Connection(endpoint_url="http://127.0.0.1:9", bucket="bucket", **keys))


class _NoConditions(BaseHTTPRequestHandler):
    """An S3 server as `rclone serve s3` or Garage: it answers conditional puts with 200, but for the header `obeys`."""

    objects: dict[str, bytes]
    obeys: str | None

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        condition = self.headers.get(self.obeys) if self.obeys else None
        taken = condition is not None and (condition != "*" or self.path in self.objects)
        if not taken:
            self.objects[self.path] = body
        self._answer(412 if taken else 200, b"")

    def do_GET(self) -> None:
        self._answer(200, self.objects[self.path])

    def do_DELETE(self) -> None:
        self._answer(204, b"")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("ETag", '"0123456789abcdef0123456789abcdef"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.mark.parametrize(
    ("obeys", "ignored"),
    [(None, "If-None-Match"), ("If-None-Match", "If-Match"), ("If-Match", "If-None-Match")],
)
@pytest.mark.fault("F9")
def test_a_server_that_ignores_conditions_is_refused(obeys, ignored):
    """Kills a store that trusts every endpoint; two runs would then overwrite each other's markers."""
    handler = type("Handler", (_NoConditions,), {"objects": {}, "obeys": obeys})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    connection = S3Connection(
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        bucket="bucket",
        access_key=SecretStr("a"),
        secret_key=SecretStr("b"),
    )
    try:
        with refused(PermanentError, ignored):
            S3Store.open(connection)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "retry"),
    [
        (500, "InternalError", True),
        (503, "SlowDown", True),
        (503, "503", True),
        (429, "TooManyRequests", True),
        (400, "RequestTimeout", True),
        (409, "ConditionalRequestConflict", True),
        (409, "ObjectParentIsFile", False),
        (403, "AccessDenied", False),
        (403, "403", False),
        (403, "RequestTimeTooSkewed", False),
        (404, "NoSuchBucket", False),
        (404, "NoSuchKey", False),
        (301, "PermanentRedirect", False),
        (400, "EntityTooLarge", False),
    ],
)
def test_each_reply_says_whether_a_retry_can_help(status, code, retry):
    """Kills retry-everything (a wrong key for ever) and retry-nothing (a busy server ends the run)."""
    reply = {
        "Error": {"Code": code, "Message": "canary of the server"},
        "ResponseMetadata": {"HTTPStatusCode": status, "RetryAttempts": 0},
    }
    error = emseg_error("reading", "s3://b/k", ClientError(reply, "GetObject"))
    assert error.retry_is_safe is retry
    assert "canary" not in str(error)
