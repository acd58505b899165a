"""Building the server programs: once, under a lock, by content; a failed build says why."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from subprocess import run

import pytest
from tests.refusals import refused

from emseg.devstack.tools import DVID, VERSITYGW, Tool, built
from emseg.errors import PermanentError

PROGRAM = 'package main\n\nfunc main() { println("it runs") }\n'


@pytest.fixture
def greeter(tmp_path: Path) -> Tool:
    """A program of one line, to build for real in a second or two."""
    sources = tmp_path / "sources"
    sources.mkdir()
    (sources / "go.mod").write_text("module greeter\n\ngo 1.25\n")
    (sources / "main.go").write_text(PROGRAM)
    return Tool("greeter", "v1", sources, ".", cgo=False, flags=())


@pytest.mark.services
def test_two_builds_at_once_make_one_working_program(greeter: Tool, tmp_path: Path) -> None:
    """Kills: two builders writing one file; a build in place that a caller can see half written."""
    tools = tmp_path / "tools"
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: built(greeter, tools), range(2))
    assert first == second
    assert run([str(first)], capture_output=True, text=True, check=True).stderr == "it runs\n"
    assert not list(tools.glob("*.partial"))
    age = first.stat().st_mtime_ns
    assert built(greeter, tools).stat().st_mtime_ns == age


@pytest.mark.services
def test_failed_build_shows_what_the_compiler_said_and_leaves_no_program(greeter: Tool, tmp_path: Path) -> None:
    """Kills: a failed build taken for a program, now or at the next call."""
    (greeter.sources / "main.go").write_text("package main\n\nfunc main() { undefined_name() }\n")
    for _ in range(2):
        with refused(PermanentError, "greeter", "undefined_name"):
            built(greeter, tmp_path / "tools")


def test_name_of_a_program_changes_with_each_input(greeter: Tool) -> None:
    """Kills: an old program served for a new source, module hash, flag or C setting."""
    names = [greeter.file_name, replace(greeter, flags=("-race",)).file_name, replace(greeter, cgo=True).file_name]
    for file in ("main.go", "go.mod", "go.sum"):
        with (greeter.sources / file).open("a") as stream:
            stream.write("// changed\n")
        names.append(greeter.file_name)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("tool", [DVID, VERSITYGW], ids=lambda tool: tool.name)
def test_every_module_is_pinned_by_hash(tool: Tool) -> None:
    """Kills: a version named here that is not the one built, and a `go.sum` without its hash."""
    module = {"dvid": "github.com/janelia-flyem/dvid", "versitygw": "github.com/versity/versitygw"}[tool.name]
    assert f"{module} {tool.version}" in (tool.sources / "go.mod").read_text()
    assert f"{module} {tool.version} h1:" in (tool.sources / "go.sum").read_text()


def test_s3_server_is_the_one_whose_races_were_tested() -> None:
    """Kills: another versitygw under the same name; the hash is that of the tested build."""
    expected = "github.com/versity/versitygw v1.8.0 h1:au+wI+aybno/STsQiSm35Uu6Q6iK5MWReQxgO6SEMFc="
    assert expected in (VERSITYGW.sources / "go.sum").read_text().splitlines()


@pytest.mark.services
def test_changed_module_hash_is_refused(tmp_path: Path) -> None:
    """Kills: a build that takes whatever the network gives (`-mod=mod`, no go.sum)."""
    sources = tmp_path / "versitygw"
    shutil.copytree(VERSITYGW.sources, sources)
    sums = (sources / "go.sum").read_text().replace("v1.8.0 h1:au+wI", "v1.8.0 h1:au+wJ")
    (sources / "go.sum").write_text(sums)
    with refused(PermanentError, "versitygw", "checksum mismatch"):
        built(replace(VERSITYGW, sources=sources), tmp_path / "tools")
