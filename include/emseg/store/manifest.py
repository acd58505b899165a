"""The manifest of a phase: the markers of all its items, packed, in the order of the items.

Example: a phase of 10^6 items. As objects of Python its markers fill a gigabyte or more; packed by thousands, as LZ4
of JSON, a seventh of that (`python -m benchmarks resume` prints both). `Markers` holds them so, and unpacks a thousand
at a time. The stored manifest is one artefact, of which each pack is a part. Equal markers give equal bytes.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from itertools import chain, groupby, islice, pairwise
from operator import attrgetter, eq, itemgetter
from typing import overload

import lz4.frame
from pydantic import TypeAdapter, ValidationError

from emseg.errors import IntegrityError
from emseg.store.markers import ItemMarker

PACK = 1000
"""Markers of a pack; the last one may hold fewer. A part of the stored form, like the schema number of the markers."""

MAX_BYTES = 1 << 28
"""Largest pack after decompression, 250 kB a marker; a frame that holds more is refused."""

_ADAPTER = TypeAdapter(list[ItemMarker])
_by_item = attrgetter("item")


class Markers(Sequence[ItemMarker]):
    """Item markers in the order of their items, held packed."""

    def __init__(self, parts: Mapping[str, bytes], count: int, address: str = "memory") -> None:
        """`parts` are the packs, which are stored so, each under the name of its first item; `count` markers in all.

        All packs but the last hold `PACK` markers. `Markers.of` makes them.
        """
        self.parts, self._count, self._address = dict(parts), count, address
        self._packs = tuple(self.parts.values())
        self._unpacked: tuple[int, list[ItemMarker]] = (-1, [])

    @classmethod
    def of(cls, markers: Iterable[ItemMarker]) -> Markers:
        """Markers in any order. Those that come in the order of their items are never all unpacked at once."""
        runs = [list(_packed(group)) for _, group in groupby(_numbered_runs(markers), itemgetter(0))]
        if len(runs) != 1:
            unpacked = (chain.from_iterable(_read(pack, "memory") for _, pack, _ in run) for run in runs)
            runs = [list(_packed((0, marker) for marker in heapq.merge(*unpacked, key=_by_item)))]
        (run,) = runs
        return cls({first: pack for first, pack, _ in run}, sum(count for _, _, count in run))

    @classmethod
    def joined(cls, *several: Markers) -> Markers:
        """All of them, in the order of their items. What is in order already, in full packs, is taken as it is."""
        some = sorted((markers for markers in several if len(markers)), key=lambda each: next(iter(each.parts)))
        if not all(one._ends_before(other) for one, other in pairwise(some)):
            return cls.of(chain.from_iterable(some))
        parts = {first: pack for markers in some for first, pack in markers.parts.items()}
        return cls(parts, sum(map(len, some)))

    @classmethod
    def stored(cls, parts: Mapping[str, bytes], address: str) -> Markers:
        """The markers of a stored manifest, whose checksums were verified; `IntegrityError` where it is none."""
        counts = [len(_read(pack, address)) for pack in list(parts.values())[-1:]]
        return cls(parts, PACK * max(len(parts) - 1, 0) + sum(counts), address)

    def _ends_before(self, other: Markers) -> bool:
        """Whether the packs of `other` may be put behind these."""
        if len(self) % PACK:
            return False
        *_, last = _read(self._packs[-1], self._address)
        return last.item < next(iter(other.parts))

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[ItemMarker]:
        return chain.from_iterable(map(partial(_read, address=self._address), self._packs))

    @overload
    def __getitem__(self, index: int) -> ItemMarker: ...

    @overload
    def __getitem__(self, index: slice) -> list[ItemMarker]: ...

    def __getitem__(self, index: int | slice) -> ItemMarker | list[ItemMarker]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number, place = divmod(range(len(self))[index], PACK)
        if self._unpacked[0] != number:
            self._unpacked = (number, _read(self._packs[number], self._address))
        return self._unpacked[1][place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]


def sums(markers: Iterable[ItemMarker], names: Sequence[str]) -> dict[str, int]:
    """Sums of whole numbers that the items counted, by name, in one pass."""
    total = dict.fromkeys(names, 0)
    for marker in markers:
        for name in names:
            total[name] += int(marker.statistics[name])
    return total


def content_digest(markers: Iterable[ItemMarker]) -> str:
    """SHA-256 over lines `item`, then sorted ones `item artefact sha256 size`, item by item: what was computed.

    By whomever and in whatever order: two runs of a phase gave the same bytes exactly if their digests are equal.
    """
    ordered = markers if isinstance(markers, Markers) else sorted(markers, key=_by_item)
    digest = sha256()
    for marker in ordered:
        lines = sorted(f"{marker.item} {each.name} {each.sha256} {each.size}\n" for each in marker.artefacts)
        digest.update("".join((f"{marker.item}\n", *lines)).encode())
    return digest.hexdigest()


def _numbered_runs(markers: Iterable[ItemMarker]) -> Iterator[tuple[int, ItemMarker]]:
    """Each marker with the number of its run; a run ends where the next item comes before the last one."""
    run, last = 0, ""
    for marker in markers:
        run += marker.item < last
        last = marker.item
        yield run, marker


def _packed(numbered: Iterable[tuple[int, ItemMarker]]) -> Iterator[tuple[str, bytes, int]]:
    """Packs, each with its first item, and how many markers it holds."""
    markers = (marker for _, marker in numbered)
    while some := list(islice(markers, PACK)):
        content = json.dumps(_ADAPTER.dump_python(some), sort_keys=True, separators=(",", ":"), allow_nan=False)
        yield some[0].item, bytes(lz4.frame.compress(content.encode())), len(some)


def _read(pack: bytes, address: str) -> list[ItemMarker]:
    decompressor = lz4.frame.LZ4FrameDecompressor()
    try:
        content = decompressor.decompress(pack, max_length=MAX_BYTES)
        if decompressor.eof and not decompressor.unused_data:
            return _ADAPTER.validate_json(content)
    except (RuntimeError, ValidationError) as error:
        raise _damaged(address, f"it does not read as item markers ({type(error).__name__})") from None
    raise _damaged(address, "it is not one LZ4 frame")


def _damaged(address: str, found: str) -> IntegrityError:
    return IntegrityError("reading a manifest", address, found, "Run the phase again: it lists its items anew")
