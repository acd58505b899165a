"""Markers: the small sealed documents that say what is done.

An `ItemMarker` ends an item (a subvolume, a brick, all bodies), a `PhaseMarker` a phase. Both name artefacts by
key, size and SHA-256, so that a reader can tell whether it holds the bytes that were committed. `ITEM` and `PHASE` are
their stored forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from emseg.errors import PermanentError
from emseg.store.sealed import Form

Figures = Mapping[str, int | float | str]
"""Named figures of an item or a phase; finite numbers and text only."""

Size = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True)
class Artefact:
    """Bytes in the store as they were written: `size` in bytes, `sha256` as 64 hexadecimal digits.

    An artefact with an `index` is many small ones in one object, as `store.parts` joins them: its first `index` bytes
    say which, and `sha256` is of these bytes alone.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    name: str
    key: str
    size: Size
    sha256: Digest
    index: Size | None = None

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

    phase: str
    phase_key: str
    attempt: str
    items: Size
    content_digest: Digest
    manifest: Artefact
    results: Figures = field(default_factory=dict)


_COMPUTED_ANEW = "Run the phase again: what it marked is computed anew"
_OTHER_RELEASE = "Use the release that wrote it, or remove the folder of that phase to compute it anew"

ITEM = Form("item", ItemMarker, 4, _COMPUTED_ANEW, _OTHER_RELEASE)
PHASE = Form("phase", PhaseMarker, 4, _COMPUTED_ANEW, _OTHER_RELEASE)
