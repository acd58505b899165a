"""A copy of the library that a test adds something to, and Python processes that use the copy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import emseg


def library_copy(folder: Path) -> Path:
    """The library under `folder`, with what Numba has compiled."""
    return Path(shutil.copytree(Path(emseg.__file__).parent, folder / "emseg", ignore=shutil.ignore_patterns("*.pyc")))


def insert(file: Path, before: str, text: str) -> None:
    """Write `text` before the one line that begins with `before`."""
    source = file.read_text()
    assert source.count(f"\n{before}") == 1
    file.write_text(source.replace(f"\n{before}", f"\n{text}{before}"))


def told_by(copy: Path, script: str, *arguments: str) -> Any:
    """What a script that imports the copy prints as JSON in its last line."""
    environment = {**os.environ, "PYTHONPATH": str(copy.parent)}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
