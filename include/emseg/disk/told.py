"""Paths as text."""

from __future__ import annotations

import os
from pathlib import Path


def told_path(path: Path) -> str:
    """A path as text that any document can hold: its bytes read as UTF-8, and what is none as `\\xc3`.

    In a shell without a language (`LC_ALL=POSIX`), `str` of a path with an umlaut is no text that JSON can keep.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")
