"""The glossary: its names are in the code, and what it rules out is not."""

from __future__ import annotations

import ast
import re

import pytest
from tests.docs.defined import OWN, bound, files, has, path_of, tree
from tests.docs.documents import BANNED, GLOSSARY, code

NAMES = [name for row in GLOSSARY for name in code(row[2])]


def test_each_word_is_explained_once() -> None:
    words = [row[0].lower() for row in GLOSSARY]
    assert len(set(words)) == len(words) > 50
    assert all(row[1].endswith(".") for row in GLOSSARY)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_word_names_is_in_the_code(name: str) -> None:
    file, _, symbol = name.partition(":")
    path = path_of(file)
    assert path
    assert has(path, symbol)


def test_every_word_names_something_in_the_code() -> None:
    assert [row[0] for row in GLOSSARY if not code(row[2])] == []


def defined() -> set[str]:
    """Names of all modules, classes, functions, methods and constants of the code."""
    found = {file.stem for file in files(*OWN)}
    for file in files(*OWN):
        scopes = [node for node in ast.walk(tree(file)) if isinstance(node, ast.Module | ast.ClassDef)]
        found |= {name for scope in scopes for node in scope.body if not _imports(node) for name in bound(node)}
    return found


def _imports(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def test_words_that_the_glossary_rules_out_are_no_names_in_the_code() -> None:
    """Kills the second word for one thing when it comes back."""
    assert all(re.fullmatch(r"[A-Za-z_]+", word) for word in BANNED)
    assert {"Workplace", "StageFolder", "ChosenCell", "place"} <= BANNED
    assert BANNED & defined() == set()
