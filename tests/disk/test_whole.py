"""Replacing a file or folder: whole under a kill, a full disk and a closed folder, and in the same place as before."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.disk import disk_fault, replacing_folder, whole, write_whole
from emseg.errors import NoRoomError, PermanentError, TransientError

OLD, NEW = b"old" * 100, b"new" * 50_000

STALLS = """
import os, sys, time
from pathlib import Path
from emseg.disk import {name}, whole
def stall(*_):
    print("half", flush=True)
    time.sleep(60)
os.fsync = stall
{call}
"""


def kill_in_the_middle(name: str, call: str, path: Path) -> None:
    """Run `call` in a process that stops before its rename, and kill it there."""
    code = STALLS.format(name=name, call=call.format(path=path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        child.send_signal(signal.SIGKILL)


def test_a_kill_in_the_middle_leaves_the_old_file_and_the_next_writer_clears_up(tmp_path: Path) -> None:
    """Kills writing in place, and temporary files that pile up beside a result that is written every night."""
    path = tmp_path / "labels.npz"
    path.write_bytes(OLD)
    kill_in_the_middle("write_whole", "write_whole(Path('{path}'), b'x' * 100000)", path)
    assert path.read_bytes() == OLD
    assert len(list(tmp_path.iterdir())) == 2
    write_whole(path, NEW)
    assert path.read_bytes() == NEW
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_in_the_middle_leaves_the_old_folder_and_the_next_writer_clears_up(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "old.txt").write_bytes(OLD)
    kill_in_the_middle(
        "replacing_folder",
        "with replacing_folder(Path('{path}')) as new: (new / 'new.txt').write_bytes(b'x')",
        folder,
    )
    assert [path.name for path in folder.iterdir()] == ["old.txt"]
    with replacing_folder(folder) as new:
        (new / "new.txt").write_bytes(NEW)
    assert [path.name for path in folder.iterdir()] == ["new.txt"]
    assert list(tmp_path.iterdir()) == [folder]


def test_the_temporary_file_of_a_writer_that_lives_is_left_alone(tmp_path: Path) -> None:
    """Kills clearing up that takes a slow writer's file from under it: both writers must end well."""
    path = tmp_path / "labels.npz"
    halfway, go_on = threading.Event(), threading.Event()

    def slow(partial: Path, target: Path) -> Path:
        halfway.set()
        assert go_on.wait(20)
        return replace(partial, target)

    replace = Path.replace
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "replace", slow)
        first = threading.Thread(target=write_whole, args=(path, OLD))
        first.start()
        assert halfway.wait(20)
    write_whole(path, NEW)
    assert path.read_bytes() == NEW
    go_on.set()
    first.join()
    assert path.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def small_files() -> Callable[[], None]:
    """After the call, this process may write files of up to 64 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_limit_is_told_in_words_and_nothing_is_changed(tmp_path: Path, small_files: Callable[[], None]) -> None:
    """Kills a traceback, a retry that cannot succeed, and half of a new result in the place of the old one."""
    path, folder = tmp_path / "labels.npz", tmp_path / "model"
    path.write_bytes(OLD)
    with replacing_folder(folder) as new:
        (new / "a.txt").write_bytes(OLD)
    small_files()
    with refused(PermanentError, path, "needed: 0.1 MB", "free") as caught:
        write_whole(path, NEW)
    assert not caught.value.retry_is_safe
    with refused(PermanentError, folder, "needed: 0.1 MB", "free"), replacing_folder(folder, len(NEW)) as new:
        (new / "b.txt").write_bytes(NEW)
    assert path.read_bytes() == OLD
    assert [each.name for each in folder.iterdir()] == ["a.txt"]
    assert sorted(tmp_path.iterdir()) == [path, folder]


def test_a_disk_that_is_full_is_permanent_until_it_is_mended() -> None:
    """Oracle: the kernel's own file that is always full."""
    with refused(PermanentError, "/dev/full", "needed: 300 bytes", "the disk is full"):
        write_whole(Path("/dev/full"), OLD)
    assert type(disk_fault("x", Path("x"), OSError(errno.EDQUOT, "quota"))) is NoRoomError
    assert type(disk_fault("x", Path("x"), OSError(errno.EIO, "input/output"))) is TransientError


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_closed_folder_is_refused_by_name(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with refused(PermanentError, tmp_path / "a"):
        write_whole(tmp_path / "a", NEW)


def test_what_is_in_the_way_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(OLD)
    (tmp_path / "folder").mkdir()
    nowhere = Path("/proc/emseg/below")  # the kernel takes no folder there, and says that there is no file
    for path in (tmp_path / "file" / "below", tmp_path / "folder", tmp_path / ("x" * 300), nowhere):
        with refused(PermanentError, path):
            write_whole(path, NEW)
    assert not list((tmp_path / "folder").iterdir())


def test_a_link_stays_a_link_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    """Kills a result that is no longer on the large disk to which the user's link leads."""
    (tmp_path / "disk").mkdir()
    for name in ("there", "not-yet"):
        (tmp_path / name).symlink_to(tmp_path / "disk" / name)
    (tmp_path / "disk" / "there").write_bytes(OLD)
    for name in ("there", "not-yet"):
        write_whole(tmp_path / name, NEW)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "disk" / name).read_bytes() == NEW
    (tmp_path / "models").symlink_to(tmp_path / "disk")
    with replacing_folder(tmp_path / "models") as new:
        (new / "a.txt").write_bytes(NEW)
    assert (tmp_path / "models").is_symlink()
    assert [each.name for each in (tmp_path / "disk").iterdir()] == ["a.txt"]


def test_a_device_and_a_pipe_are_written_as_they_are(tmp_path: Path) -> None:
    """Kills a /dev/null that has become a file."""
    write_whole(Path(os.devnull), NEW)
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, NEW)
    reader.join(20)
    assert read == [NEW]


def test_modes_are_those_that_writing_in_place_would_leave(tmp_path: Path) -> None:
    """Kills results that only their writer can read, as temporary files are by default, and keys that everybody can."""
    before = os.umask(0o027)
    try:
        for name, mode in (("plain", 0o666), ("private", 0o600)):
            write_whole(tmp_path / name, NEW, mode)
        (tmp_path / "plain").chmod(0o664)
        write_whole(tmp_path / "plain", OLD)
        write_whole(tmp_path / "other", OLD)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"plain": 0o664, "private": 0o600, "other": 0o640}


def test_a_file_system_that_cannot_exchange_folders_gets_the_new_one_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS answers EINVAL; here it is answered for a flag that no kernel knows."""
    monkeypatch.setattr(whole, "_EXCHANGE", 1 << 20)
    for name in ("a", "b"):
        with replacing_folder(tmp_path / "model") as new:
            (new / name).write_bytes(NEW)
    assert [each.name for each in (tmp_path / "model").iterdir()] == ["b"]
    assert [each.name for each in tmp_path.iterdir()] == ["model"]


def test_many_writers_of_one_file_leave_one_of_theirs(tmp_path: Path) -> None:
    """Kills a temporary name that two writers share."""
    path, bodies = tmp_path / "labels.npz", [bytes([n]) * 200_000 for n in range(8)]
    until = time.monotonic() + 1

    def write(body: bytes) -> None:
        while time.monotonic() < until:
            write_whole(path, body)

    writers = [threading.Thread(target=write, args=(body,)) for body in bodies]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert not path.exists() or path.read_bytes() in bodies
    assert list(tmp_path.iterdir()) == [path]
