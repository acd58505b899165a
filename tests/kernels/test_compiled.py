"""What Numba keeps on disk is what it would compile now, whoever else writes there, and joins only its own parts.

Numba's own cache keeps each function by the file that it stands in. It may join one that was compiled anew with an old
helper, which gives wrong numbers without an error. The inner functions behind NumPy's sorts have one name for several
meanings, and one from the cache may be taken for another.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest
from numba.core.caching import FunctionCache

import emseg
from emseg.kernels.compiled import FileOfVariant, _warn_of_no_folder, compiled

MADE_OF_INNER_FUNCTIONS = {"sort", "argsort", "searchsorted", "unique", "median", "percentile", "quantile", "partition"}

HELPER = "from numba import njit\n\n@njit\ndef raised(x):\n    return x + {step}\n"
CALLER = """
from emseg.kernels.compiled import compiled
from emseg.room import raised

@compiled
def twice(x):
    return raised(raised(x))

if __name__ == "__main__":
    print(twice(10), sum(twice.stats.cache_hits.values()))
"""


def test_a_changed_helper_in_another_file_is_compiled_anew_and_what_did_not_change_is_not(tmp_path):
    """Kills a cache that looks at the caller's file alone, as Numba's does: 12 again.

    The helper is reached through the `__init__` of a room: kills a digest of the files that an import names.
    """
    package = tmp_path / "emseg"
    for name in ("__init__.py", "imports.py", "kernels/__init__.py", "kernels/compiled.py"):
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_bytes((Path(emseg.__file__).parent / name).read_bytes())
    (package / "room").mkdir()
    (package / "room/__init__.py").write_text("from emseg.room.helper import raised\n")
    (package / "caller.py").write_text(CALLER)

    def printed(step: int) -> str:
        (package / "room/helper.py").write_text(HELPER.format(step=step))
        command = [sys.executable, "-c", "import runpy; runpy.run_module('emseg.caller', run_name='__main__')"]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    assert [printed(1), printed(1), printed(5), printed(1)] == ["12 0", "12 1", "20 0", "12 1"]


def test_where_nothing_can_be_kept_functions_are_compiled_all_the_same(monkeypatch, caplog):
    """Kills a command that cannot even start: a read-only package, and a home that is missing or not writable."""
    monkeypatch.setattr(FunctionCache._impl_class, "_locator_classes", [])
    _warn_of_no_folder.cache_clear()

    @compiled
    def raised(x):
        return x + 1

    @compiled
    def doubled(x):
        return x * 2

    assert (raised(1), doubled(4)) == (2, 8)
    assert [record.message.count("NUMBA_CACHE_DIR") for record in caplog.records] == [1]


def test_two_processes_that_keep_variants_at_once_never_share_a_file(tmp_path):
    """Kills Numba's index of numbered files: both take number 1, and who asks for the first is given the second."""
    mine, other = (FileOfVariant(str(tmp_path), "function", Path(__file__)) for _ in range(2))

    class Overtaken(FileOfVariant):
        opened = 0

        @contextmanager
        def _open_for_write(self, path: str) -> Iterator[IO[bytes]]:
            self.opened += 1
            if self.opened > 1:
                raise InterruptedError("this process ends here")
            other.save("second", "code of second")
            with super()._open_for_write(path) as file:
                yield file

    with suppress(InterruptedError):
        Overtaken(str(tmp_path), "function", Path(__file__)).save("first", "code of first")
    assert mine.load("first") in (None, "code of first")
    assert mine.load("second") == "code of second"
    mine.save("first", "code of first")
    assert (other.load("first"), other.load("second")) == ("code of first", "code of second")


def test_a_process_that_ends_while_it_keeps_a_variant_leaves_none(tmp_path):
    """Kills a file that has its name before all of it is written."""
    variants = FileOfVariant(str(tmp_path), "function", Path(__file__))

    class Killed(FileOfVariant):
        @contextmanager
        def _open_for_write(self, path: str) -> Iterator[IO[bytes]]:
            with super()._open_for_write(path) as file:
                yield file
                raise InterruptedError("this process ends here")

    with pytest.raises(InterruptedError):
        Killed(str(tmp_path), "function", Path(__file__)).save("first", "code of first")
    assert variants.load("first") is None


def test_helpers_of_compiled_functions_are_not_cached_by_themselves():
    compiled: dict[str, tuple[bool, set[str]]] = {}
    for file in Path(emseg.__file__).parent.rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and (found := _decorators(node)):
                calls = {c.func.id for c in ast.walk(node) if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)}
                compiled[f"{file.parent.name}/{file.name}:{node.name}"] = (found == "compiled", calls)
    assert sum(cached for cached, _ in compiled.values()) > 10
    called = {call for _, calls in compiled.values() for call in calls}
    assert [name for name, (cached, _) in compiled.items() if cached and name.split(":")[1] in called] == []


def test_no_compiled_function_sorts_or_searches_by_numpy():
    """Kills what once encoded wrong labels: a sort from the cache that compared as another one does."""
    compiled, found = 0, []
    for file in Path(emseg.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and _decorators(node):
                compiled += 1
                calls = {
                    c.func.attr for c in ast.walk(node) if isinstance(c, ast.Call) and isinstance(c.func, ast.Attribute)
                }
                found += [f"{file.name}:{node.name}: {call}" for call in calls & MADE_OF_INNER_FUNCTIONS]
    assert compiled > 50
    assert found == []


def _decorators(node: ast.FunctionDef) -> str:
    texts = [ast.unparse(each) for each in node.decorator_list]
    assert not any("cache=True" in text for text in texts), f"{node.name}: take `compiled` of emseg.kernels.compiled"
    return " ".join(text for text in texts if text == "compiled" or "njit" in text)
