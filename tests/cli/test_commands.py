"""The list of commands: complete, in the words of the commands themselves, and cheap to print."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.called import modules_after_calling, modules_after_loading

from emseg.cli.on_demand import COMMANDS, loaded
from emseg.errors import PermanentError

EMSEG = Path(sys.executable).parent / "emseg"

AT_WORK = """
import time
from emseg.cli import main
def works():
    try:
        print("at work", flush=True)
        time.sleep(60)
    finally:
        print("stopped its servers")
main.cli = works
main.app()
"""

LAPTOP = ("devstack", "demo")
HEAVY = ("numpy", "scipy", "numba", "pyarrow", "boto3", "requests", "zarr", "matplotlib", "great_expectations")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_summary_is_what_the_command_says_of_itself(name):
    """Kills a list of commands that drifts from them: another text, or a command that its module does not have."""
    first, *_ = loaded(name).help.split("\n\n")
    assert " ".join(first.split()) == COMMANDS[name][1]


def test_the_help_names_every_command():
    done = subprocess.run([EMSEG, "--help"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert set(COMMANDS) <= set(done.stdout.split())


def test_the_help_and_an_unknown_command_import_no_heavy_library():
    """Kills an `emseg --help` that takes seconds, because it compiles and connects what only a command needs."""
    for words in (["--help"], ["unknown"]):
        modules = modules_after_calling(*words)
        assert "typer" in modules
        assert modules.isdisjoint({*HEAVY, "emseg.devstack", "emseg.phases", "emseg.config"})


def test_an_unknown_command_is_a_usage_error():
    done = subprocess.run([EMSEG, "unknown"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "unknown" in done.stderr


def test_an_error_is_printed_as_it_is_with_the_exit_code_of_its_class():
    """Kills a message that is read as markup: `[/red]` would end the command with a traceback, `[red]` be left out."""
    for text in ("[/red]", "[red]"):
        command = [EMSEG, "plan", "demo", "--step-parameters", text]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == PermanentError.exit_code
        assert f"--step-parameters {text}" in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr


def test_a_command_that_is_told_to_end_stops_what_it_started():
    """Kills servers of a demo that outlive it, and a lease that the next run waits a minute for."""
    with subprocess.Popen([sys.executable, "-c", AT_WORK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "at work\n"
        process.terminate()
        assert process.communicate(timeout=30)[0] == "stopped its servers\n"
    assert process.returncode == 128 + signal.SIGTERM


def test_production_commands_are_loaded_without_the_devstack():
    """Kills a server's command line that needs what only a laptop has."""
    modules = modules_after_loading(*(name for name in COMMANDS if name not in LAPTOP))
    assert {"emseg.cli.runs", "emseg.cli.results", "emseg.cli.stitch"} <= modules
    assert not [module for module in modules if module.startswith("emseg.devstack")]
