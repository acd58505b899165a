"""`emseg model`: models go into the store and come out the same, and nothing that lies in a folder is lost for them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.refusals import refused
from typer.testing import CliRunner

from emseg.cli import models
from emseg.cli.models import require_room
from emseg.errors import PermanentError
from emseg.phases.models import store_model
from emseg.segment import ModelDescription, ModelFolder
from emseg.segment.model import TrainingRecord
from emseg.store import FolderStore


def model(*names: str) -> ModelFolder:
    record = TrainingRecord(preset="best", seed=0, regions=(), figures={"vi_split": 0.512, "vi_merge": 0.25})
    made = ModelDescription(voxel_size_nm=(40.0, 4.0, 4.0), training=record, sections={"mine": list(names)})
    return ModelFolder.of(made, {name: name.encode() for name in names})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    store = FolderStore(tmp_path / "store")
    monkeypatch.setattr(models, "connected", lambda: SimpleNamespace(store=store))
    monkeypatch.setattr(models.console, "width", 200)
    return store


def said(*words: object) -> str:
    done = CliRunner().invoke(models.cli, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_model_goes_into_the_store_and_comes_out_the_same(store, tmp_path):
    one = model("a.txt", "b.txt")
    one.write(tmp_path / "one")
    assert f"model: {one.digest}" in said("store", tmp_path / "one")
    assert json.loads(said("show", one.digest)) == json.loads(one.files["model.json"])
    said("fetch", one.digest, tmp_path / "deep" / "down")
    assert ModelFolder.read(tmp_path / "deep" / "down").digest == one.digest


def test_the_list_shows_good_models_beside_one_that_cannot_be_used(store):
    """Kills a list that a single model of a later emseg, or a damaged one, takes away from everybody."""
    good = store_model(store, model("a.txt"))
    later = json.loads(model("b.txt").files["model.json"]) | {"version": 2}
    foreign = store_model(store, ModelFolder({"model.json": json.dumps(later).encode(), "b.txt": b"b"}))
    damaged = store_model(store, model("c.txt"))
    store.put(f"models/{damaged}/c.txt", b"else")
    rows = {line.split()[1]: line for line in said("list").splitlines() if line.count("│") > 2}
    assert all(part in rows[good] for part in ("best", "40 x 4 x 4", "0.512", "0.250"))
    assert all(part in rows[foreign] for part in ("unusable", "version 2"))
    assert all(part in rows[damaged] for part in ("unusable", "digest"))


@pytest.mark.parametrize("name", ["notes.md", "other.txt"])
def test_a_folder_with_something_else_in_it_is_left_as_it_is(store, tmp_path, name):
    """Kills a model of two models' files, and the loss of what somebody put beside one."""
    digest = store_model(store, model("a.txt"))
    folder = tmp_path / "mine"
    model("b.txt").write(folder)
    (folder / name).write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with refused(PermanentError, folder, name):
        said("fetch", digest, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_model_takes_the_place_of_another_and_leaves_none_of_its_files(tmp_path):
    """Kills a shorter model with the last forest of the longer one before it: its digest would be nobody's."""
    folder = tmp_path / "model"
    model("a.txt", "b.txt").write(folder)
    require_room(folder)
    model("a.txt").write(folder)
    assert ModelFolder.read(folder).digest == model("a.txt").digest
    assert list(tmp_path.iterdir()) == [folder]


def test_a_model_whose_writing_breaks_off_leaves_the_one_before_it(tmp_path, monkeypatch):
    """Kills old forests under a new description, and an old model that is gone before the new one is complete."""
    folder = tmp_path / "model"
    model("a.txt", "b.txt").write(folder)
    write_bytes = Path.write_bytes

    def cut(path: Path, data: bytes) -> int:
        if path.name == "model.json":
            raise KeyboardInterrupt
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", cut)
    with pytest.raises(KeyboardInterrupt):
        model("c.txt").write(folder)
    assert ModelFolder.read(folder).digest == model("a.txt", "b.txt").digest
    assert list(tmp_path.iterdir()) == [folder]


def test_the_current_folder_is_not_exchanged_under_the_shell_that_stands_in_it(tmp_path, monkeypatch):
    """Kills a model that is in the folder for everybody but the shell that called the command there."""
    monkeypatch.chdir(tmp_path)
    for folder in (Path(), tmp_path):
        with refused(PermanentError, folder):
            require_room(folder)


def test_a_path_where_no_folder_can_be_made_is_refused_beforehand(tmp_path):
    """Kills an hour of training that ends in a NotADirectoryError; new, nested and empty folders are fine."""
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with refused(PermanentError, folder, tmp_path / "file"):
            require_room(folder)
    (tmp_path / "empty").mkdir()
    for folder in ("new", "new/deep", "empty"):
        require_room(tmp_path / folder)
