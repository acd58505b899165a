"""Repairing torn logs: exactly the whole records stay, nothing is lost on the way, and the real server starts."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import psutil
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from emseg.cli.dvid import cli
from emseg.devstack import DevStack, down, status, up
from emseg.dvid import filelog
from emseg.dvid.filelog import logs_in, repair_filelogs
from emseg.errors import PermanentError

FIRST = bytes.fromhex("0500 03000000 AABBCC")  # type 5, three bytes of payload: written by hand from the format
SECOND = bytes.fromhex("0500 00000000")  # no payload
NAME = "0123456789abcdef" * 2 + "-" + "fedcba9876543210" * 2
OTHER = "89abcdef01234567" * 2 + "-" + "fedcba9876543210" * 2


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(FIRST + SECOND)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_whole_logs_are_left_alone(log: Path) -> None:
    """Kills a repair that rewrites or copies every log."""
    before = log.stat().st_ino, contents(log.parent)
    (found,) = repair_filelogs(log.parent)
    assert (found.records, found.whole_bytes, found.torn_bytes, found.kept) == (2, 15, 0, None)
    assert (log.stat().st_ino, contents(log.parent)) == before


@pytest.mark.parametrize("torn", [b"\x05", FIRST[:6], FIRST[:8], b"\x05\x00\xff\xff\xff\xff" + bytes(40)])
def test_a_torn_end_is_cut_off_and_kept_beside(log: Path, torn: bytes) -> None:
    """Kills repairs that see only a short header, or only a short payload, or read the length as signed."""
    log.write_bytes(FIRST + SECOND + torn)
    (found,) = repair_filelogs(log.parent)
    assert (found.records, found.whole_bytes, found.torn_bytes) == (2, 15, len(torn))
    assert contents(log.parent) == {NAME: FIRST + SECOND, f"{NAME}.torn-1": torn}
    assert found.kept == log.with_name(f"{NAME}.torn-1")


def test_a_log_without_a_whole_record_becomes_empty(log: Path) -> None:
    """Kills a repair that takes the first header for a record, and one that removes the log."""
    log.write_bytes(FIRST[:7])
    repair_filelogs(log.parent)
    assert contents(log.parent) == {NAME: b"", f"{NAME}.torn-1": FIRST[:7]}


def test_a_second_repair_changes_nothing_and_another_tear_keeps_the_first(log: Path) -> None:
    """Kills a fixed name, which loses the bytes of the first tear, and a repair of the kept bytes themselves."""
    for torn in (b"\x01", b"\x02"):
        log.write_bytes(FIRST + torn)
        repair_filelogs(log.parent)
        after = contents(log.parent)
        assert repair_filelogs(log.parent)[0].torn_bytes == 0
        assert contents(log.parent) == after
    assert after == {NAME: FIRST, f"{NAME}.torn-1": b"\x01", f"{NAME}.torn-2": b"\x02"}


def test_a_dry_run_says_the_same_and_writes_nothing(log: Path) -> None:
    log.write_bytes(FIRST + b"\x01")
    before = contents(log.parent)
    (looked,) = repair_filelogs(log.parent, dry_run=True)
    assert contents(log.parent) == before
    (repaired,) = repair_filelogs(log.parent)
    assert (looked.records, looked.torn_bytes, looked.kept) == (repaired.records, repaired.torn_bytes, None)


@pytest.mark.parametrize("dies_at", [1, 2])
def test_a_repair_that_is_killed_is_finished_by_the_next(
    log: Path, dies_at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before each rename: kills a log that is cut before its torn bytes are kept, and bytes kept twice."""
    torn = FIRST + SECOND + FIRST[:7]
    log.write_bytes(torn)
    renames, rename = iter(range(1, 99)), Path.replace

    def replace(self: Path, target: Path) -> Path:
        if next(renames) == dies_at:
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            repair_filelogs(log.parent)
    assert log.read_bytes() == torn
    repair_filelogs(log.parent)
    assert contents(log.parent) == {NAME: FIRST + SECOND, f"{NAME}.torn-1": FIRST[:7]}


