"""A full disk: a real limit of the size of files, met in the middle of writing, told in words, and mended by room."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from tests.refusals import refused

from emseg.errors import NoRoomError, TransientError
from emseg.store import FolderStore, PhaseFolder
from emseg.store.s3_errors import emseg_error


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may become larger than `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.fault("F15")
def test_a_full_disk_is_told_with_path_and_need_and_leaves_nothing_half_written(tmp_path: Path):
    """Kills a retry that cannot succeed, an object that is cut, and a temporary file that keeps the disk full."""
    store = FolderStore(tmp_path)
    folder = PhaseFolder(store, "brain", "segment", "key1", "a1")
    with room_for(1000), refused(NoRoomError, tmp_path, "5000 bytes"):
        folder.write_artefact("sv-1", "labels", bytes(5000))
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".lock"] == []
    artefact = folder.write_artefact("sv-1", "labels", bytes(5000))
    assert folder.read_artefact(artefact) == bytes(5000), "and with room the same call succeeds"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (507, "InsufficientStorage", NoRoomError),
        (507, "", NoRoomError),
        (400, "QuotaExceeded", NoRoomError),
        (503, "SlowDown", TransientError),
        (500, "InternalError", TransientError),
    ],
)
def test_a_full_s3_server_is_not_a_busy_one(status, code, kind):
    reply = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert type(emseg_error("writing", "s3://b/k", ClientError(reply, "PutObject"))) is kind
