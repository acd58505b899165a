"""Markers: the small JSON objects that say what is done, and the checked bytes they are stored as.

An `ItemMarker` ends an item (a subvolume, a brick, all bodies), a `PhaseMarker` a phase. Both name artefacts by
key, size and SHA-256, so that a reader can tell whether it holds the bytes that were committed. Stored form:
`{"content": …, "kind": "item", "schema": 2, "sha256": …}`, keys sorted; `sha256` is that of the content's JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from emseg.errors import IntegrityError, PermanentError

SCHEMA = 2
"""Number of this stored form. A marker of any other number is refused, never guessed at."""

Figures = Mapping[str, int | float | str]
"""Named figures of an item or a phase; finite numbers and text only."""

Size = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Artefact:
    """Bytes in the store as they were written: `size` in bytes, `sha256` as 64 hexadecimal digits."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    name: str
    key: str
    size: Size
    sha256: Digest

    @classmethod
    def of(cls, name: str, key: str, data: bytes) -> Artefact:
        """The artefact that `data` under `key` is."""
        return cls(name, key, len(data), sha256(data).hexdigest())

    def holds(self, data: bytes) -> bool:
        """Whether `data` is what was written."""
        return len(data) == self.size and sha256(data).hexdigest() == self.sha256


@dataclass(frozen=True)
class ItemMarker:
    """One item of a phase is done: its artefacts and figures, and the attempt that was first."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)
    kind: ClassVar[str] = "item"

    phase: str
    phase_key: str
    item: str
    attempt: str
    artefacts: tuple[Artefact, ...]
    statistics: Figures = field(default_factory=dict)

    def artefact(self, name: str) -> Artefact:
        """The artefact called `name`; `PermanentError` where the item has none."""
        for artefact in self.artefacts:
            if artefact.name == name:
                return artefact
        raise PermanentError(
            "looking up an artefact",
            f"phase {self.phase}, item {self.item}, artefact {name}",
            f"the item has {', '.join(sorted(a.name for a in self.artefacts)) or 'none'}",
            "Ask for one of these, or have the phase write it",
        )


@dataclass(frozen=True)
class PhaseMarker:
    """A phase is done: `manifest` lists all item markers, `content_digest` compares two runs byte for byte."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)
    kind: ClassVar[str] = "phase"

    phase: str
    phase_key: str
    attempt: str
    items: Size
    content_digest: Digest
    manifest: Artefact
    results: Figures = field(default_factory=dict)


Marker = TypeVar("Marker", ItemMarker, PhaseMarker)


def marker_bytes(marker: ItemMarker | PhaseMarker) -> bytes:
    """Stored form of a marker; equal markers give equal bytes. `PermanentError` for figures JSON cannot keep."""
    kind: Any = type(marker)
    try:
        content = _json(_adapter(kind).dump_python(marker, warnings=False))
        rest = _json({"kind": marker.kind, "schema": SCHEMA, "sha256": _digest(content)})
        data = b'{"content":' + content + b"," + rest[1:]
        same = read_marker(kind, data, "the marker itself") == marker
    except (TypeError, ValueError, IntegrityError) as error:
        raise _unstorable(marker, str(error)) from error
    if not same:
        raise _unstorable(marker, "it reads back differently")
    return data


def read_marker(kind: type[Marker], data: bytes, address: str) -> Marker:
    """The marker stored as `data`. `PermanentError`: other schema; `IntegrityError`: damaged, or of another kind."""
    try:
        stored = json.loads(data)
        schema = stored["schema"]
        if isinstance(schema, int) and schema != SCHEMA:
            raise _other_schema(kind, address, schema)
        content = _json(stored["content"])
        if (stored["kind"], stored["sha256"]) != (kind.kind, _digest(content)):
            raise _malformed(kind, address, "kind or checksum is not as written")
        return cast("Marker", _adapter(cast("Any", kind)).validate_json(content))
    except ValidationError as error:
        fields = [".".join(map(str, e["loc"])) for e in error.errors(include_input=False, include_url=False)]
        raise _malformed(kind, address, f"wrong fields: {', '.join(fields[:5])}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _malformed(kind, address, f"not a marker's JSON ({type(error).__name__})") from None


def content_digest(markers: Iterable[ItemMarker]) -> str:
    """SHA-256 over sorted lines `item` and `item artefact sha256 size`: what was computed, by whomever, in any order.

    Two runs of a phase gave the same bytes exactly if their digests are equal.
    """
    lines = []
    for marker in markers:
        lines.append(f"{marker.item}\n")
        lines += [f"{marker.item} {a.name} {a.sha256} {a.size}\n" for a in marker.artefacts]
    return sha256("".join(sorted(lines)).encode()).hexdigest()


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _json(content: object) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def _malformed(kind: type, address: str, found: str) -> IntegrityError:
    return IntegrityError(
        f"reading a marker ({kind.__name__})", address, found, "Run the phase again: what it marked is computed anew"
    )


def _other_schema(kind: type, address: str, schema: int) -> PermanentError:
    return PermanentError(
        f"reading a marker ({kind.__name__})",
        address,
        f"schema {schema}, this release of emseg reads {SCHEMA}",
        "Use the release that wrote it, or remove that phase's folder to compute it anew",
    )


def _unstorable(marker: ItemMarker | PhaseMarker, found: str) -> PermanentError:
    return PermanentError(
        "writing a marker",
        f"{type(marker).__name__} {getattr(marker, 'item', getattr(marker, 'phase', ''))}",
        found,
        "Give figures as finite int or float or str, and artefacts as write_artefact returned them",
    )
