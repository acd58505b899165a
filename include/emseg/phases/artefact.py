"""What a phase leaves in the object store: its name, its codec and, for a table, its columns.

Each phase declares its artefacts in its own `artefacts.py`; `emseg.phases.catalogue` lists them all. Everything that is
written or read goes through one of these declarations, so writer and readers cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.codec import decode_array, decode_table, encode_labels, encode_table
from emseg.codec.column_table import StoredTable
from emseg.errors import IntegrityError
from emseg.store import Artefact, ItemMarker, PhaseFolder, ahead

T = TypeVar("T", bound=StoredTable)


@dataclass(frozen=True)
class LabelArtefact:
    """Labels of `dtype`, Z Y X, as `codec.encode_labels` keeps them. A name with NUMBER stands for several of them.

    An item has all of its labels in one artefact, of which each is a part.
    """

    name: str
    holds: str
    dtype: type[np.unsignedinteger[Any]] = np.uint32

    def numbered(self, number: int) -> LabelArtefact:
        """The one of several that has this number: `overlap-NUMBER` becomes `overlap-00000042`."""
        return replace(self, name=self.name.replace("NUMBER", f"{number:08d}"))

    def encoded(self, labels: npt.NDArray[Any]) -> bytes:
        """The labels as they are kept."""
        return encode_labels(labels.astype(self.dtype, copy=False))

    def read(self, folder: PhaseFolder, parts: Mapping[str, Artefact]) -> npt.NDArray[Any]:
        """The labels, of all that an item has; IntegrityError where bytes or dtype are not as written."""
        part = parts[self.name]
        labels = decode_array(folder.read_artefact(part))
        if labels.dtype != self.dtype:
            raise IntegrityError(
                "reading labels",
                f"{self.name} in {folder.store.address(part.key)}",
                f"they are {labels.dtype}, written are {np.dtype(self.dtype)}",
                f"Clear the task that runs phase {folder.phase}",
            )
        return labels


@dataclass(frozen=True)
class TableArtefact:
    """A table with the columns of `schema`, as `codec.encode_table` keeps it: Parquet.

    `level` and `page_checksums` are part of the stored form: with others, equal tables would have another digest.
    """

    name: str
    holds: str
    schema: pa.Schema
    level: int = 3
    page_checksums: bool = True

    def write(self, folder: PhaseFolder, item: str, table: pa.Table) -> Artefact:
        """Keep the table under the attempt of `folder`; it counts once the item is committed."""
        return folder.write_artefact(item, self.name, encode_table(table, self.level, self.page_checksums))

    def write_parts(self, folder: PhaseFolder, item: str, tables: Mapping[str, pa.Table]) -> Artefact:
        """Keep several tables as one artefact, of which each is a part under its name."""
        parts = {name: encode_table(table, self.level, self.page_checksums) for name, table in tables.items()}
        return folder.write_parts(item, self.name, parts)

    def read_part(self, folder: PhaseFolder, marker: ItemMarker, part: str) -> pa.Table:
        """One of those tables, checked as by `read`; no rows where there is none of that name."""
        parts = folder.parts(marker.artefact(self.name))
        if part not in parts:
            return self.schema.empty_table()
        return decode_table(folder.read_artefact(parts[part]), self.schema)

    def read(self, folder: PhaseFolder, marker: ItemMarker) -> pa.Table:
        """The table of a committed item, checksum and columns verified; IntegrityError where it is not as written."""
        return self.read_alone(folder, marker.artefact(self.name))

    def read_alone(self, folder: PhaseFolder, artefact: Artefact) -> pa.Table:
        """The same of a table that `write` returned."""
        return decode_table(folder.read_artefact(artefact), self.schema)

    def read_as(self, kind: type[T], folder: PhaseFolder, markers: Iterable[ItemMarker]) -> Iterator[T]:
        """The tables of several items as those of a class, in the order of the items; a few are read ahead."""
        return ahead(lambda marker: kind.from_arrow(self.read(folder, marker), marker.item), markers)

    def read_all(self, folder: PhaseFolder, markers: Iterable[ItemMarker]) -> pa.Table:
        """The tables of several items as one."""
        return pa.concat_tables([self.schema.empty_table(), *ahead(lambda marker: self.read(folder, marker), markers)])
