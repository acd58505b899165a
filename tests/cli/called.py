"""The command line in a process of its own, which tells at its end what it had imported.

Only Python's own library is imported here: what a fresh process tells is what the command imports.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.forked import command, to_its_end

PROJECT = Path(__file__).parents[2]


def modules_after_calling(*words: str) -> set[str]:
    """Names of the modules that `emseg WORDS` had imported when it ended."""
    return _of_fresh_process(called, words)


def modules_after_loading(*names: str) -> set[str]:
    """Names of the modules that are imported with these commands."""
    return _of_fresh_process(loaded, names)


def modules_after_forking(*words: str, environment: Mapping[str, str]) -> set[str]:
    """As after calling, but quick, and with these variables: what `tests/prepared.py` imports is among them."""
    return _told(to_its_end(called, words, environment))


def called(*words: str) -> None:
    """Of a process of its own: call `emseg WORDS` and tell."""
    try:
        command(*words)
    finally:
        _tell()


def loaded(*names: str) -> None:
    """Of a process of its own: load these commands and tell."""
    from emseg.cli import on_demand

    for name in names:
        on_demand.loaded(name)
    _tell()


def _tell() -> None:
    sys.stdout.write(" ".join(["MODULES", *sys.modules]))


def _of_fresh_process(work: Callable[..., None], words: tuple[str, ...]) -> set[str]:
    code = f"import sys; from {__name__} import {work.__name__}; {work.__name__}(*sys.argv[1:])"
    ours = [sys.executable, "-c", code, *words]
    return _told(subprocess.run(ours, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False))


def _told(done: subprocess.CompletedProcess[str]) -> set[str]:
    assert "Traceback" not in done.stderr, done.stderr
    before, told, modules = done.stdout.rpartition("MODULES")
    assert told, before
    return set(modules.split())
