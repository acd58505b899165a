"""Folders for the time of one call, among the temporary files of this computer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emseg.disk.partial import partial_folder, remove_leftovers

_PREFIX = "emseg-scratch-"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder of this user alone; it is gone when the block ends."""
    with partial_folder(Path(tempfile.gettempdir()), _PREFIX) as folder:
        folder.chmod(0o700)
        yield folder


def remove_scratch() -> None:
    """Remove the scratch folders whose processes were killed."""
    remove_leftovers(Path(tempfile.gettempdir()), _PREFIX)