def test_owner_and_mode_stay(log: Path) -> None:
    """Kills a repair as root after which the server cannot append to its log any more."""
    log.write_bytes(FIRST + b"\x01")
    log.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(log, 1234, 2345)
    before = log.stat()
    repair_filelogs(log.parent)
    after = log.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_log_that_a_process_has_open_is_not_touched(log: Path) -> None:
    """A running server may be writing the very record: kills a repair after which it appends to a file without name."""
    log.write_bytes(FIRST + b"\x01")
    before = contents(log.parent)
    with log.open("ab"), pytest.raises(PermanentError) as caught:
        repair_filelogs(log.parent)
    assert caught.value.found == f"process {os.getpid()} has it open"
    assert contents(log.parent) == before


def test_a_folder_without_logs_is_refused_with_the_folder_that_was_meant(tmp_path: Path) -> None:
    """Kills `nothing torn` for a misspelt folder or the folder above, and a repair of files that are no logs."""
    folder = tmp_path / "dvid"
    (folder / "log").mkdir(parents=True)
    (folder / "log" / NAME).write_bytes(FIRST + b"\x01")
    (folder / "db").mkdir()
    (folder / "db" / "MANIFEST").write_bytes(b"\x01")
    for wrong, remedy in ((folder, str(folder / "log")), (folder / "db", "filelog"), (folder / "lgo", "filelog")):
        with pytest.raises(PermanentError) as caught:
            repair_filelogs(wrong)
        assert str(wrong) in caught.value.on
        assert remedy in caught.value.remedy
    assert (folder / "db" / "MANIFEST").read_bytes() == b"\x01"
    assert (folder / "log" / NAME).read_bytes() == FIRST + b"\x01"


def test_files_that_are_no_logs_are_left_alone(log: Path) -> None:
    (log.parent / "README").write_bytes(b"\x01")
    (log.parent / f"{NAME}.torn-1").write_bytes(b"\x02")
    (log.parent / f"{OTHER}.partial").write_bytes(b"\x03")
    assert logs_in(log.parent) == (log,)


def test_a_full_disk_is_told_and_leaves_the_log(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.write_bytes(FIRST + b"\x01")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(filelog.shutil, "copyfileobj", full)
    with pytest.raises(PermanentError) as caught:
        repair_filelogs(log.parent)
    assert caught.value.on == str(log)
    assert "free on it" in caught.value.found
    assert log.read_bytes() == FIRST + b"\x01"


@given(payloads=st.lists(st.binary(max_size=40), max_size=6), data=st.data())
def test_any_cut_leaves_the_records_before_it(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], data: st.DataObject
) -> None:
    """Kills off-by-one at record borders. What must stay is counted from the list, not by walking the bytes."""
    folder = tmp_path_factory.mktemp("log")
    records = [struct.pack("<HI", 5, len(payload)) + payload for payload in payloads]
    whole = b"".join(records)
    length = data.draw(st.integers(0, len(whole)))
    (folder / NAME).write_bytes(whole[:length])
    repair_filelogs(folder)
    kept = b""
    for record in records:
        if len(kept) + len(record) > length:
            break
        kept += record
    assert (folder / NAME).read_bytes() == kept
    torn = folder / f"{NAME}.torn-1"
    assert (torn.read_bytes() if torn.exists() else b"") == whole[len(kept) : length]


def test_the_command_names_file_and_bytes_and_obeys_dry_run(log: Path) -> None:
    """What an operator keeps of it: which log, how many bytes, where they are now."""
    log.write_bytes(FIRST + SECOND + FIRST[:7])
    (log.parent / OTHER).write_bytes(FIRST)
    looked = CliRunner().invoke(cli, ["repair-log", "--dry-run", str(log.parent)])
    assert looked.exit_code == 0
    assert "2 logs" in looked.output
    assert f"{NAME}\n  2 whole records of 15 bytes; 7 torn bytes" in looked.output
    assert OTHER not in looked.output
    assert log.read_bytes() == FIRST + SECOND + FIRST[:7]
    done = CliRunner().invoke(cli, ["repair-log", str(log.parent)])
    assert f"7 bytes cut off into {NAME}.torn-1" in done.output
    assert log.read_bytes() == FIRST + SECOND
    again = CliRunner().invoke(cli, ["repair-log", str(log.parent)])
    assert again.exit_code == 0
    assert "0 of them torn" in again.output


