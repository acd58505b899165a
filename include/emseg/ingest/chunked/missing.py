"""How many chunks of a volume are not there. Every format takes a missing chunk for one full of the fill value.

A writer that was stopped leaves the same gaps as one that saves nothing for empty chunks, so a person must decide. What
is listed counts for the summary; the reader itself refuses each missing chunk, on stores that cannot list, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import prod

import tensorstore

from emseg.ingest.chunked.guard import EMPTY_REMEDY, told_in_words
from emseg.ingest.chunked.layout import Layout
from emseg.ingest.chunked.location import CONTEXT
from emseg.ingest.sources import refuse_source

MOST_LISTED = 500_000
"""Chunks up to which they are listed: 500 requests to an object store, about 100 MB of names."""


def missing_note(layout: Layout, chunks: int, accept_missing: bool) -> str:
    """A remark on missing chunks, `""` where all are there; PermanentError for missing ones that nobody accepted."""
    there = _chunks_there(layout, chunks)
    if there is None:
        told = "empty" if accept_missing else "an error when it is read"
        return f"{chunks} chunks were not counted; a missing one is {told}"
    if there >= chunks:
        return ""
    found = f"{chunks - there} of {chunks} chunks are not there"
    if not accept_missing:
        raise refuse_source(str(layout.location), found, EMPTY_REMEDY)
    return f"{found}, taken as empty"


def _chunks_there(layout: Layout, chunks: int) -> int | None:
    if layout.is_chunk is None or chunks > MOST_LISTED or layout.location.root.startswith("http"):
        return None  # web servers list nothing
    with told_in_words(str(layout.location)):
        where = (layout.chunks or layout.location).kvstore()
        keys = tensorstore.KvStore.open(where, context=CONTEXT).result().list().result()
    return sum(layout.is_chunk(key.decode(errors="replace")) for key in keys)


def grid_key(prefix: str, separator: str, grid: Sequence[int]) -> Callable[[str], bool]:
    """Whether a key is that of a chunk in a grid: `c/0/12/3` with prefix `c/`, separator `/` and a grid of 1, 13, 4."""
    pattern = re.compile(re.escape(prefix) + re.escape(separator).join([r"(0|[1-9]\d*)"] * len(grid)))

    def is_chunk(key: str) -> bool:
        found = pattern.fullmatch(key)
        return found is not None and all(int(at) < count for at, count in zip(found.groups(), grid, strict=True))

    return is_chunk


def grid_of(shape: Sequence[int], chunk: Sequence[int]) -> list[int]:
    """Chunks along each axis."""
    return [-(-length // max(edge, 1)) for length, edge in zip(shape, chunk, strict=True)]


def chunks_of(shape: Sequence[int], chunk: Sequence[int]) -> int:
    """Chunks of a volume."""
    return prod(grid_of(shape, chunk))
