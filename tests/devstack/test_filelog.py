"""Mending DVID's log: exactly the whole records are kept, and the real server starts with them."""

import struct
from pathlib import Path

import psutil
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from emseg.devstack import DevStack, down, status, up
from emseg.devstack.filelog import repair_filelogs

FIRST = bytes.fromhex("0500 03000000 AABBCC")  # type 5, three bytes of payload: written by hand from the format
SECOND = bytes.fromhex("0500 00000000")  # no payload


def test_whole_log_is_left_alone(tmp_path: Path) -> None:
    """Kills: a repair that rewrites or copies every log."""
    log = tmp_path / "data-version"
    log.write_bytes(FIRST + SECOND)
    assert repair_filelogs(tmp_path) == ()
    assert [path.name for path in tmp_path.iterdir()] == ["data-version"]
    assert log.read_bytes() == FIRST + SECOND


@pytest.mark.parametrize("torn", [b"\x05", FIRST[:6], FIRST[:8], b"\x05\x00\xff\xff\xff\xff" + bytes(40)])
def test_torn_end_is_cut_and_kept_beside(tmp_path: Path, torn: bytes) -> None:
    """Kills: repairs that see only a short header, or only a short payload, or read the length as signed."""
    log = tmp_path / "data-version"
    log.write_bytes(FIRST + SECOND + torn)
    (cut,) = repair_filelogs(tmp_path)
    assert log.read_bytes() == FIRST + SECOND
    assert cut.copy.read_bytes() == FIRST + SECOND + torn
    assert (cut.records, cut.kept_bytes, cut.cut_bytes) == (2, 15, len(torn))


def test_second_repair_keeps_the_first_copy(tmp_path: Path) -> None:
    """Kills: a fixed copy name, which loses the evidence of the first tear; a repair of the copies themselves."""
    log = tmp_path / "data-version"
    for torn in (b"\x01", b"\x02"):
        log.write_bytes(FIRST + torn)
        repair_filelogs(tmp_path)
    copies = sorted(path for path in tmp_path.iterdir() if path != log)
    assert [copy.name for copy in copies] == ["data-version.torn-1", "data-version.torn-2"]
    assert [copy.read_bytes()[-1:] for copy in copies] == [b"\x01", b"\x02"]
    assert repair_filelogs(tmp_path) == ()


@given(payloads=st.lists(st.binary(max_size=40), max_size=6), data=st.data())
def test_any_cut_leaves_the_records_before_it(
    tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes], data: st.DataObject
) -> None:
    """Kills: off-by-one at record borders. What must stay is counted from the list, not by walking the bytes."""
    folder = tmp_path_factory.mktemp("log")
    records = [struct.pack("<HI", 5, len(payload)) + payload for payload in payloads]
    whole = b"".join(records)
    length = data.draw(st.integers(0, len(whole)))
    (folder / "log").write_bytes(whole[:length])
    repair_filelogs(folder)
    kept = b""
    for record in records:
        if len(kept) + len(record) > length:
            break
        kept += record
    assert (folder / "log").read_bytes() == kept


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


def _killed(root: Path) -> Path:
    """Kill DVID as a crash would; returns the one file of its log store."""
    dvid, _ = status(root)
    process = psutil.Process(dvid.pid)
    process.kill()
    process.wait(timeout=10)
    (log,) = (path for path in (root / "dvid" / "log").iterdir() if ".torn-" not in path.name)
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
