"""Scratch folders: gone after use, removed when their process was killed, and never taken from one that lives."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from emseg.disk import remove_scratch, scratch_folder

HOLD = """
import sys
from emseg.disk import scratch_folder
with scratch_folder() as folder:
    (folder / "page.html").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files of this test and of its child processes."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_scratch_folder_is_empty_at_first_private_and_gone_afterwards(temporary):
    with scratch_folder() as folder:
        assert list(folder.iterdir()) == []
        assert folder.stat().st_mode & 0o077 == 0
        (folder / "some").write_text("thing")
        assert list(temporary.iterdir()) == [folder]
    assert list(temporary.iterdir()) == []


def test_only_the_folder_of_a_killed_process_is_removed(temporary):
    """Kills a sweep by name or age alone, which takes the folder of a command that runs for days."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    folder = Path(holder.stdout.readline().strip())
    (temporary / "emseg-scratchy").mkdir()
    remove_scratch()
    assert (folder / "page.html").exists()
    holder.kill()
    holder.wait()
    remove_scratch()
    assert [path.name for path in temporary.iterdir()] == ["emseg-scratchy"]
