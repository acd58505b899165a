"""HTTP to one DVID server: addresses, time limits, repetitions, and the error that a caller gets.

A caller names an address part by part (`path("node", uuid, "seg", "blocks")`) and gets the body of a good answer. After
a broken connection a GET is sent again, and so is a POST whose caller declares that posting twice does no harm. After
an answer that is no success, the table of `errors.py` decides: whether to send again, and the error to raise.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import SystemRandom
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.adapters import HTTPAdapter

from emseg.config.connections import DvidConnection
from emseg.dvid.errors import refusal
from emseg.errors import EmsegError, IntegrityError, PermanentError, TransientError
from emseg.outside_addresses import is_readable_on_the_way, is_this_computer

ATTEMPTS = 5
FIRST_PAUSE_S = 0.5
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 660.0
"""Just above DVID's own limit of 600 s for one request."""
CONNECTIONS = 16

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
        if is_readable_on_the_way(self.url):
            _log.warning("DVID at %s is addressed by plain http: its token and data can be read on the way", self.url)
        self._token = connection.token
        self._attempts, self._first_pause_s = attempts, first_pause_s
        self._timeout_s = (CONNECT_TIMEOUT_S, read_timeout_s)
        self._session = requests.Session()
        self._session.params = {"u": "emseg", "app": "emseg"}
        # A callable also keeps requests from taking a password out of a .netrc file.
        self._session.auth = self._authorize
        self._session.proxies, self._session.verify = _proxies_and_certificates(self._session, self.url)
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
        body: bytes | Iterable[bytes],
        params: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> bytes:
        """Body of the answer to a POST; `repeatable` declares that the server may receive it twice without harm.

        A body in parts is sent part by part. A repeatable one must give its parts again from the first.
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
        body: bytes | Iterable[bytes] | None,
        repeatable: bool,
        most: int = MOST_BYTES_OF_JSON,
    ) -> bytes:
        attempt = 1
        while True:
            outcome, may_repeat = self._once(method, path, params, body, most)
            if isinstance(outcome, bytes):
                return outcome
            if not (repeatable and may_repeat) or attempt == self._attempts:
                raise outcome
            time.sleep(self._first_pause_s * 2 ** (attempt - 1) * SystemRandom().uniform(0.5, 1.5))
            attempt += 1

    def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: bytes | Iterable[bytes] | None,
        most: int,
    ) -> tuple[bytes | EmsegError, bool]:
        """One exchange: the good body, or the error to raise and whether such a request may be sent again."""
        try:
            with self._session.request(
                method,
                self.url + path,
                params=dict(params or {}),
                # As an iterator: requests takes a list or tuple for the fields of a form.
                data=body if body is None or isinstance(body, bytes) else iter(body),
                timeout=self._timeout_s,
                allow_redirects=False,
                stream=True,
            ) as answer:
                if answer.status_code in {200, 204}:
                    return self._body(method, path, answer, most), False
                return self._refused(method, path, answer)
        except (requests.exceptions.InvalidSchema, requests.exceptions.InvalidURL) as error:
            return self._unusable_proxy(method, path, error), False
        except requests.RequestException as error:
            return self._unreachable(method, path, error), True

    def _body(self, method: str, path: str, answer: requests.Response, most: int) -> bytes | IntegrityError:
        """The body, read no further than `most` bytes: a reply that has no end must not take all memory."""
        content = bytearray()
        for part in answer.iter_content(_PART_BYTES):
            content += part
            if len(content) > most:
                found = f"more than {most} bytes came"
                return IntegrityError(
                    "reading from DVID", f"{method} {path}", found, "Check that the address is a DVID server"
                )
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

    def _refused(self, method: str, path: str, answer: requests.Response) -> tuple[EmsegError, bool]:
        text = self._text(answer)
        row = refusal(answer.status_code, text)
        on, found = f"{method} {path} at {self.url}", f"HTTP {answer.status_code}: {text or 'without a text'}"
        return row.error("talking to DVID", on, found, row.remedy), method in row.repeated

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
