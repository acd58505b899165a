"""Which names the code defines, read from its syntax trees: nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.docs.documents import PROJECT

LIBRARY = PROJECT / "include" / "emseg"
ROOTS = {
    "emseg": LIBRARY,
    "emseg_airflow": PROJECT / "plugins" / "emseg_airflow",
    "benchmarks": PROJECT / "benchmarks",
    "tests": PROJECT / "tests",
    "spark_jobs": PROJECT / "spark_jobs",
    "dags": PROJECT / "dags",
}
OWN = ("emseg", "emseg_airflow", "spark_jobs", "dags")
"""Roots of the code itself, without its tests and benchmarks."""


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


def files(*roots: str) -> Iterator[Path]:
    for root in roots:
        yield from sorted(ROOTS[root].rglob("*.py"))


def bound(node: ast.AST) -> Iterator[str]:
    """Names that a statement binds: a definition, an assignment, an import."""
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield node.name
    elif isinstance(node, ast.Assign):
        yield from (name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        yield node.target.id
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in node.names)


def members(scope: ast.Module | ast.ClassDef) -> dict[str, ast.AST]:
    """What a module or class defines, by name; a class also what its methods keep in `self`."""
    found = {name: node for node in scope.body for name in bound(node)}
    if isinstance(scope, ast.ClassDef):
        kept = [n for n in ast.walk(scope) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)]
        found |= {n.attr: n for n in kept if isinstance(n.value, ast.Name) and n.value.id == "self"}
    return found


def has(file: Path, symbol: str) -> bool:
    """Whether a file defines `function`, or `Class.member` with the members of base classes in the project."""
    first, *rest = symbol.split(".")
    node = members(tree(file)).get(first)
    return node is not None and (not rest or (isinstance(node, ast.ClassDef) and _member(node, rest[0])))


def _member(node: ast.ClassDef, name: str) -> bool:
    bases = [ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases]
    inherited = (base for name in bases for base in classes().get(name, ()))
    return name in members(node) or any(_member(base, name) for base in inherited if base is not node)


@cache
def classes() -> dict[str, list[ast.ClassDef]]:
    """All classes of the code itself, by name."""
    found: dict[str, list[ast.ClassDef]] = {}
    for file in files(*OWN):
        for node in ast.walk(tree(file)):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(node)
    return found


def class_has(symbol: str) -> bool:
    """Whether some class of the project is called so, and has the member named behind the point, if any."""
    name, *rest = symbol.split(".")
    return any(not rest or _member(node, rest[0]) for node in classes().get(name, ()))


def dotted_exists(dotted: str) -> bool:
    """Whether `emseg.room.module` or `emseg.room.module.name` is there."""
    root, *parts = dotted.split(".")
    path = ROOTS[root]
    for number, part in enumerate(parts):
        if (path / part).is_dir():
            path = path / part
        elif (path / f"{part}.py").is_file():
            rest = parts[number + 1 :]
            return not rest or has(path / f"{part}.py", ".".join(rest))
        else:
            return (path / "__init__.py").is_file() and has(path / "__init__.py", ".".join(parts[number:]))
    return True


def path_of(text: str) -> Path | None:
    """The file or folder of a path that is relative to the project, to the library or to the folder of the DAGs."""
    return next((base / text for base in (PROJECT, LIBRARY, ROOTS["dags"]) if (base / text).exists()), None)
