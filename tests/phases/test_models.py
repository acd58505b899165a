"""Models in a store: found by their digest, never mixed, never changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.config import RunParameters
from emseg.dvid import DvidServer
from emseg.errors import PermanentError
from emseg.phases.models import load_model, model_digests, store_model
from emseg.phases.services import DvidServices
from emseg.segment import ModelDescription, ModelFolder
from emseg.segment.boundary import SECTION
from emseg.segment.model import MODEL_VERSION
from emseg.store import FolderStore
from emseg.tasks.pin import pin_run

SIZE = (10.0, 10.0, 10.0)


def model(text: bytes = b"forest") -> ModelFolder:
    return ModelFolder.of(ModelDescription(voxel_size_nm=SIZE), {"forest.txt": text})


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def test_a_model_is_found_by_its_digest_and_is_the_same(store):
    digest = store_model(store, model())
    assert digest == model().digest
    assert load_model(store, digest).files == model().files


def test_models_lie_side_by_side_and_storing_one_twice_changes_nothing(store):
    """Kills a store with one folder for all models, and a second `emseg model store` that fails."""
    digests = {store_model(store, model(text)) for text in (b"one", b"two", b"two")}
    assert set(model_digests(store)) == digests
    assert len(digests) == 2


class Cut(FolderStore):
    """A store whose writer is killed before its last object."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        if key.endswith("model.json"):
            raise KeyboardInterrupt
        return super().put_if_absent(key, data)


def test_a_model_whose_storing_was_cut_off_is_none_and_can_be_stored_again(tmp_path):
    """Kills a description that is written before the forests it names."""
    with pytest.raises(KeyboardInterrupt):
        store_model(Cut(tmp_path), model())
    store = FolderStore(tmp_path)
    assert list(model_digests(store)) == []
    with refused(PermanentError) as caught:
        load_model(store, model().digest)
    assert caught.value.on == store.address(f"models/{model().digest}")
    assert store_model(store, model()) == model().digest


@pytest.mark.parametrize("digest", ["0" * 64, "abc", "", "../runs", "*"])
def test_a_name_that_is_no_model_of_the_store_is_refused(store, digest):
    store_model(store, model())
    with pytest.raises(PermanentError):
        load_model(store, digest)


@pytest.mark.parametrize("change", ["changed", "added", "lost"])
def test_a_model_that_is_not_what_its_digest_says_is_never_used(store, change):
    """Kills a run with somebody's corrected forest under the old name: its results would be irreproducible."""
    digest = store_model(store, model())
    if change == "lost":
        store.delete(f"models/{digest}/forest.txt")
    else:
        store.put(f"models/{digest}/{'forest' if change == 'changed' else 'other'}.txt", b"corrected")
    with refused(PermanentError, store.address(f"models/{digest}"), "emseg model store"):
        load_model(store, digest)


@pytest.mark.parametrize("harm", ["changed", "added", "lost"])
def test_storing_a_damaged_model_again_mends_it(store, harm):
    """The remedy of the error. Kills `put_if_absent` taken for a repair: it leaves the damaged file where it is."""
    digest = store_model(store, model())
    if harm == "lost":
        store.delete(f"models/{digest}/forest.txt")
    else:
        store.put(f"models/{digest}/{'forest' if harm == 'changed' else 'other'}.txt", b"damaged")
    assert store_model(store, model()) == digest
    assert load_model(store, digest).files == model().files


def test_a_model_of_another_version_is_kept_but_not_read(store):
    """Kills a later emseg's model that is read with this one's meaning of its fields."""
    later = json.loads(model().files["model.json"]) | {"version": 2}
    digest = store_model(store, ModelFolder({"model.json": json.dumps(later).encode()}))
    with refused(PermanentError, digest[:12], "version 2", f"version {MODEL_VERSION}"):
        load_model(store, digest).description  # noqa: B018


def described(store: FolderStore, **fields: object) -> str:
    """A stored model whose description has these fields."""
    said = json.loads(model().files["model.json"]) | fields
    return store_model(store, ModelFolder({"model.json": json.dumps(said).encode()}))


@pytest.mark.services
@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"voxel_size_nm": [40, 4, 4]}, [SIZE, (40.0, 4.0, 4.0)]),
        ({"voxel_size_nm": [10, 10, 8.9]}, [SIZE, (10.0, 10.0, 8.9)]),
        ({"voxel_size_nm": [10, 10, 9.2]}, [f"`{SECTION}`"]),
        ({"version": 2}, ["version 2", f"version {MODEL_VERSION}"]),
        ({"format": "other"}, ["format = 'other'"]),
    ],
    ids=["anisotropic", "a tenth off", "near enough but for other steps", "of another version", "no model"],
)
def test_pin_refuses_a_model_that_does_not_fit(store, server: DvidServer, dataset_files: Path, fields, found):
    """Kills a run whose first Spark task finds out; a voxel size within a tenth is not what is refused."""
    services = DvidServices(store, server)
    parameters = RunParameters(dataset="trained", preset="default", model=described(store, **fields))
    with refused(PermanentError, *found):
        pin_run(parameters, "unfit", dataset_files, server, services.model)
