"""The real servers: found again, data kept over a restart, nothing left behind, nobody else let in."""

import json
import os
import secrets
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import psutil
import pytest
import requests
from botocore.exceptions import ClientError

from emseg.config.connections import dvid_connection, s3_connection
from emseg.devstack import DevStack, down, status, up
from emseg.devstack.processes import MARK, MARK_OF_ROLE

pytestmark = pytest.mark.services


@pytest.fixture
def own_root(tmp_path: Path) -> Iterator[Path]:
    """Folder for a devstack of one test, stopped at its end."""
    yield tmp_path
    down(tmp_path)


def client(stack: DevStack):
    """An S3 client made from the variables a job gets, not from the stack's fields."""
    s3 = s3_connection(stack.environment())
    return boto3.client(
        "s3",
        endpoint_url=s3.endpoint_url,
        region_name=s3.region,
        aws_access_key_id=s3.access_key.get_secret_value(),
        aws_secret_access_key=s3.secret_key.get_secret_value(),
    )


def processes_with_mark(root: Path) -> list[psutil.Process]:
    """Live processes that carry the mark. The test reads /proc itself, without the code under test."""
    wanted = f"{MARK}={root.resolve()}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(psutil.Process(int(folder.name)))
        except (OSError, psutil.NoSuchProcess):
            continue
    return found


def wait_for(condition: Callable[[], bool], timeout_s: float = 30) -> bool:
    """Whether `condition` became true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def test_restart_keeps_data_and_addresses_and_leaves_no_process(own_root: Path, tools: Path) -> None:
    """Kills: data in a temporary folder; new ports at every start; a `down` that stops one server only."""
    stack = up(own_root, tools)
    node = requests.post(f"{stack.dvid_url}/api/repos", json={"alias": "kept"}, timeout=30).json()["root"]
    instance = {"typename": "keyvalue", "dataname": "kv"}
    requests.post(f"{stack.dvid_url}/api/repo/{node}/instance", json=instance, timeout=30).raise_for_status()
    key = f"{stack.dvid_url}/api/node/{node}/kv/key/greeting"
    requests.post(key, data=b"hello", timeout=30).raise_for_status()
    client(stack).put_object(Bucket=stack.bucket, Key="a/b", Body=b"object")
    assert len(processes_with_mark(own_root)) == 2
    down(own_root)
    assert processes_with_mark(own_root) == []
    assert [(server.pid, server.ready) for server in status(own_root)] == [(None, False)] * 2
    assert up(own_root, tools) == stack
    assert requests.get(key, timeout=30).content == b"hello"
    assert client(stack).get_object(Bucket=stack.bucket, Key="a/b")["Body"].read() == b"object"


def test_killed_server_is_started_again_and_the_other_left_alone(own_root: Path, tools: Path) -> None:
    """Kills: trust in the state file (a dead pid taken for a server); a restart of what runs well."""
    stack = up(own_root, tools)
    dvid, s3 = status(own_root)
    psutil.Process(dvid.pid).kill()
    assert up(own_root, tools) == stack
    dvid_after, s3_after = status(own_root)
    assert dvid_after.ready
    assert dvid_after.pid != dvid.pid
    assert s3_after == s3


def test_down_spares_a_stranger_whose_pid_is_in_the_state_file(own_root: Path) -> None:
    """Kills: signalling whatever pid the file names, after a reboot somebody else's process."""
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (own_root / "devstack.json").write_text(json.dumps({"dvid_pid": stranger.pid, "dvid_port": 1, "s3_pid": 1}))
        assert [server.pid for server in status(own_root)] == [None, None]
        down(own_root)
        assert stranger.poll() is None
        stranger.kill()


def test_down_ends_orphans_of_a_killed_parent(own_root: Path) -> None:
    """Kills: signals to the leader or to its group only: this child is in a session of its own, its parent gone."""
    environment = {**os.environ, MARK: str(own_root), MARK_OF_ROLE: "airflow-scheduler"}
    # The orphan says when it is there: while one program becomes another, /proc shows no environment, and no mark.
    script = "setsid sh -c 'trap \"\" TERM; sleep 300 & touch ready; wait' & exit 0"
    subprocess.run(["/bin/sh", "-c", script], env=environment, cwd=own_root, check=True)
    assert wait_for(lambda: (own_root / "ready").exists() and len(processes_with_mark(own_root)) == 2)
    down(own_root)
    assert processes_with_mark(own_root) == []


