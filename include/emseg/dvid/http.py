"""HTTP to one DVID server: addresses, time limits, repetitions, and the error that a caller gets.

A caller names an address part by part (`path("node", uuid, "seg", "blocks")`) and gets the body of a good answer. After
a broken connection a GET is sent again, and so is a POST whose caller declares that posting twice does no harm. After
an answer that is no success, the table of `errors.py` decides: whether to send again, and the error to raise.

All requests of a process go through one window, which the server's answers make wider or narrower, and through request
slots, where the server has a limit over all processes.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from emseg.config.connections import DvidConnection
from emseg.dvid.errors import refusal
from emseg.dvid.repetition import Failed, Patience, Repetition, retry_after_s
from emseg.dvid.window import MOST, Window
from emseg.errors import IntegrityError, PermanentError, TransientError
from emseg.outside_addresses import is_readable_on_the_way, is_this_computer

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 660.0
"""Just above DVID's own limit of 600 s for one request."""

MOST_BYTES = 16 << 30
"""Longest reply whose length is not known before: the mapping of 10^9 supervoxels."""
MOST_BYTES_OF_JSON = 1 << 30

_PART_BYTES = 1 << 20
_LONGEST_TEXT = 300
_log = logging.getLogger(__name__)


def path(*parts: str) -> str:
    """Address below the server, `/api/<part>/<part>...`; every part is quoted, none may be empty, `.` or `..`."""
    if any(part in {"", ".", ".."} for part in parts):
        raise PermanentError(
            "building a DVID address", "/".join(parts), "a part is empty or points elsewhere", "Give every name"
        )
    return "/api/" + "/".join(quote(part, safe=":") for part in parts)


class Slots(Protocol):
    """A limit on requests that other processes share."""

    def one(self) -> AbstractContextManager[None]:
        """A place for one request; waits for it, and raises `TransientError` where none comes."""
        ...


class _NoLimit:
    def one(self) -> AbstractContextManager[None]:
        return nullcontext()


