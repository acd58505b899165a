"""The library as an archive: the same code wherever it is unpacked, and no archive of other code is submitted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.library_copy import library_copy
from tests.refusals import refused

import emseg
from emseg.errors import PermanentError
from emseg.phases.keys import code_versions
from emseg.tasks.archive import archive_name, check_archive, write_archive

PACKAGE = Path(emseg.__file__).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the library that a test may change."""
    return library_copy(tmp_path / "copy")


def test_code_versions_are_the_same_from_the_unpacked_archive(tmp_path: Path) -> None:
    """Kills an archive without a file that a phase can reach, and versions that depend on where the files lie."""
    with zipfile.ZipFile(write_archive(tmp_path)) as archive:
        archive.extractall(tmp_path / "unpacked")
    script = (
        "import emseg, json; from emseg.phases.keys import code_versions;"
        "print(json.dumps([emseg.__file__, code_versions()]))"
    )
    environment = {**os.environ, "PYTHONPATH": "unpacked"}  # a relative path, as Spark's executors get it
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    file, versions = json.loads(done.stdout)
    assert (tmp_path / file).resolve() == tmp_path / "unpacked" / "emseg" / "__init__.py"
    assert versions == code_versions()


def test_the_archive_holds_every_file_of_the_library_and_no_byte_code(tmp_path: Path) -> None:
    """Kills an archive of Python files alone: a child process or a schema may need another one."""
    with zipfile.ZipFile(write_archive(tmp_path)) as archive:
        names = {name for name in archive.namelist() if not name.endswith(".nbc")}
    made = {".pyc", ".nbc"}
    expected = {f"emseg/{p.relative_to(PACKAGE)}" for p in PACKAGE.rglob("*") if p.is_file() and p.suffix not in made}
    assert names == expected


def test_its_name_changes_with_the_code_and_with_nothing_else(copy: Path) -> None:
    """Kills an archive of yesterday's code that is taken for today's: executors would compute under wrong keys."""
    assert archive_name(copy) == archive_name()
    (copy / "__pycache__").mkdir(exist_ok=True)
    (copy / "__pycache__" / "imports.cpython-311.pyc").write_bytes(b"x")
    os.utime(copy / "imports.py", (1, 1))
    assert archive_name(copy) == archive_name()
    with (copy / "imports.py").open("a") as file:
        file.write("# a comment\n")
    assert archive_name(copy) != archive_name()


def test_compiled_functions_travel_unless_sources_are_newer(copy: Path, tmp_path: Path) -> None:
    """Kills an archive that grows with all that was ever compiled, and executors that compile anew in each job."""
    cache = copy / "kernels" / "__pycache__"
    cache.mkdir(exist_ok=True)
    for path in copy.rglob("*.nbc"):
        path.unlink()
    now = max(path.stat().st_mtime for path in copy.rglob("*.py"))
    for name, time in (("old.nbc", now - 1), ("new.nbc", now + 1)):
        (cache / name).write_bytes(b"x")
        os.utime(cache / name, (time, time))
    with zipfile.ZipFile(write_archive(tmp_path, copy)) as archive:
        assert [name for name in archive.namelist() if name.endswith(".nbc")] == ["emseg/kernels/__pycache__/new.nbc"]


@pytest.mark.parametrize("address", ["/srv/{}", "hdfs:///emseg/{}", "s3a://bucket/{}", "{}"])
def test_an_archive_of_this_code_is_known_by_its_name_wherever_it_lies(address: str) -> None:
    check_archive(address.format(archive_name()))
    with refused(PermanentError, "emseg archive", archive_name()):
        check_archive(address.format("emseg-0.1.0-0123456789abcdef.zip"))
