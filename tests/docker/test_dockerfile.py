"""The Dockerfile without a Docker engine: linted, read by line, and its Python part replayed in a clean environment.

What this cannot show: that the base image and the Debian packages can be fetched, and that the image starts.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from dockerfile_parse import DockerfileParser
from tests.docker.image import BIN, DOCKERFILE, PROJECT, commands, instructions

NEVER_COPIED = [".git", ".venv", "tests", "build", "benchmarks", ".env"]


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([BIN / "hadolint", DOCKERFILE], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


def test_the_image_ends_as_a_numbered_user_that_is_not_root(dockerfile: DockerfileParser) -> None:
    """Kills a later USER root, and a name that Kubernetes cannot check with runAsNonRoot."""
    last = instructions(dockerfile, "USER")[-1]
    assert int(last) > 0
    assert dockerfile.structure[-1]["instruction"] == "CMD"
    assert any("useradd" in words and last in words for words in commands(dockerfile))


def test_no_secret_can_be_baked_in(dockerfile: DockerfileParser) -> None:
    """Kills an ARG or ENV for a key: both stay readable in the image's history."""
    assert instructions(dockerfile, "ARG") == []
    secret = re.compile(r"secret|password|token|access.?key|fernet|credential|conn_", re.IGNORECASE)
    assert [name for name in dockerfile.envs if secret.search(name)] == []


def test_nothing_calls_home(dockerfile: DockerfileParser) -> None:
    assert dockerfile.envs["GX_ANALYTICS_ENABLED"] == "false"
    assert dockerfile.envs["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] == "False"


def test_signals_reach_the_processes(dockerfile: DockerfileParser) -> None:
    """Kills a shell as process 1, which passes no SIGTERM on: every stop of a pod would be a SIGKILL."""
    (entrypoint,) = instructions(dockerfile, "ENTRYPOINT")
    assert json.loads(entrypoint)[0] == "tini"


def test_folders_named_in_the_environment_are_in_the_project(dockerfile: DockerfileParser) -> None:
    for name in ("AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__CORE__PLUGINS_FOLDER", "EMSEG_DATASETS"):
        assert (PROJECT / Path(dockerfile.envs[name]).relative_to("/opt/emseg")).is_dir()


def test_the_build_context_is_a_list_of_what_the_image_needs(dockerfile: DockerfileParser) -> None:
    """Kills `COPY .` of a checkout with its history, environment and secrets."""
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert not set(allowed) & set(NEVER_COPIED)
    assert [path for path in allowed if not (PROJECT / path).exists()] == []


def test_every_requirement_is_pinned() -> None:
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    names = [line.split(";")[0].strip() for line in lines if re.match(r"[A-Za-z0-9]", line)]
    assert len(names) > 50
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9._\[\],-]+==[A-Za-z0-9.+!]+( \\)?", name)] == []


def test_every_direct_requirement_is_locked() -> None:
    """Kills a package added to pyproject.toml alone: it would be missing in the image."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    named = {_name(line) for line in (*project["dependencies"], *project["optional-dependencies"]["airflow"])}
    locked = {_name(line) for line in (PROJECT / "requirements.txt").read_text().splitlines()}
    assert named <= locked


def test_debian_has_the_packages(dockerfile: DockerfileParser) -> None:
    apt = shutil.which("apt-cache")
    release = Path("/etc/os-release")
    if apt is None or "VERSION_CODENAME=bookworm" not in release.read_text():
        pytest.skip("this is not the Debian release of the image")
    (install,) = [words for words in commands(dockerfile) if words[:2] == ["apt-get", "install"]]
    for package, version in (word.split("=") for word in install[2:] if "=" in word):
        found = subprocess.run([apt, "madison", package], capture_output=True, text=True, check=True).stdout
        if not found:
            pytest.skip("the package lists are empty here: run apt-get update")
        versions = [line.split("|")[1].strip() for line in found.splitlines()]
        assert any(v.startswith(version.removesuffix("*")) for v in versions), (package, version, versions)


def test_the_installed_packages_agree_with_each_other(replayed: Path) -> None:
    """Kills a lock that pip can install and no program can use."""
    subprocess.run([BIN / "uv", "pip", "check", "--python", replayed], check=True, capture_output=True)


def test_the_image_runs_the_same_library_as_this_checkout(replayed: Path) -> None:
    """Kills a module or a data file that is in the checkout and not in the installed package."""
    script = "import emseg, pathlib; print(pathlib.Path(emseg.__file__).parent)"
    installed = Path(_run(replayed, script))
    assert installed.is_relative_to(replayed.parents[1])
    missing = _files(PROJECT / "include" / "emseg") - _files(installed)
    assert missing == set()


def test_the_dags_of_the_image_are_imported(replayed: Path) -> None:
    """Kills a DAG that needs a package only the developers have, or a document that is not in the image."""
    script = (
        "import pathlib, runpy, sys; sys.path.append('plugins')\n"
        "files = sorted(pathlib.Path('dags').glob('*.py'))\n"
        "found = [runpy.run_path(str(file)) for file in files]\n"
        "print(*(file.stem for file in files))"
    )
    context = replayed.parents[2] / "context"
    home = replayed.parents[2] / "airflow"
    done = _run(replayed, script, cwd=context, env={"AIRFLOW_HOME": str(home), "PATH": "/usr/bin:/bin"})
    assert done.split() == sorted(path.stem for path in (PROJECT / "dags").glob("*.py"))


def test_spark_is_where_the_environment_says(replayed: Path, dockerfile: DockerfileParser) -> None:
    packages = _run(replayed, "import sysconfig; print(sysconfig.get_paths()['purelib'])")
    home = dockerfile.envs["SPARK_HOME"].removeprefix("/usr/local/lib/python3.11/site-packages/")
    assert (Path(packages) / home / "bin" / "spark-class").is_file()
    assert (replayed.parent / "spark-submit").is_file()


def _run(python: Path, script: str, **options: Any) -> str:
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=True, **options)
    return done.stdout.strip().splitlines()[-1]


def _files(package: Path) -> set[str]:
    return {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def _name(line: str) -> str | None:
    match = re.match(r"([A-Za-z0-9][A-Za-z0-9._-]*)", line)
    return re.sub(r"[-_.]+", "-", match[1]).lower() if match else None
