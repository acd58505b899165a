"""The version of the code behind a phase, computed from what the phase can reach by import.

For example, `match` reaches `stitch/votes.py` through `phases/match/work.py`, and NumPy through that. So an edit of
`count_votes`, or another NumPy, is another version of `match`, and another key. Docstrings, comments and layout do not
count. What is reached but shapes no result is named with its reason in `declaration.py`, or in the phase.

`emseg/imports.py` reads the imports from the source.
"""

from __future__ import annotations

import ast
import sys
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

import emseg
from emseg.imports import Imports, reached
from emseg.phases.declaration import READERS_AND_WRITERS, SHAPES_NO_RESULT, Phase

_PACKAGE = Path(emseg.__file__).parent


def code_version(phase: Phase, package: Path = _PACKAGE) -> str:
    """16 hex digits over the code that `phase` can reach in `package`, and the versions of libraries that it uses."""
    return version_of(roots_of(phase), (*SHAPES_NO_RESULT, *phase.not_in_version), package)


def roots_of(phase: Phase) -> tuple[str, ...]:
    """The modules that a phase begins with: its own, and the programs that its work starts."""
    return type(phase).__module__, *phase.programs


def version_of(roots: tuple[str, ...], without: tuple[str, ...] = (), package: Path = _PACKAGE) -> str:
    """16 hex digits over all that the modules `roots` can reach, less the modules and rooms `without`."""
    found = reach(roots, without, package)
    digest = sha256("".join(f"{name}=={_version(name)};" for name in sorted(found.libraries)).encode())
    for module, path in sorted(found.modules.items()):
        digest.update(f"{module} {_digest(path.read_bytes())}\n".encode())
    return digest.hexdigest()[:16]


def reach(roots: tuple[str, ...], without: tuple[str, ...] = (), package: Path = _PACKAGE) -> Imports:
    """What the modules `roots` of the library in `package` can reach by import, themselves included.

    `libraries` are libraries that can shape a result: neither Python's own nor `READERS_AND_WRITERS`.
    """
    found = reached(roots, package, without)
    return Imports(found.modules, found.libraries.difference(sys.stdlib_module_names, READERS_AND_WRITERS))


@cache
def _digest(source: bytes) -> str:
    return sha256(ast.dump(_without_docstrings(ast.parse(source))).encode()).hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        # No statement is inside an expression.
        left += [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr)]
    return tree


_DISTRIBUTIONS = {"cc3d": "connected-components-3d", "google": "protobuf", "skimage": "scikit-image"}
"""Modules whose distribution has another name. Where one is missing, the metadata of all distributions are read."""


@cache
def _version(library: str) -> str:
    """Installed version of the distribution that a module comes from, e.g. `skimage` from scikit-image."""
    try:
        return version(_DISTRIBUTIONS.get(library, library))
    except PackageNotFoundError:
        return " ".join(sorted(version(name) for name in set(packages_distributions()[library])))
