"""How a test says that something is refused: by the class of the error and the values that its message must hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from emseg.errors import EmsegError


@contextmanager
def refused(kind: type[EmsegError], *values: object) -> Iterator[pytest.ExceptionInfo[EmsegError]]:
    """The block must raise `kind`, and its message must hold each value as a whole word.

    `refused(PermanentError, "volume 1", 40)` takes "volume 1 (x): 40 voxels", and neither "volume 12" nor "140 voxels".
    Values are ids, numbers, shapes and field names, never sentences, so that the wording may change.
    """
    with pytest.raises(kind) as caught:
        yield caught
    missing = [value for value in values if not _holds(str(caught.value), str(value))]
    assert not missing, f"{missing} not in: {caught.value}"


def _holds(message: str, value: str) -> bool:
    before = r"(?<!\w)" if re.match(r"\w", value) else ""
    after = r"(?!\w)" if re.search(r"\w$", value) else ""
    return re.search(before + re.escape(value) + after, message) is not None
