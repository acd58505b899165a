"""The environment of `spark-submit`: with the services where the driver runs beside the task, else without them.

What of the Airflow worker's own variables a driver gets is decided in `emseg/child_environment.py`.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from pathlib import Path

from emseg.child_environment import for_driver
from emseg.config.connections import VARIABLES_OF_DVID, VARIABLES_OF_S3
from emseg_airflow.connections import service_environment

PLACES_WITHOUT_A_HOME = {"spark.jars.ivy": str(Path(tempfile.gettempdir(), f"ivy-{os.getuid()}"))}
"""Spark asks Java for the home of this user, and gets `?` for one who is not in /etc/passwd."""

_SPARK_OF_THIS_PYTHON = Path(sysconfig.get_path("purelib"), "pyspark")
_KEYS = {VARIABLES_OF_S3[field] for field in ("access_key", "secret_key", "session_token")}


def driver_environment() -> dict[str, str]:
    """This process's environment without what breaks a driver, with the services, and with this Python and its Spark.

    A service that a Connection does not name is none: no token, key or endpoint of the worker's own takes its place.
    Where Connection `emseg_s3` has no keys, those of the worker stay: they are its role.
    """
    services = service_environment()
    return _environment(services, own_keys=VARIABLES_OF_S3["access_key"] not in services)


def submitter_environment() -> dict[str, str]:
    """The same for a driver in the cluster: no service, because this process opens none. Keys of the worker stay."""
    return _environment({}, own_keys=True)


def _environment(services: dict[str, str], own_keys: bool) -> dict[str, str]:
    others = {*VARIABLES_OF_DVID.values(), *VARIABLES_OF_S3.values()} - (_KEYS if own_keys else set())
    inherited = {name: value for name, value in for_driver(os.environ).items() if name not in others}
    programs = str(Path(sys.executable).parent)
    return {
        "PYSPARK_PYTHON": sys.executable,
        **inherited,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_HOME": _spark_home(inherited.get("SPARK_HOME", "")),
        "PATH": os.pathsep.join([*filter(None, [inherited.get("PATH")]), programs]),
        **services,
    }


def _spark_home(given: str) -> str:
    """`given`, if it is a Spark of the version that this Python has; else the one that this Python has."""
    jars = list((_SPARK_OF_THIS_PYTHON / "jars").glob("spark-core_*.jar"))
    same = given and all((Path(given) / "jars" / jar.name).is_file() for jar in jars)
    return given if same else str(_SPARK_OF_THIS_PYTHON)
