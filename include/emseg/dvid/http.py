"""HTTP to one DVID server: what may be repeated, how long to wait, and which error a caller sees.

A caller names a path piece by piece (`path("node", uuid, "seg", "blocks")`) and gets the body of a good answer. A GET
is repeated on a broken connection and on 500, 502, 503 and 504; a POST only where its caller declares that posting
twice does no harm, and then only on a broken connection and on 503 (any other answer is the server's verdict on it).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from random import SystemRandom
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from emseg.config.connections import DvidConnection
from emseg.errors import EmsegError, IntegrityError, PermanentError, TransientError

ATTEMPTS = 5
FIRST_PAUSE_S = 0.5
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 660.0
"""Just above DVID's own limit of 600 s for one request."""
CONNECTIONS = 16

_REPEATED_ON_GET = frozenset({500, 502, 503, 504})
_REPEATED_ON_POST = frozenset({503})
_LOCKED = re.compile(r"(?<!un)locked node")
_MISSING = re.compile(
    r"could not find UUID|not present in datastore|invalid data instance name|not found", re.IGNORECASE
)
_LONGEST_WORDS = 300


class NotFoundError(PermanentError):
    """DVID has no such repository, node, instance or key."""


class NodeLockedError(PermanentError):
    """The node is committed: nothing can be written to it any more."""


def path(*pieces: str) -> str:
    """Address below the server, `/api/<piece>/<piece>...`; every piece is quoted, none may be empty, `.` or `..`."""
    if any(piece in {"", ".", ".."} for piece in pieces):
        raise PermanentError(
            "building a DVID address", "/".join(pieces), "a piece is empty or points elsewhere", "Give every name"
        )
    return "/api/" + "/".join(quote(piece, safe=":") for piece in pieces)


class DvidServer:
    """One DVID server, spoken to as user and application `emseg`, with the connection's bearer token if it has one."""

    def __init__(
        self,
        connection: DvidConnection,
        attempts: int = ATTEMPTS,
        first_pause_s: float = FIRST_PAUSE_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Prepare the session; nothing is sent. `first_pause_s` doubles with every repetition, jittered by half."""
        self.url = _checked_url(connection.url)
        self._token = connection.token
        self._attempts, self._first_pause_s = attempts, first_pause_s
        self._timeout_s = (CONNECT_TIMEOUT_S, read_timeout_s)
        self._session = requests.Session()
        self._session.params = {"u": "emseg", "app": "emseg"}
        # A callable here also keeps requests from taking a password out of a .netrc file.
        self._session.auth = self._authorize
        # What the environment says of proxies and certificates is asked once: asking takes as long as a small request.
        said = self._session.merge_environment_settings(self.url, {}, None, None, None)
        self._session.proxies, self._session.verify = said["proxies"], said["verify"]
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=CONNECTIONS))

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        expected_bytes: int | None = None,
    ) -> bytes:
        """Body of a GET. An answer that is not `expected_bytes` long is an `IntegrityError`."""
        content = self._request("GET", path, params, body, _REPEATED_ON_GET)
        if expected_bytes is not None and len(content) != expected_bytes:
            raise IntegrityError(
                "reading from DVID",
                f"GET {path}",
                f"{len(content)} bytes came instead of {expected_bytes}",
                "Try again; if it stays so, the stored data or the server is damaged",
            )
        return content

    def get_json(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Parsed JSON body of a GET."""
        content = self.get(path, params)
        try:
            return json.loads(content)
        except ValueError:
            raise IntegrityError(
                "reading from DVID", f"GET {path}", "the answer is not JSON", "Check that the address is a DVID server"
            ) from None

    def post(
        self,
        path: str,
        body: bytes | Iterable[bytes],
        params: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> bytes:
        """Body of the answer to a POST; `repeatable` declares that the server may receive it twice without harm.

        A body in parts is sent as they come, and must give them again from the first where it is repeatable.
        """
        return self._request("POST", path, params, body, _REPEATED_ON_POST if repeatable else None)

    def post_json(self, path: str, content: object, repeatable: bool = False) -> bytes:
        """Post `content` as JSON."""
        return self.post(path, json.dumps(content).encode(), repeatable=repeatable)

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | Iterable[bytes] | None,
        repeated_on: frozenset[int] | None,
    ) -> bytes:
        last = self._attempts if repeated_on is not None else 1
        attempt = 1
        while True:
            outcome, may_repeat = self._once(method, path, params, body, repeated_on or frozenset())
            if isinstance(outcome, bytes):
                return outcome
            if not may_repeat or attempt == last:
                raise outcome
            time.sleep(self._first_pause_s * 2 ** (attempt - 1) * SystemRandom().uniform(0.5, 1.5))
            attempt += 1

    def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | Iterable[bytes] | None,
        repeated_on: frozenset[int],
    ) -> tuple[bytes | EmsegError, bool]:
        """One exchange: the good body, or the error to raise and whether a repetition might help."""
        try:
            answer = self._session.request(
                method,
                self.url + path,
                params=dict(params or {}),
                # As an iterator: a list or tuple would be taken for the fields of a form.
                data=body if body is None or isinstance(body, bytes) else iter(body),
                timeout=self._timeout_s,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return self._unreachable(method, path, error), True
        if answer.status_code in {200, 204}:
            return answer.content, False
        return self._refusal(method, path, answer), answer.status_code in repeated_on

    def _unreachable(self, method: str, path: str, error: requests.RequestException) -> TransientError:
        # The text of `error` holds the whole address; its class says what a person needs.
        return TransientError(
            "talking to DVID",
            f"{method} {path} at {self.url}",
            f"no whole answer came ({type(error).__name__})",
            "Check that the server runs and is reachable, then try again",
        )

    def _refusal(self, method: str, path: str, answer: requests.Response) -> EmsegError:
        words = self._words(answer)
        kind, remedy = _kind_of_refusal(answer.status_code, words)
        return kind("talking to DVID", f"{method} {path} at {self.url}", f"HTTP {answer.status_code}: {words}", remedy)

    def _words(self, answer: requests.Response) -> str:
        words = " ".join(answer.text[: 2 * _LONGEST_WORDS].split())[:_LONGEST_WORDS]
        secret = self._token.get_secret_value() if self._token else ""
        return (words.replace(secret, "***") if secret else words) or "no words"

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return request


def _kind_of_refusal(status: int, words: str) -> tuple[type[EmsegError], str]:
    if status >= 500:
        return TransientError, "Try again later; if it stays so, read the server's log"
    if _LOCKED.search(words):
        return NodeLockedError, "Write to a new version or branch of this node"
    if status == 404 or _MISSING.search(words):
        return NotFoundError, "Check the name, and that the node holds it"
    if status in {401, 403}:
        return PermanentError, "Give a token that may do this (EMSEG_DVID_TOKEN)"
    if 300 <= status < 400:
        return PermanentError, "Redirects are not followed: configure the server's own address"
    return PermanentError, "Correct the request or the server's configuration"


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise PermanentError(
            "connecting to DVID",
            f"host {parts.hostname}",
            "the address is not of the form http(s)://host[:port] without user, password or query",
            "Correct EMSEG_DVID_URL; a token belongs in EMSEG_DVID_TOKEN",
        )
    return url.rstrip("/")
