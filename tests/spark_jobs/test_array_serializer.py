"""Arrays through a real Spark: to Python workers and back, equal, and never as pickles."""

import sys
from pathlib import Path

import numpy as np
import pytest
from pyspark import SparkConf, SparkContext

from array_serializer import ArraySerializer
from emseg.errors import IntegrityError, PermanentError

FILE = Path(__file__).resolve().parents[2] / "spark_jobs" / "array_serializer.py"


@pytest.fixture
def items():
    """Labels, an image, probabilities in Fortran order, no voxels, a big-endian number and a read-only view."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2**64, 40, np.uint64)[rng.integers(0, 40, (5, 6, 7))].repeat(6, 0).repeat(9, 2)
    view = labels[::2, ::-1]
    view.flags.writeable = False
    gray = rng.integers(0, 256, (9, 10, 11), np.uint8)
    return [labels, gray, np.asfortranarray(rng.random((4, 5)).astype(np.float32)), np.zeros((0, 3)), view]


@pytest.fixture
def context(monkeypatch):
    """Spark on two cores of this computer, with our serializer instead of pickle for all data."""
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    conf = SparkConf().setMaster("local[2]").setAppName("array serializer").set("spark.ui.enabled", "false")
    made = SparkContext(conf=conf, serializer=ArraySerializer(), pyFiles=[str(FILE)])
    yield made
    made.stop()


@pytest.mark.spark
def test_arrays_pass_through_workers_and_a_cache_unchanged(context, items):
    """Kills a serializer that Spark's batching, caching or renaming of items does not go through."""
    pairs = [(f"sv-{number:08d} µ", array) for number, array in enumerate(items)]
    doubled = (
        context.parallelize(pairs, 3).map(lambda pair: (pair[0] + "!", np.concatenate([pair[1], pair[1]]))).cache()
    )
    for _ in range(2):  # the second time from Spark's cache
        found = doubled.collect()
        assert [name for name, _ in found] == [name + "!" for name, _ in pairs]
        for (_, array), (_, before) in zip(found, pairs, strict=True):
            np.testing.assert_array_equal(array, np.concatenate([before, before]))
            assert array.dtype == before.dtype
            assert array.flags.writeable


@pytest.mark.spark
def test_what_is_no_array_fails_the_job_with_our_reason(context):
    """Kills falling back to pickle."""
    with pytest.raises(Exception, match="neither an array nor a pair"):
        context.parallelize([np.zeros(3)], 1).map(lambda array: {"sum": array.sum()}).collect()


def test_a_batch_comes_back_from_its_bytes(items):
    serializer = ArraySerializer()
    batch = [items[0], ("", items[1]), ("name", items[2])]
    frame = serializer.dumps(batch)
    first, (empty, second), (name, third) = serializer.loads(frame)
    assert (empty, name) == ("", "name")
    for found, expected in zip((first, second, third), items, strict=False):
        np.testing.assert_array_equal(found, expected)
    assert frame.count(b"EMSA") == 3


def test_damaged_frames_are_refused(items):
    """Kills trusting the numbers in a frame: each cut and each flipped bit outside a name is found."""
    serializer = ArraySerializer()
    frame = serializer.dumps([("name", items[0]), items[1]])
    for cut in range(len(frame)):
        with pytest.raises(IntegrityError):
            serializer.loads(frame[:cut])
    with pytest.raises(IntegrityError):
        serializer.loads(frame + b"\0")
    rng = np.random.default_rng(2)
    for at in rng.integers(16, len(frame), 300):
        bad = bytearray(frame)
        bad[at] ^= 1 << int(rng.integers(8))
        with pytest.raises(IntegrityError):
            serializer.loads(bytes(bad))


def test_objects_are_refused(items):
    with pytest.raises(PermanentError, match="dict"):
        ArraySerializer().dumps([{"a": items[0]}])
    with pytest.raises(PermanentError, match="object"):
        ArraySerializer().dumps([np.array([object()])])
