"""The Dockerfile, and a clean environment in which its install lines were run, made once for all files here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dockerfile_parse import DockerfileParser
from tests.docker.image import DOCKERFILE, as_here, commands, copy_context
from tests.installing import uv


@pytest.fixture(scope="session")
def dockerfile() -> DockerfileParser:
    return DockerfileParser(fileobj=DOCKERFILE.open("rb"))


@pytest.fixture(scope="session")
def replayed(dockerfile: DockerfileParser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Python of a clean environment in which the `uv pip install` lines of the Dockerfile were run."""
    folder = tmp_path_factory.mktemp("image")
    copy_context(folder / "context")
    environment = folder / "venv"
    uv("venv", "--python", sys.executable, environment)
    installs = [words for words in commands(dockerfile) if words[:3] == ["uv", "pip", "install"]]
    assert len(installs) == 2
    for words in installs:
        uv(*as_here(words, environment, folder / "context"))
    yield environment / "bin" / "python"
    shutil.rmtree(folder)
