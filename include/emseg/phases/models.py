"""Models in the object store, under `models/DIGEST/`: one place for all datasets, and nothing in it ever changes.

`model.json` is written last: a folder without it was never finished.
"""

from __future__ import annotations

from collections.abc import Iterator

from emseg.errors import IntegrityError, PermanentError
from emseg.segment import ModelFolder
from emseg.segment.model import DESCRIPTION
from emseg.store import ObjectStore, join_key

FOLDER = "models"


def store_model(store: ObjectStore, model: ModelFolder) -> str:
    """Keep `model` in the store and return its digest; nothing happens where it is there already."""
    for name in sorted(model.files, key=lambda name: name == DESCRIPTION):
        store.put_if_absent(join_key(FOLDER, model.digest, name), model.files[name])
    return load_model(store, model.digest).digest


def load_model(store: ObjectStore, digest: str) -> ModelFolder:
    """The model called `digest`; PermanentError where there is none, IntegrityError where it was changed."""
    folder = join_key(FOLDER, digest)
    keys = list(store.keys_under(folder))
    files = {key.rsplit("/", 1)[1]: key for key in keys}
    if DESCRIPTION not in files:
        raise PermanentError(
            "reading a model", store.address(folder), "there is none", "Train it, or store it: emseg model store DIR"
        )
    model = ModelFolder({name: store.get(key) for name, key in files.items()})
    if model.digest != digest:
        raise IntegrityError(
            "reading a model",
            store.address(folder),
            f"its contents have the digest {model.digest}",
            "Delete this folder and store the model again",
        )
    return model


def model_digests(store: ObjectStore) -> Iterator[str]:
    """Digests of all complete models."""
    for key in store.keys_under(FOLDER):
        folder, name = key.rsplit("/", 1)
        if name == DESCRIPTION:
            yield folder.rsplit("/", 1)[1]
