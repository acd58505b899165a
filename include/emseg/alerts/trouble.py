"""Whether a dataset is in trouble: what makes the first release after a failed or refused run news.

`alerts/trouble.json` of a dataset names the last failed or refused run, and the run that published first after it. A
second callback of that run finds itself named, so its alert has the same cause as before.
"""

from __future__ import annotations

from pydantic import Field

from emseg.alerts.alert import Alert
from emseg.config.base import Record
from emseg.store import ObjectMissingError, ObjectStore, join_key
from emseg.store.sealed import Form

IS_TROUBLE = frozenset({"regression", "refused", "failed"})


class Trouble(Record):
    """The last alert that told of trouble, and the run that ended it (empty: none yet)."""

    run: str
    title: str
    cause: str = Field(description="`dedupe_key` of its alert")
    ended_by: str = ""


_REMEDY = "Remove the document: the next failed or refused run of the dataset writes it anew"
_FORM = Form("trouble", Trouble, 2, _REMEDY, _REMEDY)


def note_trouble(store: ObjectStore, alert: Alert) -> None:
    """Remember an alert of a dataset that tells of trouble; a second callback of the same one changes nothing."""
    found, version = _read(store, alert.dataset)
    if found is not None and found.cause == alert.dedupe_key:
        return
    if not _write(store, alert.dataset, Trouble(run=alert.run, title=alert.title, cause=alert.dedupe_key), version):
        note_trouble(store, alert)


def trouble_ended_by(store: ObjectStore, dataset: str, run: str) -> Trouble | None:
    """The trouble that this published run is the first to end; None where there was none, or another run was first."""
    found, version = _read(store, dataset)
    if found is None or found.ended_by not in {"", run}:
        return None
    ended = found.model_copy(update={"ended_by": run})
    if ended != found and not _write(store, dataset, ended, version):
        return trouble_ended_by(store, dataset, run)
    return ended


def _read(store: ObjectStore, dataset: str) -> tuple[Trouble | None, str]:
    key = _key(dataset)
    try:
        return _FORM.read_with_version(store, key)
    except ObjectMissingError:
        return None, ""


def _write(store: ObjectStore, dataset: str, document: Trouble, version: str) -> bool:
    key = _key(dataset)
    data = _FORM.seal(document, key)
    return store.replace_if(key, data, version) if version else store.put_if_absent(key, data)


def _key(dataset: str) -> str:
    return join_key(dataset, "alerts", "trouble.json")