def test_second_up_finds_the_running_servers(devstack: DevStack, tools: Path) -> None:
    """Kills: a second pair of servers for the same folder."""
    before = status(devstack.root)
    assert up(devstack.root, tools) == devstack
    assert status(devstack.root) == before
    assert all(server.ready for server in before)


def test_two_processes_calling_up_at_once_share_one_pair(own_root: Path, tools: Path) -> None:
    """Kills: an `up` without a lock between processes."""
    code = "import sys; from pathlib import Path; from emseg.devstack import up; print(up(*map(Path, sys.argv[1:])))"
    command = [sys.executable, "-c", code, str(own_root), str(tools)]
    callers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = {caller.communicate(timeout=120)[0] for caller in callers}
    assert [caller.returncode for caller in callers] == [0, 0]
    assert len(answers) == 1
    assert len(processes_with_mark(own_root)) == 2


def test_only_one_of_two_conditional_puts_wins(devstack: DevStack) -> None:
    """Kills: an S3 server that ignores If-None-Match or If-Match, on which every marker of emseg rests."""
    s3, key = client(devstack), f"conditional/{secrets.token_hex(8)}"
    version = s3.put_object(Bucket=devstack.bucket, Key=key, Body=b"first", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as taken:
        s3.put_object(Bucket=devstack.bucket, Key=key, Body=b"second", IfNoneMatch="*")
    s3.put_object(Bucket=devstack.bucket, Key=key, Body=b"third", IfMatch=version)
    with pytest.raises(ClientError) as changed:
        s3.put_object(Bucket=devstack.bucket, Key=key, Body=b"fourth", IfMatch=version)
    assert [error.value.response["Error"]["Code"] for error in (taken, changed)] == ["PreconditionFailed"] * 2
    assert s3.get_object(Bucket=devstack.bucket, Key=key)["Body"].read() == b"third"


def test_servers_listen_on_loopback_only(devstack: DevStack) -> None:
    """Kills: a server, or a debug port of it, that the network can reach."""
    listening = [
        connection
        for server in status(devstack.root)
        for connection in psutil.Process(server.pid).net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) == 3  # DVID: HTTP and RPC; S3
    assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}


def test_keys_are_in_one_private_file_and_nowhere_else(devstack: DevStack) -> None:
    """Kills: keys in a state file, a log, a `repr`, or on a command line that every user of the computer can read."""
    secret = devstack.s3_secret_key
    small = [path for path in devstack.root.rglob("*") if path.is_file() and path.stat().st_size < 1 << 26]
    holders = [path for path in small if secret.encode() in path.read_bytes()]
    assert [path.name for path in holders] == ["s3-keys.json"]
    assert stat.S_IMODE(holders[0].stat().st_mode) == 0o600
    servers = status(devstack.root)
    assert secret not in repr(devstack) + repr(servers)
    assert secret not in "".join("".join(psutil.Process(server.pid).cmdline()) for server in servers)


def test_dvid_is_the_release_with_the_types_emseg_needs(devstack: DevStack) -> None:
    """Kills: a build without version stamp, or without a data type; oracle: what the server says of itself."""
    dvid = dvid_connection(devstack.environment())
    info = requests.get(f"{dvid.url}/api/server/info", timeout=30).json()
    types = requests.get(f"{dvid.url}/api/server/compiled-types", timeout=30).json()
    assert info["DVID Version"] == "v1.0.0"
    assert int(info["Cores"]) >= 1
    assert set(types) >= {"labelmap", "uint8blk", "roi", "keyvalue", "annotation"}


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [("https://neuroglancer-demo.appspot.com", True), ("http://127.0.0.1:41234", True), ("https://example.com", False)],
)
def test_dvid_lets_viewers_read_and_other_web_pages_not(devstack: DevStack, origin: str, allowed: bool) -> None:
    """Kills: no CORS header (neuroglancer stays black), and `*` (any web page reads unpublished volumes)."""
    answer = requests.get(f"{devstack.dvid_url}/api/server/info", headers={"Origin": origin}, timeout=30)
    assert (answer.headers.get("Access-Control-Allow-Origin") == origin) is allowed
    assert answer.headers.get("Access-Control-Allow-Origin") != "*"