class DvidServer:
    """One DVID server, spoken to as user and application `emseg`, with the connection's bearer token if it has one."""

    def __init__(
        self,
        connection: DvidConnection,
        slots: Slots | None = None,
        patience: Patience | None = None,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        """Prepare the session; nothing is sent. `slots` is the limit that this process shares with others, if any."""
        self.url = _checked_url(connection.url)
        if is_readable_on_the_way(self.url):
            _log.warning("DVID at %s is addressed by plain http: its token and data can be read on the way", self.url)
        self._token = connection.token
        self._slots, self._window, self._patience = slots or _NoLimit(), Window(), patience or Patience()
        self._timeout_s = (CONNECT_TIMEOUT_S, read_timeout_s)
        self._session = requests.Session()
        self._session.params = {"u": "emseg", "app": "emseg"}
        # A callable also keeps requests from taking a password out of a .netrc file.
        self._session.auth = self._authorize
        self._session.proxies, self._session.verify = _proxies_and_certificates(self._session, self.url)
        self._session.trust_env = False
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=MOST))

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        expected_bytes: int | None = None,
    ) -> bytes:
        """Body of a GET. An answer that is not `expected_bytes` long is an `IntegrityError`."""
        content = self._request("GET", path, params, body, repeatable=True, most=expected_bytes or MOST_BYTES)
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
        content = self._request("GET", path, params, None, repeatable=True, most=MOST_BYTES_OF_JSON)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise IntegrityError(
                "reading from DVID", f"GET {path}", "the answer is not JSON", "Check that the address is a DVID server"
            ) from None

    def post(
        self,
        path: str,
        body: bytes | Sequence[bytes],
        params: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> bytes:
        """Body of the answer to a POST; `repeatable` declares that the server may receive it twice without harm.

        A body in parts is sent part by part. All are made by now: a request under way waits for nothing but the server.
        """
        return self._request("POST", path, params, body, repeatable)

    def post_json(self, path: str, content: object, repeatable: bool = False) -> bytes:
        """Post `content` as JSON."""
        return self.post(path, json.dumps(content).encode(), repeatable=repeatable)

    def _request(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | Sequence[bytes] | None,
        repeatable: bool,
        most: int = MOST_BYTES_OF_JSON,
    ) -> bytes:
        repetition = Repetition(self._patience)
        while True:
            outcome = self._in_turn(method, path, params, body, most)
            if isinstance(outcome, bytes):
                return outcome
            pause_s = repetition.pause_s(outcome) if repeatable else None
            if pause_s is None:
                raise outcome.error
            time.sleep(pause_s)

    def _in_turn(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | Sequence[bytes] | None,
        most: int,
    ) -> bytes | Failed:
        """One exchange, when the window and the slots let it through; the window learns how it went.

        The request is made ready before: a slot lets it through now, and not after a while.
        """
        request = self._prepared(method, path, params, body)
        with self._window.turn((method, *path.split("/")[4:6])) as turn, self._slots.one():
            turn.starts()
            outcome = self._once(method, path, request, most)
            if isinstance(outcome, bytes):
                turn.answered(_size_bytes(body) + len(outcome))
            elif outcome.is_busy or outcome.is_silent:
                turn.refused(outcome.retry_after_s)
            return outcome

    def _prepared(
        self, method: str, path: str, params: Mapping[str, str] | None, body: bytes | Sequence[bytes] | None
    ) -> requests.PreparedRequest:
        # In parts as an iterator: requests takes a list for the fields of a form.
        data = body if body is None or isinstance(body, bytes) else iter(body)
        return self._session.prepare_request(
            requests.Request(method, self.url + path, params=dict(params or {}), data=data)
        )

    def _once(self, method: str, path: str, request: requests.PreparedRequest, most: int) -> bytes | Failed:
        """One exchange: the good body, or what came instead."""
        try:
            with self._session.send(
                request,
                timeout=self._timeout_s,
                allow_redirects=False,
                stream=True,
                proxies=self._session.proxies,
                verify=self._session.verify,
            ) as answer:
                if answer.status_code in {200, 204}:
                    return self._body(method, path, answer, most)
                return self._refused(method, path, answer)
        except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
            return Failed(self._unusable_proxy(method, path, error), may_repeat=False)
        except requests.RequestException as error:
            return Failed(self._unreachable(method, path, error), may_repeat=True, is_silent=True)

    def _body(self, method: str, path: str, answer: requests.Response, most: int) -> bytes | Failed:
        """The body, read no further than `most` bytes: a reply that has no end must not take all memory."""
        content = bytearray()
        for part in answer.iter_content(_PART_BYTES):
            content += part
            if len(content) > most:
                found = f"more than {most} bytes came"
                error = IntegrityError(
                    "reading from DVID", f"{method} {path}", found, "Check that the address is a DVID server"
                )
                return Failed(error, may_repeat=False)
        return bytes(content)

    def _unreachable(self, method: str, path: str, error: requests.RequestException) -> TransientError:
        # The text of `error` holds the whole address; its class says what a person needs.
        return TransientError(
            "talking to DVID",
            f"{method} {path} at {self.url}",
            f"no whole answer came ({type(error).__name__})",
            "Check that the server runs and is reachable, then try again",
        )

    def _unusable_proxy(self, method: str, path: str, error: requests.RequestException) -> PermanentError:
        return PermanentError(
            "talking to DVID",
            f"{method} {path} at {self.url}",
            f"the proxy of this environment cannot be used ({type(error).__name__})",
            "Correct http_proxy, https_proxy and all_proxy (only http proxies work), or name this host in no_proxy",
        )

    def _refused(self, method: str, path: str, answer: requests.Response) -> Failed:
        text = self._text(answer)
        row = refusal(answer.status_code, text)
        on, found = f"{method} {path} at {self.url}", f"HTTP {answer.status_code}: {text or 'without a text'}"
        error = row.error("talking to DVID", on, found, row.remedy)
        wanted_s = retry_after_s(answer.headers) if row.is_busy else 0.0
        return Failed(error, method in row.repeated, row.is_busy, row.is_silent, wanted_s)

    def _text(self, answer: requests.Response) -> str:
        """The beginning of the answer's body on one line, without the token."""
        begins = next(answer.iter_content(_PART_BYTES), b"")[: 4 * _LONGEST_TEXT].decode("utf-8", "replace")
        text = " ".join(begins.split())[:_LONGEST_TEXT]
        secret = self._token.get_secret_value() if self._token else ""
        return text.replace(secret, "***") if secret else text

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        return request


def _size_bytes(body: bytes | Sequence[bytes] | None) -> int:
    if body is None:
        return 0
    return len(body) if isinstance(body, bytes) else sum(map(len, body))


def _proxies_and_certificates(session: requests.Session, url: str) -> tuple[Any, Any]:
    """What the environment says of them, read once, because reading takes as long as a small request.

    A server on this computer is never reached through a proxy.
    """
    settings = session.merge_environment_settings(url, {}, None, None, None)
    certificates = settings["verify"]
    if url.startswith("https:") and isinstance(certificates, str) and not Path(certificates).exists():
        raise PermanentError(
            "connecting to DVID", certificates, "there is no such file of certificates", "Correct REQUESTS_CA_BUNDLE"
        )
    return {} if is_this_computer(urlsplit(url).hostname or "") else settings["proxies"], certificates


def _checked_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = "" if parts.query or parts.fragment or "@" in parts.netloc else parts.hostname
        usable = bool(host) and parts.scheme in {"http", "https"} and parts.port != 0
    except ValueError:  # no number as port, no end of an IPv6 address
        usable = False
    if not usable:
        raise PermanentError(
            "connecting to DVID",
            "its address",  # not shown: it may hold a password
            "it is not of the form http(s)://host[:port] without user, password or query",
            "Correct EMSEG_DVID_URL; a token belongs in EMSEG_DVID_TOKEN",
        )
    return url.rstrip("/")
