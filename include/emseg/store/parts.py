"""Small artefacts in one object: an index of them, then their bytes one after the other.

Example: subvolume 7 has labels of its core, and of its overlaps with 26 neighbours. They are one object. Its marker has
the SHA-256 of the index, and the index that of each part: so a neighbour takes one overlap out with two small requests,
and no byte counts that was not committed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate

from pydantic import TypeAdapter

from emseg.store.markers import Artefact, Digest, Size

_INDEX = TypeAdapter(list[tuple[str, Size, Digest]])


@dataclass(frozen=True)
class Part(Artefact):
    """An artefact that begins at byte `start` of the object under its key."""

    start: int = 0


def joined(name: str, key: str, parts: Mapping[str, bytes]) -> tuple[Artefact, bytes]:
    """The artefact that holds `parts`, by name, and its bytes."""
    rows = [(part, len(data), sha256(data).hexdigest()) for part, data in parts.items()]
    index = json.dumps(rows, separators=(",", ":")).encode()
    data = b"".join((index, *parts.values()))
    return Artefact(name, key, len(data), sha256(index).hexdigest(), len(index)), data


def index_of(artefact: Artefact) -> Part:
    """The index of such an artefact, as a part of it."""
    return Part(artefact.name, artefact.key, artefact.index or 0, artefact.sha256, None, 0)


def parts_of(artefact: Artefact, index: bytes) -> dict[str, Part]:
    """What an index lists, by name; `index` was verified."""
    rows = _INDEX.validate_json(index)
    starts = accumulate((size for _, size, _ in rows), initial=len(index))
    return {
        name: Part(name, artefact.key, size, digest, None, start)
        for (name, size, digest), start in zip(rows, starts, strict=False)
    }


def holds(artefact: Artefact, data: bytes) -> bool:
    """Whether `data` is what was written, also where the artefact has an index."""
    if artefact.index is None:
        return artefact.holds(data)
    index = data[: artefact.index]
    if len(data) != artefact.size or not index_of(artefact).holds(index):
        return False
    return all(part.holds(data[part.start : part.start + part.size]) for part in parts_of(artefact, index).values())
