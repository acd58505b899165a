"""No compiled function calls what Numba could take from its cache for something else.

Numba keeps each function by the file that it stands in: one that was compiled anew may be joined with an old cached
helper, and gives wrong numbers without an error. The inner functions behind NumPy's sorts have one name for several
meanings, and one from the cache may be taken for another.
"""

import ast
from pathlib import Path

import emseg

MADE_OF_INNER_FUNCTIONS = {"sort", "argsort", "searchsorted", "unique", "median", "percentile", "quantile", "partition"}


def test_helpers_of_compiled_functions_are_not_cached_by_themselves():
    compiled: dict[str, tuple[bool, set[str]]] = {}
    for file in Path(emseg.__file__).parent.rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.FunctionDef) and (found := _decorators(node)):
                calls = {c.func.id for c in ast.walk(node) if isinstance(c, ast.Call) and isinstance(c.func, ast.Name)}
                compiled[f"{file.parent.name}/{file.name}:{node.name}"] = ("cache=True" in found, calls)
    assert len(compiled) > 10
    called = {f"{name.split(':')[0]}:{call}" for name, (_, calls) in compiled.items() for call in calls}
    assert [name for name, (cached, _) in compiled.items() if cached and name in called] == []


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
    return " ".join(text for each in node.decorator_list if "njit" in (text := ast.unparse(each)))
