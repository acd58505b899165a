"""Finding Java: versions read as Java prints them, and what a person is told when there is none."""

import os
from pathlib import Path

import pytest
from tests.refusals import refused

from emseg.devstack.java import ensure_java, find_java, major_version
from emseg.errors import PermanentError


@pytest.mark.parametrize(
    ("printed", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_292"\nJava(TM) SE Runtime Environment (build 1.8.0_292-b10)', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Dx=1\nopenjdk version "11.0.2" 2019-01-15', 11),
        ("no java here", 0),
    ],
)
def test_major_version_is_read_from_what_java_prints(printed: str, major: int) -> None:
    """Kills: `1.8` taken for Java 1, and a first line that is not the version."""
    assert major_version(printed) == major


@pytest.mark.parametrize(("version", "found"), [("17.0.1", True), ("11.0.2", False)])
def test_java_home_is_believed_before_the_path(tmp_path: Path, version: str, found: bool) -> None:
    """Kills: looking at PATH where Spark would take JAVA_HOME; accepting a Java too old for Spark."""
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    program.chmod(0o755)
    java = find_java({"JAVA_HOME": str(tmp_path), "PATH": os.environ["PATH"]})
    assert (java is not None) is found


def test_missing_java_names_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kills: an error of Spark's launcher in place of a remedy."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # not root: nothing may be installed by a test
    with refused(PermanentError, "openjdk-17-jre-headless", "JAVA_HOME", 17):
        ensure_java({"PATH": str(tmp_path)})
