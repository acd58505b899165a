"""Tables that are exchanged, in one process and by Spark: each row comes to its partition, or nothing is merged."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.engine.exchanges import PARTITIONS, TEXTS, merge, split, told
from tests.refusals import refused

from emseg.engine import exchange
from emseg.engine.failures import ItemFailure, error_of
from emseg.engine.items import InProcess
from emseg.engine.progress import Progress
from emseg.errors import NoRoomError, PermanentError, TransientError

PROJECT = Path(__file__).resolve().parents[2]
NOTHING = [[partition, {}] for partition in range(PARTITIONS)]
EXPECTED = {
    "counted": [[0, {}], [1, {}], [2, {"\x01b": 1}], [3, {"one": 2, "two": 3}], [4, {"seventeen": 1, "three": 3}]],
    "no source": NOTHING,
    "failed merges": [
        [0, {}],
        [1, {}],
        [2, {"\x01b": 1}],
        ["partition 3", "TransientError"],
        ["partition 4", "PermanentError"],
    ],
    "failed source": [["source 5", "TransientError"]],
    "failed far": [["source 0", "PermanentError"]],
}
"""Worked by hand. A source that fails after its first piece fails all: no partition is merged without its rows."""


def as_told() -> dict[str, list[str]]:
    return {name: sorted(json.dumps(row, sort_keys=True) for row in rows) for name, rows in EXPECTED.items()}


def test_each_row_comes_to_its_partition_in_one_process() -> None:
    """Kills a partition that is left out when it is empty, pieces cut at odd bytes, and errors that escape."""
    assert told(InProcess()) == as_told()


@pytest.mark.spark
def test_each_row_comes_to_its_partition_by_spark() -> None:
    """Kills functions that cannot travel, a shuffle by another number, and an exception buried in the JVM."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, (PROJECT / "spark_jobs", PROJECT))),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    command = [sys.executable, "-m", "tests.engine.exchanges"]
    done = subprocess.run(
        command, env=environment, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == as_told()


def test_no_partition_is_merged_where_a_source_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a merge of what there is: it would post the index of a body without some of its blocks."""
    monkeypatch.setenv("MERGED", str(tmp_path))
    rows = list(InProcess().exchanged(split, ["one", "fail now"], merge, PARTITIONS, Progress("", 7)))
    assert [(row.item, row.kind) for row in rows if isinstance(row, ItemFailure)] == [("source 1", "TransientError")]
    assert list(tmp_path.iterdir()) == []


def test_one_partition_is_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills an exchange that keeps all pieces in memory: they are read when their partition is merged."""
    read: list[str] = []
    kept = exchange._kept
    monkeypatch.setattr(exchange, "_kept", lambda path: (read.append(path.name), kept(path))[1])
    rows = InProcess().exchanged(split, TEXTS, merge, PARTITIONS, Progress("", 10))
    for number, row in enumerate(rows):
        assert row[0] == number  # type: ignore[index]
        assert read == [str(each) for each in range(number + 1)]


def test_a_full_disk_is_told_with_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a bare OSError, which is retried: the same disk is full again."""

    class Full:
        def pack(self, _: int) -> bytes:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(exchange, "_SIZE", Full())
    with refused(NoRoomError, "emseg-scratch-"):
        list(InProcess().exchanged(split, TEXTS, merge, PARTITIONS, Progress("", 10)))


def test_the_failures_become_the_error_that_decides_about_a_retry() -> None:
    transient = ItemFailure("partition 3", "TransientError", "HTTP 503")
    bug = ItemFailure("partition 4", "PermanentError", "a bug")
    full = ItemFailure("source 1", "NoRoomError", "a full disk")
    for failures, kind, named in (
        ([transient], TransientError, "partition 3"),
        ([transient, bug], PermanentError, "partition 4"),
        ([transient, bug, full], NoRoomError, "source 1"),
    ):
        with refused(kind, named):
            raise error_of("finishing", failures, 5)
