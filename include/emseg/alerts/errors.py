"""The error of a channel that does not know whether it delivered."""

from __future__ import annotations

from emseg.errors import PermanentError


class UnsureError(PermanentError):
    """The message may have arrived: the receiver was given all of it and did not answer. Sending it again could be
    sending it twice, so nobody does."""
