"""What the one environment must hold to, beyond what its requirements say."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_both_distributions_of_pyspark_are_one_version() -> None:
    """`pyspark` and `pyspark-client` install the same package over each other; two versions would be mixed by file."""
    assert version("pyspark") == version("pyspark-client") == _installed_version()


def test_pandas_is_one_that_spark_supports() -> None:
    assert int(version("pandas").split(".")[0]) < 3


def _installed_version() -> str:
    spec = find_spec("pyspark")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "version.py").read_text().split("'")[1]


TRANSITIVE = {"botocore": "boto3", "urllib3": "requests", "pydantic_core": "pydantic", "fastapi": "apache-airflow"}
"""Modules that are imported and come with a package that is declared, of which they are a part."""
NOT_IMPORTED = {
    "apache-airflow-providers-cncf-kubernetes": "the provider for Spark imports it",
    "apache-airflow-providers-postgres": "brings the drivers of the database",
    "imagecodecs": "tifffile imports it",
    "pyspark-client": "the provider for Spark asks for it",
}


def imported(*roots: str) -> set[str]:
    """Distributions that files import, by their names on the index."""
    files = [path for root in roots for path in (PROJECT / root).rglob("*.py")]
    trees = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    modules = {alias.name for node in trees if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in trees if isinstance(node, ast.ImportFrom) and node.module}
    return {_distribution(module) for module in modules if _is_outside(module)}


def _is_outside(module: str) -> bool:
    top = module.split(".", maxsplit=1)[0]
    return top not in sys.stdlib_module_names and not top.startswith("emseg")


def _distribution(module: str) -> str:
    top, *_ = parts = module.split(".")
    if parts[:2] == ["airflow", "providers"]:
        of_apache = parts[2:4] if parts[2] == "apache" else parts[2:3]
        return f"apache-airflow-providers-{'-'.join(of_apache)}"
    if top in TRANSITIVE:
        return TRANSITIVE[top]
    named = {"airflow": "apache-airflow", "asgiref": "apache-airflow", "google": "protobuf", "pyspark": "pyspark"}
    return named.get(top) or _installed()[top][0].lower().replace("_", "-")


@cache
def _installed() -> Mapping[str, list[str]]:
    return packages_distributions()


def declared(lines: list[str]) -> set[str]:
    return {re.split(r"[=<>; ]", line)[0].lower() for line in lines}


def test_the_wheel_declares_what_the_library_imports_and_no_more() -> None:
    """Kills a wheel that installs and cannot be imported, and a package that nothing uses any more."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    own, airflow = declared(project["dependencies"]), declared(project["optional-dependencies"]["airflow"])
    assert imported("include/emseg") == own - set(NOT_IMPORTED)
    outside = imported("dags", "plugins", "spark_jobs")
    assert outside - own == airflow - set(NOT_IMPORTED)
    assert set(NOT_IMPORTED) <= own | airflow
