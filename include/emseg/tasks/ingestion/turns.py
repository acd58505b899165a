"""Turns of an instance: what was ingested to it last, so that nobody takes markers of what was written over for done.

Example: a volume is ingested, its voxels are corrected in place, and it is ingested again. Nothing that the source says
of itself has changed, so every pin begins a turn of its own: markers of the first say nothing of the voxels that are in
in DVID now. A retry has no pin, and goes on with its turn.
"""

from __future__ import annotations

from emseg.config.base import INGESTIONS, Record
from emseg.config.ingestion import IngestSpec
from emseg.errors import IntegrityError, PermanentError
from emseg.store import ObjectMissingError, ObjectStore, join_key
from emseg.store.sealed import Form


class _Target(Record):
    """Key of the last ingestion to an instance, without its turn, and the number of that turn."""

    key: str
    turn: int


_FORM = Form(
    "ingestion target",
    _Target,
    1,
    "Remove it: what was ingested to this instance is then ingested again",
    "Install the release of emseg that wrote it, or remove it: what was ingested is then ingested again",
    IntegrityError,
)


def with_turn(store: ObjectStore, spec: IngestSpec) -> IngestSpec:
    """The spec with the number of its turn, one more than the last of its instance."""
    key, own = _key(spec), _without_turn(spec)
    while True:
        last, version = _read(store, key)
        turn = 1 if last is None else last.turn + 1
        data = _FORM.seal(_Target(key=own, turn=turn), key)
        if store.put_if_absent(key, data) if last is None else store.replace_if(key, data, version):
            return spec.model_copy(update={"turn": turn})


def require_turn(store: ObjectStore, spec: IngestSpec) -> None:
    """PermanentError where something else is ingested to the instance since `spec` was pinned."""
    last, _ = _read(store, _key(spec))
    if last is None or (last.key, last.turn) != (_without_turn(spec), spec.turn):
        raise PermanentError(
            "ingesting a volume",
            f"{spec.instance!r} in node {spec.node}",
            f"another ingestion to this instance has begun since (turn {last.turn if last else 'unknown'})",
            "Clear the task `pin` of this run to write over it, or leave it",
        )


def _read(store: ObjectStore, key: str) -> tuple[_Target | None, str]:
    try:
        return _FORM.read_with_version(store, key)
    except ObjectMissingError:
        return None, ""


def _key(spec: IngestSpec) -> str:
    return join_key(INGESTIONS, "targets", f"{spec.node}-{spec.instance}.json")


def _without_turn(spec: IngestSpec) -> str:
    return spec.model_copy(update={"turn": 0}).key
