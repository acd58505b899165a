"""What is installed: pinned with hashes, from the index, and none of the packages that only look like ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
COMPILED = ("requirements.txt", "requirements-dev.txt")
FILES = (*COMPILED, "requirements-dev.in")

OTHER_PEOPLES = {"gala", "elf", "nifty", "taskqueue", "cc3d", "funlib", "funlib-evaluate", "cremi", "cave-client"}
"""Names of packages that are something else than the tools of this field with that name, or nobody's yet."""


def requirements(file: str) -> dict[str, str]:
    """The lines of each requirement, by its name."""
    text = re.sub(r"\\\n", " ", (PROJECT / file).read_text())
    lines = [line.split(" #")[0].strip() for line in text.splitlines() if not line.lstrip().startswith(("#", "-"))]
    return {re.sub(r"[-_.]+", "-", re.split(r"[\[=<>~;! @]", line)[0]).lower(): line for line in lines if line}


@pytest.mark.parametrize("file", COMPILED)
def test_every_requirement_has_one_version_and_hashes_and_comes_from_the_index(file):
    """Kills a package that is replaced on its way, and one from an address of its own."""
    found = requirements(file)
    assert len(found) > 20
    assert [line for line in found.values() if not re.search(r"==[^ ]+ .*--hash=sha256:[0-9a-f]{64}", line)] == []
    text = (PROJECT / file).read_text()
    assert not re.search(r"https?://|git\+|--(extra-)?index-url|--trusted-host|--find-links|^-e ", text, re.MULTILINE)


@pytest.mark.parametrize("file", FILES)
def test_no_requirement_is_another_peoples_package(file):
    """Kills a guess: `gala` is about galaxies, `nifty` is GPL, `taskqueue` is empty."""
    assert OTHER_PEOPLES & set(requirements(file)) == set()


def test_the_installation_and_the_audit_insist_on_the_hashes_and_on_an_answer():
    """Kills an audit that says nothing where it could ask nobody: `--strict` makes that an error."""
    makefile = (PROJECT / "Makefile").read_text()
    assert re.search(r"pip sync .*--require-hashes", makefile)
    audit = next(line for line in makefile.splitlines() if "pip-audit" in line)
    assert {"--strict", "--require-hashes"} <= set(audit.split())
    assert not audit.strip().startswith("-")
    assert "||" not in audit
    assert "--require-hashes" in (PROJECT / "Dockerfile").read_text()
