"""The history: rows that nobody loses or doubles, that other programs read, and of which no damage is believed."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from tests.memory_store import MemoryStore
from tests.refusals import refused

from emseg.config.gate import GatePolicy, HistoryPolicy, Regression
from emseg.errors import IntegrityError
from emseg.quality import HistoryEntry, Judged, Measurement, against_history, comparable, keep, read_history
from emseg.quality.history import SCHEMA, history_form, history_key
from emseg.tasks.run_folder import run_name

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def entry(number: int, vi: float = 1.2, **judged) -> HistoryEntry:
    given = {
        "dataset": "brain", "run": f"run-{number}", "time": START + timedelta(days=number),
        "fingerprint": f"{number:032x}", "served_release": number or None, "data_version": "ab" * 16,
        "groundtruth": "g", "region": "r",
        "models": "", "code": "c", "spec": "s", "verdict_passed": True,
    }  # fmt: skip
    are = Measurement("adapted_rand_error", 0.1, None, None, 0.5, True)
    return HistoryEntry(Judged(**given | judged), (Measurement("vi", vi, vi - 0.1, vi + 0.1, None, True), are))


def test_the_run_with_the_longest_name_is_kept_too():
    """Kills a name of an object that the gate is refused after all that was computed."""
    longest = run_name("manual__" + "x" * 250)
    assert history_key("b" * 63, longest, "ab" * 16).endswith(f"{longest}.{'ab' * 16}.parquet")


def test_pandas_and_pyarrow_read_the_rows_with_these_columns():
    """Kills a format of our own, times without a zone, and a file whose rows need emseg to be understood."""
    store = MemoryStore()
    keep(store, entry(0))
    data = store.get(history_key("brain", "run-0", f"{0:032x}"))
    table = pq.read_table(io.BytesIO(data))
    assert table.schema.equals(SCHEMA)
    frame = pd.read_parquet(io.BytesIO(data))
    assert frame[["run", "metric", "value", "low", "high"]].values.tolist()[0] == [
        "run-0",
        "vi",
        1.2,
        1.2 - 0.1,
        1.2 + 0.1,
    ]
    assert frame["time"][0] == START
    assert pd.isna(frame["served_release"][0])
    assert len(frame) == 2


def test_runs_and_a_retry_at_once_neither_lose_nor_double_a_row():
    """Kills one file that all runs append to, and a name with the time of the try in it."""
    store = MemoryStore()
    wanted = [entry(number) for number in range(12)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: keep(store, each), wanted * 3))
    assert list(read_history(store, "brain").entries) == wanted


def test_another_result_of_the_same_run_is_another_judgement():
    """A run whose `pin` was cleared may have another result: what it had before was measured, too."""
    store = MemoryStore()
    both = [entry(1), entry(1, fingerprint="f" * 32, time=START + timedelta(days=2))]
    for each in both:
        keep(store, each)
    assert list(read_history(store, "brain").entries) == both


def test_no_flip_cut_or_swap_is_believed():
    """Parquet has no checksum of its footer. Kills a reader that believes a damaged value, limit, time or name."""
    store = MemoryStore()
    keep(store, entry(1))
    keep(store, entry(2, vi=1.5))
    one, other = (history_key("brain", f"run-{n}", f"{n:032x}") for n in (1, 2))
    whole, form = store.get(one), history_form("brain")
    believed, random = form.open(whole, one, one), Random(0)
    for _ in range(400):
        bad = bytearray(whole)
        at = random.randrange(len(bad) * 8)
        bad[at // 8] ^= 1 << at % 8
        try:
            assert form.open(bytes(bad), one, one).equals(believed)  # a bit of what nobody reads
        except IntegrityError:
            continue
    for bad in (whole[:-9], b"", whole + b" x", store.get(other)):
        with refused(IntegrityError, one):
            form.open(bad, one, one)
    store.objects[one] = store.get(other)
    found = read_history(store, "brain")
    assert [each.judged.run for each in found.entries] == ["run-2"]
    assert found.damaged == (store.address(one),)


def test_only_what_was_measured_alike_and_passed_is_compared_and_each_result_once():
    """Kills a median over another ground truth, over refused results, over ten judgements of one result, itself."""
    entries = [
        entry(0), entry(1, groundtruth="h"), entry(2, region="q"), entry(3, verdict_passed=False), entry(4),
        entry(5, fingerprint=f"{4:032x}", vi=1.9), entry(6),
    ]  # fmt: skip
    found = comparable(entries, "g", "r", f"{6:032x}")
    assert [each.judged.run for each in found] == ["run-0", "run-5"]


POLICY = GatePolicy(history=HistoryPolicy(last=5, mads=3), regression=Regression(vi=0.05, are=None))


@pytest.mark.parametrize(("vi", "passes"), [(1.2, True), (1.33, True), (1.34, False), (0.7, True)])
def test_the_limit_is_worked_out_by_hand(vi, passes, score_of):
    """The last five: median 1.2, deviations .03 .01 0 .03 .08, their median .03; 3 x 1.4826 x .03 = .1334
    is more than .05. Kills a mean, a standard deviation, and a window that the first value is still in."""
    values = [9.0, 1.17, 1.19, 1.2, 1.23, 1.28]
    found = against_history(
        score_of(vi_split=vi - 0.5, vi_merge=0.5), [entry(n, vi=v) for n, v in enumerate(values)], POLICY
    )
    (row,) = found.rows
    deviation = np.median(np.abs(np.array(values[1:]) - 1.2))
    assert row.limit == pytest.approx(3 * 1.4826 * deviation)
    assert row.value == pytest.approx(vi - 1.2)
    assert row.keeps_limit is passes
    assert "median 1.2" in found.told["trend_vi"]


def test_equal_runs_leave_what_the_regression_allows(score_of):
    """Kills a limit of 0 where the last runs are all alike: the first change of a bit would be refused."""
    found = against_history(score_of(vi_split=0.74, vi_merge=0.5), [entry(n) for n in range(5)], POLICY)
    assert [(row.limit, row.keeps_limit) for row in found.rows] == [(0.05, True)]


def test_before_there_are_enough_runs_nothing_is_compared_and_that_is_told(score_of):
    found = against_history(score_of(), [entry(n) for n in range(4)], POLICY)
    assert (found.rows, found.metrics) == ((), ())
    (note,) = found.notes
    assert "asks for 5" in note
    assert "it has 4" in note
    off = GatePolicy(history=HistoryPolicy(mads=None))
    assert "null" in against_history(score_of(), [entry(n) for n in range(20)], off).notes[0]


def test_a_figure_that_earlier_runs_did_not_have_is_not_compared(score_of):
    lacking = [replace(entry(n), measurements=entry(n).measurements[1:]) for n in range(5)]
    assert against_history(score_of(), lacking, POLICY).rows == ()
