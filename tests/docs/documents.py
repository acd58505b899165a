"""The documents of the project as tests read them: headings, code, tables and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PATHS = (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?<=\n\n)(?:(?:    .*)?\n)*    .*\n")
"""Indented code stands behind an empty line; other indented lines continue an item of a list."""
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Document:
    """One Markdown file; `prose` is its text without fenced and indented code."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(PROJECT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def prose(self) -> str:
        return _INDENTED.sub("", _FENCE.sub("", self.text))

    @property
    def spans(self) -> list[str]:
        """What stands between backticks in the prose, on one line."""
        return [" ".join(span.split()) for span in _SPAN.findall(self.prose)]

    @property
    def links(self) -> list[str]:
        return _LINK.findall(_SPAN.sub("", self.prose))

    @property
    def anchors(self) -> set[str]:
        """What `#...` may name: headings in lower case, words joined by hyphens, as Git hosts make them."""
        headings = re.findall(r"^#+ (.*)$", _FENCE.sub("", self.text), re.MULTILINE)
        return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}

    @property
    def command_lines(self) -> list[str]:
        """Lines of indented code and of fences without a language, and code in the prose; without comments."""
        fenced = "\n".join(code for language, code in _FENCE.findall(self.text) if not language)
        indented = "\n".join(_INDENTED.findall(_FENCE.sub("", self.text)))
        lines = [*fenced.splitlines(), *indented.splitlines(), *self.spans]
        return [re.sub(r"\s+#.*$", "", line).strip() for line in lines]

    def rows(self, *header: str) -> list[list[str]]:
        """Rows of the one table whose header begins with these cells."""
        (only,) = self.tables(*header)
        return only

    def tables(self, *header: str) -> list[list[list[str]]]:
        """Rows of each table whose header begins with these cells."""
        lines = re.findall(r"(?:^\|.*\|$\n?)+", self.text, re.MULTILINE)
        tables = [[_cells(line) for line in table.splitlines()] for table in lines]
        return [table[2:] for table in tables if tuple(table[0][: len(header)]) == header]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


@cache
def document(name: str) -> Document:
    """The document `docs/NAME`, or the README."""
    return Document(PROJECT / name if name == "README.md" else PROJECT / "docs" / name)


def code(cell: str) -> list[str]:
    """What stands between backticks in a cell."""
    return _SPAN.findall(cell)


DOCUMENTS = tuple(Document(path) for path in PATHS)
GLOSSARY = [row for table in document("glossary.md").tables("word", "means", "in the code", "not") for row in table]
"""Rows of all tables of the glossary."""
BANNED = {word for row in GLOSSARY for word in code(row[3])}
"""What the glossary says is no name in the code."""
