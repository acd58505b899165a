"""Edits of a segmentation in the object store: read when a run is pinned, changed by `emseg stitch`.

Supervoxel ids mean something in one segmentation only, so edits are kept by its key, `DATASET/edits/SEGMENT_KEY.json`:
another model or grid begins without any. Two people who edit at once both succeed (compare and swap). No phase can
compute a decision of a person again, so there is a copy, `DATASET/edits-copy/SEGMENT_KEY.json`, written after each
change; what is damaged or lost is written again from it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from emseg.config.edits import Edit, Edits
from emseg.errors import IntegrityError, PermanentError, TransientError
from emseg.store import ObjectMissingError, ObjectStore, join_key
from emseg.store.sealed import Form

ATTEMPTS = 20

log = logging.getLogger(__name__)

EditSource = Callable[[str, str], Edits]
"""Gives the edits of a dataset and a segmentation key."""

_FORM = Form(
    "edits",
    Edits,
    2,
    "Restore the object from a backup of the bucket, or delete it and its copy and decide again: emseg stitch",
    "Use the emseg that wrote it, or delete the object and decide again: emseg stitch",
)


def no_edits(dataset: str, segment_key: str) -> Edits:  # noqa: ARG001 - a source that has none
    """Nobody decided anything."""
    return Edits()


def edit_source(store: ObjectStore) -> EditSource:
    """The edits kept in `store`."""
    return partial(read_edits, store)


def read_edits(store: ObjectStore, dataset: str, segment_key: str) -> Edits:
    """The edits of one segmentation; none where nobody decided anything. PermanentError: no whole copy is left."""
    found, version, is_copy = _read(store, dataset, segment_key)
    if is_copy:
        key, _ = _keys(dataset, segment_key)
        _put(store, key, _FORM.seal(found, key), version)  # whoever was faster has written something whole
    return found


def change_edits(
    store: ObjectStore, dataset: str, segment_key: str, change: Callable[[tuple[Edit, ...]], tuple[Edit, ...]]
) -> Edits:
    """Keep `change` of the edits there are; TransientError when others were first every time."""
    key, copy = _keys(dataset, segment_key)
    for _ in range(ATTEMPTS):
        found, version, _ = _read(store, dataset, segment_key)
        changed = Edits(edits=change(found.edits))
        if _put(store, key, _FORM.seal(changed, key), version):
            store.put(copy, _FORM.seal(changed, copy))
            return changed
    raise TransientError("editing a segmentation", key, f"others were first {ATTEMPTS} times", "Try again")


def _put(store: ObjectStore, key: str, data: bytes, version: str | None) -> bool:
    return store.put_if_absent(key, data) if version is None else store.replace_if(key, data, version)


def _read(store: ObjectStore, dataset: str, segment_key: str) -> tuple[Edits, str | None, bool]:
    """The edits, the version of their object (None where there is none), and whether they come from the copy."""
    key, copy = _keys(dataset, segment_key)
    version = None
    try:
        data, version = store.get_with_version(key)
        return _FORM.open(data, key, store.address(key)), version, False
    except ObjectMissingError as error:
        damage: IntegrityError | ObjectMissingError = error
    except IntegrityError as error:
        damage = error
    try:
        kept = _FORM.read(store, copy)
    except ObjectMissingError:
        if isinstance(damage, ObjectMissingError):
            return Edits(), None, False
        raise PermanentError(damage.doing, damage.on, damage.found, damage.remedy) from None
    except IntegrityError as error:
        raise PermanentError(error.doing, f"{damage.on} and {error.on}", damage.found, error.remedy) from None
    log.error("edits of %s are read from their copy; look whether the last decision is in it. %s", segment_key, damage)
    return kept, version, True


def _keys(dataset: str, segment_key: str) -> tuple[str, str]:
    """Key of the edits, and of their copy."""
    return join_key(dataset, "edits", f"{segment_key}.json"), join_key(dataset, "edits-copy", f"{segment_key}.json")
