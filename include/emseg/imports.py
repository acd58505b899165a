"""Which files of emseg a file can reach by import, read from the sources: nothing of them is run.

Two need to know on which code a result depends: the cache of compiled functions (`kernels/compiled.py`) and the code
versions of phases (`phases/code_version.py`). For example, `from emseg.dvid import Grayscale` leads to
`dvid/grayscale.py` alone: the `__init__` of a room that only passes the name on does not count. Imports inside
functions count; those under `if TYPE_CHECKING` do not. Only the Python standard library is used, and a file is read in
about a millisecond.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_NAME = "emseg"


@dataclass(frozen=True)
class Imports:
    """Files of emseg by module, and top-level names of other libraries, Python's own among them: `numpy`, `pathlib`."""

    modules: dict[str, Path] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)


def reached(roots: Iterable[str], package: Path, without: tuple[str, ...] = ()) -> Imports:
    """What the modules `roots` of the library in the folder `package` can reach, themselves included.

    Modules and rooms named in `without` are left out, and what is reached through them alone.
    """
    found, left = Imports(), list(roots)
    while left:
        module = left.pop()
        if module in found.modules or any(module == each or module.startswith(f"{each}.") for each in without):
            continue
        path = found.modules[module] = _file_of(module, package)
        direct = imported_by(path, package)
        left += direct.modules
        found.libraries.update(direct.libraries)
    return found


def imported_by(file: Path, package: Path) -> Imports:
    """What a Python file, of the library or not, imports itself: modules in which the imported names are defined."""
    found = Imports()
    for module, name in _imports(file.read_bytes()):
        if module.split(".")[0] == _NAME:
            defining = _defining(module, name, package)
            found.modules[defining] = _file_of(defining, package)
        else:
            found.libraries.add(module.split(".")[0])
    return found


def _file_of(module: str, package: Path) -> Path:
    path = os.path.join(package, *module.split(".")[1:])  # noqa: PTH118 - a process looks up thousands of names, and Path is slow
    return Path(f"{path}/__init__.py" if os.path.isdir(path) else f"{path}.py")  # noqa: PTH112


def _defining(module: str, name: str, package: Path) -> str:
    """The module that `from module import name` takes `name` from."""
    inner = f"{module}.{name}"
    if name and _file_of(inner, package).is_file():
        return inner
    path = _file_of(module, package)
    if name and path.name == "__init__.py":
        for passed_on, its_name in _imports(path.read_bytes()):
            if its_name == name and passed_on.split(".")[0] == _NAME:
                return _defining(passed_on, name, package)
    return module


@cache
def _imports(source: bytes) -> tuple[tuple[str, str], ...]:
    """Modules that a file imports, each with one name that it takes from it ("" for the module itself)."""
    return tuple(_imports_in(ast.parse(source)))


def _imports_in(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        for other in node.orelse:  # what is imported where the code runs, not where types are checked
            yield from _imports_in(other)
        return
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        if node.level or node.module is None:
            raise ValueError(f"line {node.lineno}: a relative import, which is not followed; name the module whole")
        yield from ((node.module, alias.name) for alias in node.names)
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.expr):  # no statement is inside an expression
            yield from _imports_in(child)
