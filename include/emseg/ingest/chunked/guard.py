"""What TensorStore says when it fails, as an error of emseg that names the file and the place.

TensorStore begins a message with a status, for example `NOT_FOUND: chunk {2, 0, 1} stored at ... is missing`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from emseg.errors import EmsegError, PermanentError, TransientError

_PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "RESOURCE_EXHAUSTED", "INTERNAL")
"""States that a later try may not meet."""

_MISSING = re.compile(r"NOT_FOUND: chunk \{")

_UNKNOWN = "Error parsing object member"
"""In a message about a description: TensorStore does not read what it asks for, such as LZ4 in N5."""

EMPTY_REMEDY = (
    "Copy the source again, or let its writer end. Where the writer leaves out chunks that hold nothing but the fill "
    "value, say so: --missing-chunks empty"
)

_UNKNOWN_REMEDY = (
    "Where emseg does not read the kind that is named last, write the volume again with another, for example gzip; "
    "where the writer did not write it so, the file is damaged: copy it again"
)


@contextmanager
def told_in_words(on: str) -> Iterator[None]:
    """Turn errors of TensorStore into TransientError where a later try may succeed, else into PermanentError."""
    try:
        yield
    except EmsegError:
        raise
    except TimeoutError:
        raise TransientError("reading a volume", on, "no answer came in time", "Try again") from None
    except Exception as error:  # noqa: BLE001 - the border to a library: its kinds of errors are not documented
        raise _error(on, str(error)) from None


def _error(on: str, message: str) -> EmsegError:
    found = re.sub(r"\s*\[[a-z_ ]+=.*", "", message, flags=re.DOTALL)[:600]
    if found.startswith(_PASSING):
        return TransientError("reading a volume", on, found, "Try again; a retry reads only what is missing")
    if _MISSING.match(found):
        return PermanentError("reading a volume", on, found, EMPTY_REMEDY)
    if _UNKNOWN in found:
        return PermanentError("reading a volume", on, found, _UNKNOWN_REMEDY)
    return PermanentError("reading a volume", on, found, "Copy the named file again, or give another address")
