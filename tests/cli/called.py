"""The command line in a process of its own, which tells at its end what it had imported."""

from __future__ import annotations

import subprocess
import sys

CALL = """
import sys
from emseg.cli.main import app
sys.argv = ["emseg", *sys.argv[1:]]
try:
    app()
finally:
    print("MODULES", *sys.modules)
"""
LOAD = """
import sys
from emseg.cli.on_demand import loaded
for name in sys.argv[1:]:
    loaded(name)
print("MODULES", *sys.modules)
"""


def modules_after_calling(*words: str) -> set[str]:
    """Names of the modules that `emseg WORDS` had imported when it ended."""
    return _modules_after(CALL, words)


def modules_after_loading(*names: str) -> set[str]:
    """Names of the modules that are imported with these commands."""
    return _modules_after(LOAD, names)


def _modules_after(code: str, words: tuple[str, ...]) -> set[str]:
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return set(done.stdout.rpartition("MODULES")[2].split())
