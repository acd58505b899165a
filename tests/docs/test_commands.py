"""Every command that a document or a message shows exists, with its options. Nothing is run and no server is asked."""

from __future__ import annotations

import ast
import re
import shlex
from functools import cache
from typing import Any

import pytest
import typer
from benchmarks.__main__ import BENCHMARKS
from tests.docs.defined import OWN, PROJECT, files, tree
from tests.docs.documents import DOCUMENTS, Document

from emseg.cli.on_demand import COMMANDS, loaded

MAKEFILE = (PROJECT / "Makefile").read_text()
TARGETS = set(re.findall(r"^(\w[\w-]*):", MAKEFILE, re.MULTILINE))
MAKE_VARIABLES = set(re.findall(r"\$\(([A-Z]+)\)", MAKEFILE))
USAGE_ERROR: Any = typer.BadParameter.__base__
PYTHON = re.compile(r"(?:\.venv/bin/)?python3? ")


def fault(line: str) -> str:
    """What is wrong with a line, if it is a command of this project; empty: nothing."""
    words = _words(line)
    if not words:
        return ""
    if words[0].removeprefix(".venv/bin/") == "emseg":
        return _fault_of_emseg(words[1:])
    if words[0] == "make":
        wrong = [w for w in words[1:] if w.partition("=")[0] not in (MAKE_VARIABLES if "=" in w else TARGETS)]
        return f"make has no {', '.join(wrong)}" if wrong else ""
    if PYTHON.match(line) and words[1:3] == ["-m", "benchmarks"]:
        wrong = [word for word in words[3:] if word not in BENCHMARKS]
        return f"there is no benchmark {', '.join(wrong)}" if wrong else ""
    if PYTHON.match(line) and words[1].endswith(".py"):
        return _fault_of_script(words[1], words[2:])
    return ""


def _words(line: str) -> list[str]:
    """The words of a line without the brackets around what may be left out; none where it is no command."""
    try:
        return shlex.split(line.replace("[", "").replace("]", ""))
    except ValueError:
        return []


def _fault_of_emseg(words: list[str]) -> str:
    if not words or words[0] == "--help":
        return ""
    if words[0] not in COMMANDS:
        return f"emseg has no command {words[0]}"
    command = _command(words[0])
    rest = words[1:]
    while hasattr(command, "commands") and rest:
        if rest[0] not in command.commands:
            return f"emseg {words[0]} has no command {rest[0]}"
        command, rest = command.commands[rest[0]], rest[1:]
    # A bare name in a sentence stands for the command; what is shown with words behind it must be complete.
    return _fault_of_options(command, rest) if rest else ""


@cache
def _command(name: str) -> Any:
    return loaded(name)


def _fault_of_options(command: Any, words: list[str]) -> str:
    parser = command.make_parser(command.context_class(command, info_name=command.name))
    try:
        values, left, _ = parser.parse_args(args=list(words))
    except USAGE_ERROR as error:
        return f"{command.name}: {error.format_message()}"
    missing = [p.name for p in command.params if p.param_type_name == "argument" and p.required and not values[p.name]]
    return f"{command.name}: too many words {left}" if left else f"{command.name} lacks {missing}" if missing else ""


def _fault_of_script(script: str, words: list[str]) -> str:
    file = PROJECT / script
    if not file.is_file():
        return f"there is no {script}"
    wrong = [word for word in words if word.startswith("--") and f'"{word}"' not in file.read_text()]
    return f"{script} has no {', '.join(wrong)}" if wrong else ""


@pytest.mark.parametrize("each", DOCUMENTS, ids=lambda each: each.name)
def test_every_command_of_a_document_exists(each: Document) -> None:
    """Kills a command that was renamed, and an option that it never had."""
    assert [f"{line}: {found}" for line in each.command_lines if (found := fault(line))] == []


def test_the_documents_show_commands_that_are_checked() -> None:
    """Kills a check that recognises no command."""
    lines = [line.removeprefix(".venv/bin/") for each in DOCUMENTS for line in each.command_lines]
    for first, least in (("emseg", 50), ("make", 15), ("python", 5)):
        assert sum(line.split(" ")[0] == first for line in lines) >= least, first


def test_every_command_of_emseg_is_shown_in_some_document() -> None:
    """Kills a command that nobody finds."""
    lines = {line.removeprefix(".venv/bin/") for each in DOCUMENTS for line in each.command_lines}
    shown = {words[1] for line in lines if (words := line.split())[:1] == ["emseg"] and len(words) > 1}
    assert shown >= set(COMMANDS)


@pytest.mark.parametrize(
    "wrong",
    [
        "emseg fly NAME",
        "emseg stitch unmake A B",
        "emseg run NAME --modell X",
        "emseg rollback NAME",
        "emseg status NAME OTHER",
        ".venv/bin/emseg train --data",
        "make demos",
        "make demo COLOUR=red",
        "python -m benchmarks speed",
        "python benchmarks/restitch.py FILE.npz --kernel 64",
    ],
)
def test_a_wrong_command_is_noticed(wrong: str) -> None:
    assert fault(wrong)


OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
OF_OTHERS = {"--conf", "--disableotmp", "--health", "--port", "--keep-alive", "--quiet", "--require-hashes"}
OF_OTHERS |= {"--only-binary", "--clear", "--no-install-recommends", "--skip-serve-logs", "--json"}
"""Options of programs that the code starts, or speaks of."""


@cache
def messages() -> tuple[tuple[str, str], ...]:
    """Every text in the code that a person may read as a message or a docstring, with its file; no style of pages."""
    found = ((file, node) for file in files(*OWN) for node in ast.walk(tree(file)))
    texts = ((file, node.value) for file, node in found if isinstance(node, ast.Constant))
    return tuple(
        (file.name, " ".join(text.split())) for file, text in texts if isinstance(text, str) and "var(--" not in text
    )


def test_options_that_messages_name_are_options_of_some_command() -> None:
    """Kills a remedy that names an option which no command has."""
    known = {word for name in COMMANDS for word in _options(_command(name))} | OF_OTHERS
    found = [(file, word) for file, text in messages() for word in OPTION.findall(text) if word not in known]
    assert found == []


def _options(command: Any) -> set[str]:
    if hasattr(command, "commands"):
        return set().union(*(_options(each) for each in command.commands.values()))
    return {word for parameter in command.params for word in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


def test_commands_that_messages_quote_exist() -> None:
    """Kills a remedy that sends a person to a command which is gone. Quoted are commands between backticks."""
    quoted = [(file, line) for file, text in messages() for line in re.findall(r"`(emseg [^`]*)`", text)]
    quoted = [(file, f"{line} X" if re.search(r" --[\w-]+$", line) else line) for file, line in quoted]
    assert len(quoted) > 10
    assert [(file, line, found) for file, line in quoted if (found := fault(line))] == []
