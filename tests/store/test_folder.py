"""What only a folder as object store can do wrong: the disk, and files of its own beside the objects."""

from __future__ import annotations

import resource
from pathlib import Path

from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.store import FolderStore


def test_a_full_disk_is_told_and_the_object_stays(tmp_path: Path) -> None:
    """Kills a torn object, and a retry of what cannot succeed. A limit on the size of files stands for the disk."""
    store = FolderStore(tmp_path)
    store.put("a/b", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, before[1]))
    try:
        for write in (store.put, store.put_if_absent):
            with refused(PermanentError, tmp_path / "a" / "b", "needed: 0.1 MB", "free"):
                write("a/b", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.get("a/b") == b"old"
    assert [path.name for path in (tmp_path / ".partial").iterdir()] == []


def test_what_a_killed_writer_left_is_no_object_and_goes_when_the_store_is_opened(tmp_path: Path) -> None:
    FolderStore(tmp_path).put("a/b", b"x")
    (tmp_path / ".partial" / ".0123").write_bytes(b"half")
    assert list(FolderStore(tmp_path).keys_under("")) == ["a/b"]
    assert list((tmp_path / ".partial").iterdir()) == []
