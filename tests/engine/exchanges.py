"""An exchange that any executor can be given: words of several texts are counted, each in the partition of its length.

As a program it is the driver of a small Spark application: it prints what came back, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from emseg.engine.exchange import Piece
from emseg.engine.failures import ItemFailure
from emseg.engine.items import StageExecutor
from emseg.engine.progress import Progress
from emseg.errors import TransientError

PARTITIONS = 5
TEXTS = ["one two three", "", "two three three", "seventeen", "two \x01b one"]


def split(text: str) -> Iterator[Piece]:
    """Each word as a piece, longer ones to the last partition; a text that says `fail` fails after its first piece."""
    for word in text.split():
        yield min(len(word), PARTITIONS - 1), word.encode()
        if "fail" in text:
            raise TransientError("splitting", text, "HTTP 503", "Try again")


def far(_: str) -> Iterator[Piece]:
    """A piece for a partition that is not there."""
    yield PARTITIONS, b"lost"


def merge(partition: int, pieces: Iterator[bytes]) -> tuple[int, dict[str, int]]:
    """How often each word came; where `MERGED` names a folder, a file in it says that the partition was merged."""
    words = [piece.decode() for piece in pieces]
    if folder := os.environ.get("MERGED"):
        Path(folder, str(partition)).touch()
    return partition, {word: words.count(word) for word in sorted(set(words))}


def failing(partition: int, pieces: Iterator[bytes]) -> tuple[int, dict[str, int]]:
    """As `merge`, but partition 3 finds DVID away, and partition 4 stumbles."""
    done = merge(partition, pieces)
    if partition == 3:
        raise TransientError("posting", "partition 3", "HTTP 503", "Try again")
    if partition == 4:
        raise ZeroDivisionError
    return done


def told(executor: StageExecutor) -> dict[str, object]:
    """What comes back of four exchanges, as JSON can hold it."""
    bad, each = [*TEXTS, "fail here"], {}
    for name, (one, texts, other) in {
        "counted": (split, TEXTS, merge),
        "no source": (split, [], merge),
        "failed merges": (split, TEXTS, failing),
        "failed source": (split, bad, merge),
        "failed far": (far, ["x"], merge),
    }.items():
        rows = executor.exchanged(one, texts, other, PARTITIONS, Progress(name, len(texts) + PARTITIONS))
        each[name] = sorted({json.dumps(_plain(row), sort_keys=True) for row in rows})
    return each


def _plain(row: object) -> object:
    return [row.item, row.kind] if isinstance(row, ItemFailure) else row


if __name__ == "__main__":
    from run_stage import SparkExecutor

    spark = SparkExecutor("exchanges")
    sys.stdout.write(json.dumps(told(spark)))
    spark.stop()
