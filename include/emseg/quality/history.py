"""The history of a dataset: what every judged run measured, one Parquet object a run and result, a row a metric.

`{dataset}/history/{run}.{fingerprint}.parquet` is written by the gate, whole and with one put. So runs that are judged
at once never touch each other's rows, and a gate that is tried again writes over its own. Example, with DuckDB:

    SELECT time, value FROM 's3://BUCKET/PREFIX/brain/history/*.parquet' WHERE metric = 'vi' ORDER BY time
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import pyarrow as pa

from emseg.errors import IntegrityError
from emseg.store import ObjectStore, ahead, join_key
from emseg.store.sealed_table import TableForm

log = logging.getLogger(__name__)

_TEXT, _NUMBER = pa.string(), pa.float64()
SCHEMA = pa.schema(
    [
        pa.field("dataset", _TEXT, nullable=False),
        pa.field("run", _TEXT, nullable=False),
        pa.field("time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("fingerprint", _TEXT, nullable=False),
        pa.field("served_release", pa.int64()),
        pa.field("data_version", _TEXT, nullable=False),
        pa.field("groundtruth", _TEXT, nullable=False),
        pa.field("region", _TEXT, nullable=False),
        pa.field("models", _TEXT, nullable=False),
        pa.field("code", _TEXT, nullable=False),
        pa.field("spec", _TEXT, nullable=False),
        pa.field("verdict_passed", pa.bool_(), nullable=False),
        pa.field("metric", _TEXT, nullable=False),
        pa.field("value", _NUMBER),
        pa.field("low", _NUMBER),
        pa.field("high", _NUMBER),
        pa.field("limit", _NUMBER),
        pa.field("passed", pa.bool_(), nullable=False),
    ]
)


WATCHED = "watch-"
"""Begins the fingerprint of what the watch measured. A run's fingerprint is a key of phase `write`: digits alone."""


@dataclass(frozen=True)
class Judged:
    """What all rows of a judged run have in common; docs/reference.md says what each column is."""

    dataset: str
    run: str
    time: datetime
    fingerprint: str
    served_release: int | None
    data_version: str
    groundtruth: str
    region: str
    models: str
    code: str
    spec: str
    verdict_passed: bool

    @property
    def is_of_watch(self) -> bool:
        """Whether this is a release that was measured again, perhaps proofread, and no result of a run."""
        return self.fingerprint.startswith(WATCHED)

    def is_comparable(self, groundtruth: str | None, region: str) -> bool:
        """Whether these are figures of a run, on this ground truth (None: on any), in this region."""
        return not self.is_of_watch and groundtruth in (None, self.groundtruth) and self.region == region


@dataclass(frozen=True)
class Measurement:
    """One metric of a judged run: its value, the middle 95 % of its resamples, and its limit, if it has one."""

    metric: str
    value: float | None
    low: float | None
    high: float | None
    limit: float | None
    passed: bool


@dataclass(frozen=True)
class HistoryEntry:
    """A judged run with all that was measured of it."""

    judged: Judged
    measurements: tuple[Measurement, ...]

    def value(self, metric: str) -> float | None:
        """Value of one metric; None where it was not measured, or not judged then."""
        return next((each.value for each in self.measurements if each.metric == metric), None)


@dataclass(frozen=True)
class History:
    """All judged runs of a dataset, oldest first, and the addresses of objects that are damaged and so left out."""

    entries: tuple[HistoryEntry, ...]
    damaged: tuple[str, ...] = ()


def history_form(dataset: str) -> TableForm:
    """How the objects of the history are kept."""
    remedy = (
        f"Clear the task `gate` of the run of {dataset} that its name begins with: it writes the object anew. Or "
        f"remove the object: then the history lacks this run, and one of `{WATCHED}...` is written by the next watch"
    )
    return TableForm("history", SCHEMA, 1, remedy)


def keep(store: ObjectStore, entry: HistoryEntry) -> None:
    """Write the rows of a judged run, over those that an earlier try of the same judgement left."""
    key = history_key(entry.judged.dataset, entry.judged.run, entry.judged.fingerprint)
    rows = [asdict(entry.judged) | asdict(each) for each in entry.measurements]
    store.put(key, history_form(entry.judged.dataset).seal(rows, key), "application/vnd.apache.parquet")


def read_history(store: ObjectStore, dataset: str) -> History:
    """Every judged run. Damaged objects are logged and named, and nothing of them is believed."""
    keys = list(store.keys_under(join_key(dataset, "history")))
    read = list(ahead(lambda key: _entry(store, dataset, key), keys))
    entries = sorted((each for each in read if each), key=lambda each: (each.judged.time, each.judged.run))
    damaged = [store.address(key) for key, each in zip(keys, read, strict=True) if each is None]
    return History(tuple(entries), tuple(damaged))


def bases(entries: Iterable[HistoryEntry]) -> dict[tuple[str, str], int]:
    """Numbers of the grounds of comparison, each a ground truth and a region: 1, 2, ... in the order of the entries."""
    found = dict.fromkeys((each.judged.groundtruth, each.judged.region) for each in entries)
    return {each: number for number, each in enumerate(found, 1)}


def history_key(dataset: str, run: str, fingerprint: str) -> str:
    """Key of the object of one judged run."""
    return join_key(dataset, "history", f"{run}.{fingerprint}.parquet")


def _entry(store: ObjectStore, dataset: str, key: str) -> HistoryEntry | None:
    try:
        rows = history_form(dataset).read(store, key).to_pylist()
    except IntegrityError as error:
        log.error("left out of the history: %s", error)
        return None
    return HistoryEntry(Judged(**_only(Judged, rows[0])), tuple(Measurement(**_only(Measurement, r)) for r in rows))


def _only(kind: type[Judged | Measurement], row: dict[str, Any]) -> dict[str, Any]:
    return {each.name: row[each.name] for each in fields(kind)}
