"""Each kernel has a twin of the same functions, whose examples are true, and which nothing but tests imports."""

from __future__ import annotations

import ast
import doctest
from importlib import import_module
from pathlib import Path

import pytest

import emseg
from emseg.imports import imported_by

PACKAGE = Path(emseg.__file__).parent
KERNELS = PACKAGE / "kernels"
TWINS = sorted(path.stem for path in (KERNELS / "plain").glob("*.py") if path.stem != "__init__")


def functions(file: Path) -> dict[str, list[str]]:
    """Arguments of the public functions of a file; those of an instruction of `lanes.py` begin with `_`."""
    found = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
    return {
        each.name: [argument.arg.removeprefix("_") for argument in each.args.args if argument.arg != "_typing"]
        for each in found
        if not each.name.startswith("_")
    }


@pytest.mark.parametrize("name", TWINS)
def test_a_twin_has_the_functions_of_its_kernel_and_their_arguments(name: str) -> None:
    """Kills a twin that a kernel has left behind."""
    assert functions(KERNELS / "plain" / f"{name}.py") == functions(KERNELS / f"{name}.py")


def test_every_file_with_functions_that_python_calls_has_a_twin() -> None:
    files = {path.stem for path in KERNELS.glob("*.py") if "\n@compiled\n" in path.read_text()}
    assert {"block_decoder", "block_encoder", "downsample", "label_pairs", "label_streams"} <= files <= set(TWINS)


@pytest.mark.parametrize("name", TWINS)
def test_every_twin_shows_an_example_and_the_examples_are_true(name: str) -> None:
    module = import_module(f"emseg.kernels.plain.{name}")
    examples = {test.name.split(".")[-1]: test.examples for test in doctest.DocTestFinder().find(module, name)}
    assert all(examples[function] for function in functions(KERNELS / "plain" / f"{name}.py"))
    assert doctest.testmod(module).failed == 0


def test_nothing_in_the_library_or_beside_it_imports_a_twin() -> None:
    """Kills a twin that computes in production, slowly, and that would be in code versions."""
    project = PACKAGE.parents[1]
    folders = [PACKAGE, project / "dags", project / "plugins", project / "spark_jobs", project / "benchmarks"]
    files = [file for folder in folders for file in folder.rglob("*.py") if file.parent != KERNELS / "plain"]
    assert len(files) > 200
    found = [file for file in files if any("kernels.plain" in name for name in imported_by(file, PACKAGE).modules)]
    assert found == []
