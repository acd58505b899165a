"""A stand-in for DVID that counts what it is asked: how many requests at once, when, of which instance, refused or not.

How long an answer takes, and what it is, a test says.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = tuple[int, bytes, dict[str, str]]
GOOD: Answer = (200, b"good", {})


class StandIn(ThreadingHTTPServer):
    """`seconds` of an answer follow from how many are under way, `answer` from the time since the server began."""

    request_queue_size = 200
    daemon_threads = True

    def __init__(self, seconds: Callable[[int], float], answer: Callable[[float], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seconds, self.answer = seconds, answer
        self.began = time.monotonic()
        self.under_way, self.most, self.statuses = 0, 0, Counter[int]()
        self.of_instance: Counter[str] = Counter()
        self.under_way_of: Counter[str] = Counter()
        self.times: list[float] = []
        self.at_once: list[int] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @contextmanager
    def counted(self, path: str) -> Iterator[int]:
        instance = path.split("/")[4]
        with self.lock:
            self.under_way += 1
            self.under_way_of[instance] += 1
            at_once = self.under_way
            self.most = max(self.most, at_once)
            self.at_once.append(at_once)
            self.times.append(time.monotonic() - self.began)
            self.of_instance[instance] += 1
        try:
            yield at_once
        finally:
            with self.lock:
                self.under_way -= 1
                self.under_way_of[instance] -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: StandIn

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.counted(self.path) as at_once:
            status, content, headers = self.server.answer(time.monotonic() - self.server.began)
            if status == 200:
                time.sleep(self.server.seconds(at_once))
        self.server.statuses[status] += 1
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def handle(self) -> None:
        """A client that is killed breaks off."""
        try:
            super().handle()
        except ConnectionError:
            return


@contextmanager
def stand_in(
    seconds: Callable[[int], float] = lambda _: 0.0, answer: Callable[[float], Answer] = lambda _: GOOD
) -> Iterator[StandIn]:
    """The server, for as long as the context lasts."""
    server = StandIn(seconds, answer)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def sent_by_threads(threads: int, send: Callable[[], object], until: Callable[[], bool]) -> list[BaseException]:
    """Threads that send one request after the other until `until`; the errors that they ended with."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            while not until():
                send()
        except BaseException as error:  # noqa: BLE001 - the test asks for it
            errors.append(error)

    started = [threading.Thread(target=run) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return errors
