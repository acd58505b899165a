"""Files as editors and scripts leave them: read as they were meant, or refused with file, line and remedy."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.config import Dataset, load_dataset
from emseg.config.documents import MOST_BYTES, json_document, yaml_document
from emseg.errors import PermanentError

PLAIN = "name: brain\ndescription: Medulla\nvolume:\n  node: 'abcd'\n  groundtruth: {instance: gt}\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def loaded(folder: Path, data: bytes, file: str = "brain.yaml") -> Dataset:
    (folder / file).write_bytes(data)
    return load_dataset(folder, "brain")


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n").encode("utf-8-sig"),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("Medulla", "Präparat").encode(),
        (PLAIN + "stitching: {min_overlap_nm3: 1e5}\n").encode(),
        (PLAIN + "segmentation: {core_vox: &side [64, 64, 64], halo_vox: *side}\n").encode(),
        (PLAIN + "---\n").encode()[: len(PLAIN)] + b"...\n",
    ],
    ids=["byte-order mark", "Windows", "old Mac", "UTF-8", "1e5", "an alias", "an end mark"],
)
def test_what_editors_leave_is_read(tmp_path: Path, data: bytes) -> None:
    assert loaded(tmp_path, data).volume.node == "abcd"


@pytest.mark.parametrize("file", ["brain.yml", "Brain.yaml", "BRAIN.YML"])
def test_another_ending_and_capitals_in_the_name_of_the_file_are_taken(tmp_path: Path, file: str) -> None:
    (tmp_path / "._brain.yaml").write_bytes(b"\0\5\26\7")  # as a Mac leaves it on a foreign disk
    assert loaded(tmp_path, PLAIN.encode(), file).name == "brain"


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    """Kills the one that the folder happens to list first."""
    loaded(tmp_path, PLAIN.encode())
    with refused(PermanentError, "brain.yaml", "brain.yml"):
        loaded(tmp_path, PLAIN.encode(), "brain.yml")


@pytest.mark.parametrize(
    ("data", "values"),
    [
        (PLAIN.replace("Medulla", "Präparat").encode("latin-1"), ["line 2", "0xe4", "Latin-1", "UTF-8"]),
        (PLAIN.encode("utf-16"), ["UTF-16", "UTF-8"]),
        (PLAIN.encode("utf-16-be"), ["UTF-16", "UTF-8"]),
        (PLAIN.encode("utf-32"), ["UTF-16", "UTF-8"]),
        ((PLAIN + "gate: {are_max: 0.1}\ngate: {are_max: 0.9}\n").encode(), ["line 7", "gate", "line 6"]),
        ((PLAIN + "gate: {are_max: 0.1, are_max: 0.9}\n").encode(), ["line 6", "gate.are_max"]),
        (PLAIN.replace("  node", "\tnode").encode(), ["line 4", "tabs", "spaces"]),
        (b"", ["holds nothing"]),
        (b"# only a remark\n", ["holds nothing"]),
        (b"- a\n- b\n", ["document"]),
        ((PLAIN + "? [a, b]\n: c\n").encode(), ["line 6", "a key is no name"]),
        (BOMB.encode(), ["values begin here"]),
        (b"a: &a [*a]\n", ["an anchor contains itself"]),
        (b"\1" + PLAIN.encode(), ["#x0001"]),
        (b"[" * 5000, ["nested too deeply"]),
        ((PLAIN + f"limits: {{max_voxels: {'9' * 5000}}}\n").encode(), ["4300"]),
        (PLAIN.replace("Medulla", "2026-13-45").encode(), ["month"]),
        (PLAIN.replace("Medulla", "!!bool perhaps").encode(), ["perhaps"]),
        *(
            ((PLAIN + f"output: {{max_scale: {number}}}\n").encode(), ["line 6", number, "plain digits"])
            for number in ("03", "0x3", "0b11", "0_3", "1_0", "1:3", "+0x3")
        ),
        ((PLAIN + "output: {max_scale: 1:2}\n").encode(), ["line 6", "1:2", "base 60"]),
        (PLAIN.replace("'abcd'", "1234").encode(), ["volume.node = 1234", "line 4", "quotes"]),
        (PLAIN.replace("brain", "2026").encode(), ["name = 2026", "line 1", "quotes"]),
        (PLAIN.replace("brain", "Brain").encode(), ["name = 'Brain'", "line 1", "capitals"]),
        ((PLAIN + "gate:\n  are_max: .1\n  vi_merge_max: .inf\n").encode(), ["gate.vi_merge_max = inf", "line 8"]),
        ((PLAIN + "gate: {vi_merge_max: .nan, vi_split_max: 1e400}\n").encode(), ["gate.vi_merge_max", "vi_split_max"]),
        (
            (PLAIN + "segmentation: {core_vox: [yes, 64, 64]}\n").encode(),
            ["core_vox.0 = True (line 6): it is taken for a switch, not for a number"],
        ),
        ((PLAIN + "stitching: {constraints: {max_weak_um3: off}}\n").encode(), ["max_weak_um3 = False", "line 6"]),
        ((PLAIN + "segmentation: {core_vox: [1000000000, 64, 64]}\n").encode(), ["segmentation.core_vox.0", 4096]),
        ((PLAIN + "segmentation: {core_vox: [64, 64, 100]}\n").encode(), ["core_vox.2 = 100", "multiple of 64"]),
        ((PLAIN + "segmentation: {core_vox: [64, 64, 64], halo_vox: [65, 0, 0]}\n").encode(), [(65, 0, 0)]),
        ((PLAIN + "output: {max_scale: 1000000000}\n").encode(), ["output.max_scale", 4]),
        ((PLAIN + "limits: {max_task_memory_mb: 1000000000000}\n").encode(), ["limits.max_task_memory_mb", 2**24]),
    ],
)  # fmt: skip
def test_what_is_not_plainly_one_document_is_refused_by_name(tmp_path: Path, data: bytes, values: list[object]) -> None:
    """Kills YAML's own rules, by which the second of two equal keys counts and `off` is 0, and Python's tracebacks."""
    with refused(PermanentError, "brain.yaml", *values):
        loaded(tmp_path, data)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    os.truncate(os.open(tmp_path / "brain.yaml", os.O_CREAT | os.O_WRONLY), 1 << 40)
    with refused(PermanentError, "brain.yaml", 1 << 40, MOST_BYTES):
        load_dataset(tmp_path, "brain")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Kills a pipe that is waited for without end."""
    (tmp_path / "folder.yaml").mkdir()
    os.mkfifo(tmp_path / "pipe.yaml")
    for name in ("folder", "pipe", "missing"):
        with refused(PermanentError, f"{name}.yaml"):
            yaml_document(tmp_path / f"{name}.yaml", "reading")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "a": 2}', "'a'"),
        ('{"a": {"b": 1, "b": 1}}', "'b'"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "Infinity"),
        ('{"a": 1e400}', "1e400"),
        ('{"a": 1', "JSON"),
        (b"\xff\xfe{\0}\0", "JSON"),
        ("[" * 100_000, "deeply"),
        (f'{{"a": {"9" * 5000}}}', 4300),
    ],
)
def test_json_that_says_two_things_or_no_number_is_refused(text: str | bytes, value: object) -> None:
    """Kills Python's own reader, which takes the last of two values and NaN for a number."""
    with refused(PermanentError, "reading", "a file", value):
        json_document(text, "reading", "a file")


def test_json_is_read_as_it_stands() -> None:
    assert json_document('{"a": [1, 2.5, null, "x"], "b": {"a": true}}', "", "") == {
        "a": [1, 2.5, None, "x"],
        "b": {"a": True},
    }
