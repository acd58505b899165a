"""A model folder on disk: what its digest cannot cover is refused by name, before anything is stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.segment import ModelDescription, ModelFolder
from emseg.segment.boundary import SECTION as BOUNDARY
from emseg.segment.model_check import check_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    ModelFolder.of(ModelDescription(voxel_size_nm=(10.0, 10.0, 10.0)), {"forest.txt": b"forest"}).write(path)
    return path


def test_links_within_the_folder_are_read_and_those_out_of_it_refused(folder: Path, tmp_path: Path) -> None:
    """Kills a model of which a part is somewhere else on this computer, or is any file that its user may read."""
    before = ModelFolder.read(folder).digest
    (folder / "again.txt").symlink_to("forest.txt")
    assert ModelFolder.read(folder).files["again.txt"] == b"forest"
    assert ModelFolder.read(folder).digest != before
    (tmp_path / "secret").write_text("secret")
    for target in (tmp_path / "secret", Path("/etc/hostname")):
        (folder / "again.txt").unlink()
        (folder / "again.txt").symlink_to(target)
        with refused(PermanentError, folder, "again.txt"):
            ModelFolder.read(folder)


def test_a_folder_that_is_reached_by_a_link_is_read(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert ModelFolder.read(tmp_path / "link").digest == ModelFolder.read(folder).digest


def test_folders_and_hidden_files_are_refused(folder: Path) -> None:
    """Kills weights in a folder below, which were left out of the digest and of the store without a word."""
    (folder / "weights").mkdir()
    with refused(PermanentError, folder, "weights"):
        ModelFolder.read(folder)
    (folder / "weights").rmdir()
    (folder / ".DS_Store").write_bytes(b"x")
    with refused(PermanentError, folder, ".DS_Store"):
        ModelFolder.read(folder)


def test_a_file_above_4_gib_is_refused_unread(folder: Path) -> None:
    with (folder / "huge.txt").open("wb") as file:
        file.truncate((4 << 30) + 1)
    with refused(PermanentError, folder, "huge.txt"):
        ModelFolder.read(folder)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"format": "emseg-model", "version": 1, "version": 1}', "version"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff{}", "utf-8"),
    ],
)
def test_a_description_that_is_no_plain_json_is_refused(folder: Path, text: str | bytes, found: str) -> None:
    """Kills the second of two values, taken without a word, and errors of the JSON reader."""
    (folder / "model.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with refused(PermanentError, "model.json", found):
        ModelFolder.read(folder)


def test_a_model_is_checked_as_a_run_would(folder: Path) -> None:
    """Kills `emseg model store` of a forest that the first run refuses."""
    section = {BOUNDARY: {"gray_mean": 128, "gray_std": 0, "passes": []}}
    with refused(PermanentError, BOUNDARY, "gray_std"):
        check_model(ModelFolder.of(ModelDescription(voxel_size_nm=(10.0, 10.0, 10.0), sections=section), {}))
