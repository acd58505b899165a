"""The one error tree of emseg: who may retry, and what a person reads.

Every message says what was being done, on what, what was found and what to do. The class says what a machine may do
about it: retry (`TransientError`), stop (`PermanentError`), or set the damaged object aside and compute it anew
(`IntegrityError`). `exit_code` carries the class out of a Spark driver, where Airflow reads it.
"""

from __future__ import annotations

import errno
import os
import re
import resource
from typing import ClassVar

NO_SPACE = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of this user on that disk is used up",
    errno.EFBIG: "the file would be larger than this process (ulimit -f) or that disk allows",
}
"""What the operating system's errors mean that say that there is no space."""

RUN_AGAIN = "run again (in Airflow: clear the task)"
"""Ends the remedy of an error that lasts until a person has done something: what is done already is found again."""

_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]")
"""What a terminal obeys instead of showing it, what turns the direction of a line or has no width, half characters."""


def printable(text: str) -> str:
    """`text` for people, where a file or a server may have written it: what is no visible character is spelled out."""
    return _COMMANDS.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


class EmsegError(Exception):
    """Base of all errors that emseg raises on purpose."""

    exit_code: ClassVar[int] = 70
    retry_is_safe: ClassVar[bool] = False

    def __init__(self, doing: str, on: str, found: str, remedy: str) -> None:
        """Build the message from its four parts, e.g. `("reading grayscale", "node 3f2a", "HTTP 503", "try later")`."""
        self.doing, self.on, self.found, self.remedy = doing, on, found, remedy
        super().__init__(doing, on, found, remedy)

    def __str__(self) -> str:
        return printable(f"{self.doing} ({self.on}): {self.found.rstrip('.')}. {self.remedy.rstrip('.')}.")


class TransientError(EmsegError):
    """A neighbour did not answer as it should; the same call may succeed later, and repeating it does no harm."""

    exit_code: ClassVar[int] = 75
    retry_is_safe: ClassVar[bool] = True


class PermanentError(EmsegError):
    """No repetition can succeed: a person must change the configuration, the data or the deployment."""

    exit_code: ClassVar[int] = 64


class IntegrityError(EmsegError):
    """Stored bytes are not what their marker promises; they are set aside, and a new try computes them again."""

    exit_code: ClassVar[int] = 65
    retry_is_safe: ClassVar[bool] = True


class NoRoomError(PermanentError):
    """A disk, a quota, a limit of memory or a server is full: only a person can make room.

    It says nothing against the item that met it, so no item is given up for it.
    """

    @classmethod
    def of(cls, error: BaseException, doing: str, on: str, need: str = "") -> NoRoomError | None:
        """The error to raise for one of Python that says so; None for any other. `need` is how much was wanted."""
        code = error.errno if isinstance(error, OSError) else None
        if code in NO_SPACE:
            place = str(getattr(error, "filename", None) or on)
            found = f"{os.strerror(code or 0)}{need and f': {need}'}"
            return cls(doing, place, found, f"Free space there, or use another disk; then {RUN_AGAIN}")
        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY and (isinstance(error, MemoryError) or code == errno.ENOMEM):
            found = f"{error or 'out of memory'}; the process may have {limit / 2**20:.0f} MiB (RLIMIT_AS)"
            return cls(doing, on, found, "Raise the limit (ulimit -v) or use smaller subvolumes; then run again")
        return None


class StepError(PermanentError):
    """A segmentation step broke its contract (raised, wrong dtype, wrong shape) on one subvolume."""


ERROR_OF_EXIT_CODE: dict[int, type[EmsegError]] = {
    kind.exit_code: kind for kind in (TransientError, PermanentError, IntegrityError)
}
"""What a driver's exit code means to whoever started it; every other non-zero code is a crash, and a retry is safe."""
