"""The body of one exchange with DVID: whole or in parts, and how much of it went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


class SentBody:
    """The body of a request, and how many bytes of it were sent."""

    def __init__(self, body: bytes | Iterable[bytes] | None) -> None:
        self._body, self.size_bytes = body, len(body) if isinstance(body, bytes) else 0

    def data(self) -> bytes | Iterator[bytes] | None:
        """What requests takes: parts as an iterator, because it takes a list or tuple for the fields of a form."""
        return self._body if self._body is None or isinstance(self._body, bytes) else self._parts(self._body)

    def _parts(self, body: Iterable[bytes]) -> Iterator[bytes]:
        for part in body:
            self.size_bytes += len(part)
            yield part
