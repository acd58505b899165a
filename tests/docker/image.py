"""The Dockerfile, read by line, and its commands as they are run here: in an environment in place of the image."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

from dockerfile_parse import DockerfileParser

PROJECT = Path(__file__).resolve().parents[2]
DOCKERFILE = PROJECT / "Dockerfile"
BIN = Path(sys.executable).parent


def instructions(dockerfile: DockerfileParser, kind: str) -> list[str]:
    return [entry["value"] for entry in dockerfile.structure if entry["instruction"] == kind]


def commands(dockerfile: DockerfileParser) -> list[list[str]]:
    """Every command of every RUN, as its words."""
    runs = " && ".join(instructions(dockerfile, "RUN"))
    return [shlex.split(command) for command in runs.split("&&")]


def as_here(words: list[str], environment: Path, context: Path) -> list[str]:
    """The words after `uv` for the environment in place of the system, from a copy of the build context."""
    kept = [*words[1:3], "--python", str(environment)]
    return kept + [
        word.replace("/opt/emseg", str(context)) for word in words[3:] if word not in ("--system", "--no-cache")
    ]


def copy_context(target: Path) -> None:
    lines = (PROJECT / ".dockerignore").read_text().splitlines()
    for path in (line.removeprefix("!") for line in lines if line.startswith("!")):
        source = PROJECT / path
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / path, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        else:
            shutil.copy(source, target / path)
