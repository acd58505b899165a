"""Models in the object store, under `models/DIGEST/`: one place for all datasets, and nothing in it ever changes.

`model.json` is written last: a folder without it was never finished.
"""

from __future__ import annotations

from collections.abc import Iterator

from emseg.config.base import MODELS
from emseg.errors import RUN_AGAIN, PermanentError
from emseg.segment import ModelFolder
from emseg.segment.model import DESCRIPTION
from emseg.store import ObjectStore, join_key

FOLDER = MODELS


def store_model(store: ObjectStore, model: ModelFolder) -> str:
    """Keep `model` in the store and return its digest; one that is there is left as it is, a damaged one is mended."""
    folder = join_key(FOLDER, model.digest)
    for key in list(store.keys_under(folder)):
        if key.removeprefix(f"{folder}/") not in model.files:
            store.delete(key)
    for name in sorted(model.files, key=lambda name: name == DESCRIPTION):
        key = join_key(FOLDER, model.digest, name)
        if not store.put_if_absent(key, model.files[name]):
            store.put(key, model.files[name])  # the digest tells what belongs there: what is there is damaged
    return load_model(store, model.digest).digest


def load_model(store: ObjectStore, digest: str) -> ModelFolder:
    """The model called `digest`; PermanentError where there is none, or where it was changed."""
    folder = join_key(FOLDER, digest)
    keys = list(store.keys_under(folder))
    files = {key.rsplit("/", 1)[1]: key for key in keys}
    if DESCRIPTION not in files:
        raise PermanentError(
            "reading a model", store.address(folder), "there is none", "Train it, or store it: emseg model store DIR"
        )
    model = ModelFolder({name: store.get(key) for name, key in files.items()})
    if model.digest != digest:
        raise PermanentError(
            "reading a model",
            store.address(folder),
            f"its contents have the digest {model.digest}",
            f"Store the model again, which mends it: emseg model store DIR. Then {RUN_AGAIN}",
        )
    return model


def model_digests(store: ObjectStore) -> Iterator[str]:
    """Digests of all complete models."""
    for key in store.keys_under(FOLDER):
        folder, name = key.rsplit("/", 1)
        if name == DESCRIPTION:
            yield folder.rsplit("/", 1)[1]
