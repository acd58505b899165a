"""Edits of a segmentation in the object store: read when a run is pinned, changed by `emseg stitch`.

Supervoxel ids mean something in one segmentation only, so edits are kept by its key, `DATASET/edits/SEGMENT_KEY.json`:
another model or grid begins without any. Two people who edit at once both succeed (compare and swap).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from emseg.config.base import validated
from emseg.config.edits import Edit, Edits
from emseg.config.runspec import canonical_json
from emseg.errors import IntegrityError, TransientError
from emseg.store import ObjectMissingError, ObjectStore, join_key

ATTEMPTS = 20

EditSource = Callable[[str, str], Edits]
"""Gives the edits of a dataset and a segmentation key."""


def no_edits(dataset: str, segment_key: str) -> Edits:  # noqa: ARG001 - a source that has none
    """Nobody decided anything."""
    return Edits()


def edit_source(store: ObjectStore) -> EditSource:
    """The edits kept in `store`."""
    return partial(read_edits, store)


def read_edits(store: ObjectStore, dataset: str, segment_key: str) -> Edits:
    """The edits of one segmentation; none where nobody decided anything."""
    key = _key(dataset, segment_key)
    try:
        return _parsed(store.get(key), store.address(key))
    except ObjectMissingError:
        return Edits()


def change_edits(
    store: ObjectStore, dataset: str, segment_key: str, change: Callable[[tuple[Edit, ...]], tuple[Edit, ...]]
) -> Edits:
    """Keep `change` of the edits there are; TransientError when others were first every time."""
    key = _key(dataset, segment_key)
    for _ in range(ATTEMPTS):
        try:
            data, version = store.get_with_version(key)
        except ObjectMissingError:
            changed = Edits(edits=change(()))
            if store.put_if_absent(key, _bytes(changed)):
                return changed
            continue
        changed = Edits(edits=change(_parsed(data, store.address(key)).edits))
        if store.replace_if(key, _bytes(changed), version):
            return changed
    raise TransientError("editing a segmentation", key, f"others were first {ATTEMPTS} times", "Try again")


def _key(dataset: str, segment_key: str) -> str:
    return join_key(dataset, "edits", f"{segment_key}.json")


def _bytes(edits: Edits) -> bytes:
    return canonical_json(edits.model_dump(mode="json"))


def _parsed(data: bytes, on: str) -> Edits:
    try:
        document = json.loads(data)
    except ValueError:
        raise IntegrityError("reading the edits of a segmentation", on, "not JSON", "Restore the object") from None
    return validated(Edits, document, "reading the edits of a segmentation", on)
