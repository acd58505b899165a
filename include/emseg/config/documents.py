"""Documents from outside, as text: YAML and JSON, read strictly, so that nothing in a file is dropped or guessed.

Example: a dataset file that gives `gate` twice is refused with both lines; YAML alone would take the second one. Every
YAML file that emseg reads, and every JSON text that a person may have written, goes through this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from emseg.errors import PermanentError

MOST_BYTES = 1 << 20
"""Largest YAML file; 40000 preserved bodies take half of it."""
MOST_JSON_BYTES = 64 << 20
"""Largest JSON text: three times as much as all edits that one segmentation may have."""
MOST_VALUES = 200_000
"""Values of a document, with those of every alias counted again."""

Place = tuple[str | int, ...]
"""Where a value stands: `("gate", "vi_merge_max")`."""

_WIDE = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_AS_UTF8 = "Save the file as UTF-8"
_PLAIN_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
# What Python raises for a value that its tag does not fit, e.g. `!!bool maybe`, or 2026-13-45.
_MISFITS = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class Document:
    """What a document says, and in which line each of its values begins."""

    value: Any
    lines: Mapping[Place, int]


def yaml_document(file: Path, doing: str) -> Document:
    """The contents of a YAML file; PermanentError, with the line, for whatever is not plainly one document.

    Refused are files that are no UTF-8, keys that come twice, numbers that YAML reads as octal, anchors that make a
    small file a huge document, and files above `MOST_BYTES`. A byte-order mark and Windows line ends do not matter.
    """
    text = _text(file, doing)
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if root is None:
            raise PermanentError(doing, file.name, "the file holds nothing", "Write the fields")
        walk = _Walk(doing, file.name)
        walk.count(root, ())
        return Document(loader.construct_document(root), walk.lines)
    except yaml.YAMLError as error:
        remedy = "YAML wants spaces where the file has tabs" if "\t" in text else "Correct the file"
        raise PermanentError(doing, file.name, f"not YAML: {error}", remedy) from None
    except RecursionError:
        raise PermanentError(doing, file.name, "it is nested too deeply", "Correct the file") from None
    except _MISFITS as error:
        raise PermanentError(doing, file.name, f"a value cannot be read: {error}", "Put text in quotes") from None


def json_document(data: bytes | str, doing: str, on: str) -> Any:
    """The value of a JSON text; PermanentError for other text, a key that comes twice, and a number that is none."""
    if len(data) > MOST_JSON_BYTES:
        raise _refused_json(doing, on, f"it has {len(data)} bytes, more than {MOST_JSON_BYTES}")
    try:
        text = data if isinstance(data, str) else data.decode()
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
    except RecursionError:
        raise _refused_json(doing, on, "it is nested too deeply") from None
    except ValueError as error:
        raise _refused_json(doing, on, f"it is no JSON: {error}") from None


@dataclass
class _Walk:
    """One pass over the nodes of a YAML document, before any value is made of them."""

    doing: str
    on: str
    lines: dict[Place, int] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)
    _open: set[int] = field(default_factory=set)

    def count(self, node: yaml.Node, place: Place) -> int:
        """Values of the node and below it. A node that several aliases name is walked once and counted each time."""
        self.lines.setdefault(place, node.start_mark.line + 1)
        known = id(node)
        if known in self._open:
            raise self._refused(node, "an anchor contains itself", "Write the values out")
        if known not in self._counts:
            self._open.add(known)
            self._counts[known] = 1 + self._inner(node, place)
            self._open.remove(known)
        if self._counts[known] > MOST_VALUES:
            raise self._refused(node, f"more than {MOST_VALUES} values begin here", "Write a shorter file")
        return self._counts[known]

    def _inner(self, node: yaml.Node, place: Place) -> int:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return sum(self.count(item, (*place, number)) for number, item in enumerate(node.value))
        if node.tag == "tag:yaml.org,2002:int" and not _PLAIN_INTEGER.fullmatch(node.value):
            found = f"YAML reads {node.value:.40} as another number than its digits say (octal, base 60, hex, `_`)"
            raise self._refused(node, found, "Write the number in plain digits; put text in quotes")
        return 0

    def _mapping(self, node: yaml.MappingNode, place: Place) -> int:
        seen: dict[str, int] = {}
        total = 0
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self._refused(key, "a key is no name", "Give names before the colons")
            line = key.start_mark.line + 1
            if key.value in seen:
                whole = ".".join(map(str, (*place, key.value)))
                raise self._refused(key, f"{whole} is given twice, first in line {seen[key.value]}", "Keep one of them")
            seen[key.value] = line
            self.lines.setdefault((*place, key.value), line)
            total += 1 + self.count(value, (*place, key.value))
        return total

    def _refused(self, node: yaml.Node, found: str, remedy: str) -> PermanentError:
        return PermanentError(self.doing, f"{self.on}, line {node.start_mark.line + 1}", found, remedy)


def _text(file: Path, doing: str) -> str:
    """The text of a file in UTF-8, with or without a byte-order mark."""
    try:
        if not file.is_file():
            raise PermanentError(doing, str(file), "it is no file", "Name a file")
        if file.stat().st_size > MOST_BYTES:
            found = f"it has {file.stat().st_size} bytes, more than {MOST_BYTES}"
            raise PermanentError(doing, file.name, found, "Check that it is the right file")
        data = file.read_bytes()
    except OSError as error:
        raise PermanentError(doing, str(file), f"it cannot be read: {error.strerror}", "Check its rights") from None
    if data[:2] in _WIDE or b"\0" in data:
        raise PermanentError(doing, file.name, "it is UTF-16 or no text, not UTF-8", _AS_UTF8)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = f"byte 0x{data[error.start]:02x} is not UTF-8; perhaps the file is Latin-1 (Windows-1252)"
        raise PermanentError(doing, f"{file.name}, line {line}", found, _AS_UTF8) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise ValueError(f"{twice!r} is given twice")
    return made


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _no_number(text)


def _refused_json(doing: str, on: str, found: str) -> PermanentError:
    return PermanentError(doing, on, found, "Give one JSON document, with each name once")