@pytest.mark.services
def test_real_server_outlives_a_torn_header_a_retry_and_a_restart(tmp_path: Path, tools: Path) -> None:
    """Kills: `up` without the repair: the retry would be appended after the torn header, and the next start exit."""
    try:
        stack = up(tmp_path, tools)
        node = _node(stack)
        _map(stack, node, supervoxel=7)
        _map(stack, node, supervoxel=9)
        log = _killed(tmp_path)
        log.write_bytes(log.read_bytes()[:-8])  # as a kill leaves it: a header of 6 bytes, its payload of 8 missing
        stack = up(tmp_path, tools)
        assert _mapped(stack, node) == {7}
        _map(stack, node, supervoxel=9)
        _killed(tmp_path)
        assert _mapped(up(tmp_path, tools), node) == {7, 9}
    finally:
        down(tmp_path)


@pytest.mark.services
def test_real_server_starts_where_records_follow_a_torn_header(tmp_path: Path, tools: Path) -> None:
    """Kills: a repair that looks at the end of the file only. Unrepaired, this server exits while starting."""
    try:
        stack = up(tmp_path, tools)
        node = _node(stack)
        _map(stack, node, supervoxel=7)
        log = _killed(tmp_path)
        record = log.read_bytes()
        log.write_bytes(record + record[:6] + record)
        assert 7 in _mapped(up(tmp_path, tools), node)
    finally:
        down(tmp_path)


@pytest.mark.services
def test_the_log_of_a_running_server_is_refused(tmp_path: Path, tools: Path) -> None:
    """Oracle: the real server, which keeps the log open after its first post."""
    try:
        stack = up(tmp_path, tools)
        _map(stack, _node(stack), supervoxel=7)
        folder = tmp_path / "dvid" / "log"
        (log,) = logs_in(folder)
        assert repair_filelogs(folder)[0].torn_bytes == 0
        with log.open("ab") as stream:
            stream.write(b"\x01")
        dvid, _ = status(tmp_path)
        with pytest.raises(PermanentError) as caught:
            repair_filelogs(folder)
        assert caught.value.found == f"process {dvid.pid} has it open"
    finally:
        down(tmp_path)


def _killed(root: Path) -> Path:
    """Kill DVID as a crash would; returns the one file of its log store."""
    dvid, _ = status(root)
    process = psutil.Process(dvid.pid)
    process.kill()
    process.wait(timeout=10)
    (log,) = logs_in(root / "dvid" / "log")
    return log


def _node(stack: DevStack) -> str:
    node = str(requests.post(f"{stack.dvid_url}/api/repos", json={"alias": "torn"}, timeout=30).json()["root"])
    instance = {"typename": "labelmap", "dataname": "seg", "MaxDownresLevel": "1"}
    requests.post(f"{stack.dvid_url}/api/repo/{node}/instance", json=instance, timeout=30).raise_for_status()
    return node


def _map(stack: DevStack, node: str, supervoxel: int) -> None:
    """Post MappingOps{MappingOp{mutid 1, mapped 100, original [supervoxel]}}; the protobuf is written by hand."""
    operation = bytes.fromhex("0a 07 0801 1064 1a01") + bytes([supervoxel])
    requests.post(f"{stack.dvid_url}/api/node/{node}/seg/mappings", data=operation, timeout=30).raise_for_status()


def _mapped(stack: DevStack, node: str) -> set[int]:
    text = requests.get(f"{stack.dvid_url}/api/node/{node}/seg/mappings", timeout=30).text
    return {int(line.split()[0]) for line in text.splitlines() if line}
