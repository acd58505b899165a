"""The version of a room's code, taken from the code itself, so that nobody can forget to raise it.

A digest of the syntax trees of the room's files without docstrings: comments and layout may change freely, and
anything that could change a result changes the version, and with it the stage keys.
"""

from __future__ import annotations

import ast
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import emseg

_PACKAGE = Path(emseg.__file__).parent


@cache
def code_version(*rooms: str, libraries: tuple[str, ...] = ()) -> str:
    """16 hex digits over the files of `rooms` and the installed versions of `libraries`.

    E.g. `code_version("geometry", "stages/segment.py", libraries=("scipy",))`.
    """
    digest = sha256("".join(f"{name}=={version(name)};" for name in libraries).encode())
    for room in sorted(rooms):
        place = _PACKAGE / room
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.relative_to(_PACKAGE).as_posix().encode())
            digest.update(ast.dump(_without_docstrings(ast.parse(path.read_text()))).encode())
    return digest.hexdigest()[:16]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
            node.body = body
    return tree
