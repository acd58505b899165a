"""Paths as text."""

import os
from pathlib import Path

from emseg.disk import told_path


def test_a_path_is_told_as_utf8_and_other_bytes_by_their_numbers():
    """Kills a surrogate in a document: JSON cannot keep it."""
    assert told_path(Path("a/völume.npz")) == "a/völume.npz"
    told = told_path(Path(os.fsdecode(b"a/v\xf6lume.npz")))
    assert told == "a/v\\xf6lume.npz"
    assert told.encode()
