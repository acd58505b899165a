"""No code of the project makes objects or commands of what it reads: held over the source, and by attack elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
ROOMS = ("include", "plugins", "spark_jobs", "dags", "benchmarks")
SOURCES = sorted(file for room in ROOMS for file in (PROJECT / room).rglob("*.py"))

MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle", "jinja2", "xmlrpc"}
CALLS = {
    "eval", "exec", "compile", "__import__", "execfile", "os.system", "os.popen", "subprocess.getoutput",
    "subprocess.getstatusoutput", "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load",
    "torch.load", "pandas.read_pickle", "pd.read_pickle", "shutil.unpack_archive", "ssl._create_unverified_context",
    "numpy.loads", "np.loads", "runpy.run_path", "tempfile.mktemp",
}  # fmt: skip
METHODS = {"extractall", "extract", "unpack_archive", "from_string", "run_module", "set_debuglevel"}
KEYWORDS = {("allow_pickle", True), ("shell", True), ("verify", False), ("check_hostname", False)}
OPERATORS = {"BashOperator", "PythonVirtualenvOperator", "SSHOperator", "ExternalPythonOperator"}
IMPORTS_BY_NAME = {
    "include/emseg/phases/__init__.py",  # the names of ORDER, in the same file
    "include/emseg/cli/on_demand.py",  # the names of COMMANDS, in the same file
    "include/emseg/authoring/measured_child.py",  # the class that an author hands to the conformance check
}
"""Files that may import a module by a name; none of them takes it from a configuration or a run."""


def faults(source: str, file: str = "x.py") -> list[str]:
    return [f"{file}:{line} {what}" for line, what in _faults(ast.parse(source), file)]


def _faults(tree: ast.AST, file: str) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            names = [alias.name for alias in node.names]
            yield from ((node.lineno, m) for m in modules if m.split(".")[0] in MODULES)
            yield from ((node.lineno, n) for n in names if n in OPERATORS or f"{modules[0]}.{n}" in CALLS)
        elif isinstance(node, ast.Call):
            yield from ((node.lineno, what) for what in _call_faults(node, file))


def _call_faults(call: ast.Call, file: str) -> Iterator[str]:
    name = ast.unparse(call.func)
    if name in CALLS or (isinstance(call.func, ast.Attribute) and call.func.attr in METHODS):
        yield name
    if name in {"import_module", "importlib.import_module"} and file not in IMPORTS_BY_NAME:
        yield name
    for given in call.keywords:
        if isinstance(given.value, ast.Constant) and (given.arg, given.value.value) in KEYWORDS:
            yield f"{given.arg}={given.value.value}"
    if name in {"np.load", "numpy.load"} and not any(given.arg == "allow_pickle" for given in call.keywords):
        yield f"{name} without allow_pickle=False"


def test_no_file_unpickles_evaluates_unpacks_or_starts_a_shell():
    """Kills a reader that is one argument away from running what it reads, in any room."""
    named = {str(file.relative_to(PROJECT)): file.read_text(encoding="utf-8") for file in SOURCES}
    assert [fault for name, source in named.items() for fault in faults(source, name)] == []


@pytest.mark.parametrize(
    "bad",
    [
        "import pickle", "from cloudpickle import loads", "import joblib.parallel", "from os import system",
        "eval(x)", "exec(text)", "yaml.load(f)", "np.load(f)", "np.load(f, allow_pickle=True)", "torch.load(f)",
        "subprocess.run(c, shell=True)", "os.system(c)", "zip.extractall(d)", "requests.get(u, verify=False)",
        "from airflow.providers.standard.operators.bash import BashOperator", "importlib.import_module(given)",
        "environment.from_string(text)",
    ],
)  # fmt: skip
def test_the_search_finds_what_it_is_for(bad):
    """Kills a search that finds nothing anywhere."""
    assert len(faults(bad)) == 1


def test_the_search_reads_the_whole_project():
    assert len(SOURCES) > 250
    assert {file.relative_to(PROJECT).parts[0] for file in SOURCES} == set(ROOMS)
