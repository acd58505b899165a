"""Airflow's `SparkSubmitOperator`, without the clients of Kubernetes until they are used.

Its hook imports them for drivers in Kubernetes alone. Each parse of a DAG and each task of any DAG would pay for that,
more than for Airflow itself (`python -m benchmarks start` prints what a parse takes).
"""

from __future__ import annotations

import importlib.util
import sys


def _load_at_first_use(package: str, module: str) -> None:
    """`from package import module` gives the module at once; its code runs when the first of its names is asked for."""
    name = f"{package}.{module}"
    if name in sys.modules or (spec := importlib.util.find_spec(name)) is None or spec.loader is None:
        return
    spec.loader = loader = importlib.util.LazyLoader(spec.loader)
    sys.modules[name] = lazy = importlib.util.module_from_spec(spec)
    loader.exec_module(lazy)
    setattr(sys.modules[package], module, lazy)  # else `from package import module` asks the module for its `__spec__`


_load_at_first_use("airflow.providers.cncf.kubernetes", "kube_client")

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator  # noqa: E402 - see above

__all__ = ["SparkSubmitOperator"]
