"""What compiled functions must not call, because what Numba keeps of it on disk may be taken for something else."""

from __future__ import annotations

import ast
from pathlib import Path

import emseg

MADE_OF_CLOSURES = {"sort", "argsort", "searchsorted", "unique", "median", "percentile", "quantile", "partition"}
"""Numba makes them of inner functions that have one name for several meanings (`label_block_kernels.py` tells more)."""


def compiled_functions() -> list[tuple[str, ast.FunctionDef]]:
    root = Path(emseg.__file__).parent
    return [
        (f"{path.relative_to(root)}:{node.name}", node)
        for path in sorted(root.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and any("njit" in ast.unparse(each) for each in node.decorator_list)
    ]


def test_no_compiled_function_sorts_or_searches_by_numpy() -> None:
    """Kills what once encoded wrong labels: a sort from the cache that compared as another one does."""
    functions = compiled_functions()
    assert len(functions) > 50
    found = {
        name
        for name, function in functions
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in MADE_OF_CLOSURES
    }
    assert found == set()
