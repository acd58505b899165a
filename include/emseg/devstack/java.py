"""Java for Spark: the one of this computer if it is 17 or later, or else Debian's package, installed by root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from emseg.errors import PermanentError

OLDEST_JAVA = 17
"""The oldest Java that Spark 4 runs on."""

PACKAGE = "openjdk-17-jre-headless"


@dataclass(frozen=True)
class Java:
    """A `java` program and its major version, e.g. 17."""

    program: Path
    major: int


def find_java(environment: Mapping[str, str]) -> Java | None:
    """The Java that Spark would take (JAVA_HOME, else PATH) if it is 17 or later; None otherwise."""
    home = environment.get("JAVA_HOME")
    program = f"{home}/bin/java" if home else shutil.which("java", path=environment.get("PATH"))
    if not program or not Path(program).is_file():
        return None
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False, env=environment)
    major = major_version(answer.stderr + answer.stdout)
    return Java(Path(program), major) if major >= OLDEST_JAVA else None


def major_version(text: str) -> int:
    """Major version in what `java -version` prints: `"17.0.15"` is 17, `"1.8.0_292"` is 8; 0 if there is none."""
    match = re.search(r'version "(?:1\.)?(\d+)', text)
    return int(match[1]) if match else 0


def ensure_java(environment: Mapping[str, str]) -> Java:
    """`find_java`, after installing Debian's package where that is possible (root, apt-get).

    Raises PermanentError that names the package.
    """
    java = find_java(environment)
    if java is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False, capture_output=True)
        subprocess.run(
            ["apt-get", "install", "-y", "--no-install-recommends", PACKAGE], check=False, capture_output=True
        )
        java = find_java(environment)
    if java is None:
        raise PermanentError(
            "looking for Java",
            f"JAVA_HOME {environment.get('JAVA_HOME', 'not set')}, PATH",
            f"no Java {OLDEST_JAVA} or later, which Spark needs",
            f"Install it (Debian, Ubuntu: apt-get install {PACKAGE}) and unset a JAVA_HOME that names another",
        )
    return java
