"""What the one environment must hold to, beyond what its requirements say."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path


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
