"""`uv` in tests: what `make` has just installed is in its cache, so no index is asked and nothing is built anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

UV = Path(sys.executable).with_name("uv")


def uv(*words: object) -> None:
    """Run uv from its cache alone; where that lacks something, as it would run for anybody."""
    command = [UV, *map(str, words)]
    cached = subprocess.run(command, env=os.environ | {"UV_OFFLINE": "1"}, capture_output=True, check=False)
    if cached.returncode != 0:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
