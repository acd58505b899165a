"""Tables whose columns are numpy arrays, and the Arrow tables that they are stored as.

A table is a frozen dataclass with one field a column. Example: a table of `first: Ids` and `shared: Counts` has
`len(table)` rows, `table.rows(table.shared > 50)` is a table of those above 50, `Table.joined(parts)` one of all parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emseg.codec.tables import described
from emseg.errors import IntegrityError

Column = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class ColumnTable:
    """Columns of equal length, one row an entry of each; a column may have axes of its own behind the first."""

    if TYPE_CHECKING:

        def __init__(self, *columns: Column) -> None:
            """The columns in the order of the fields; each table has an `__init__` of its own."""

    def __len__(self) -> int:
        return len(self.columns[0])

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns in the order of the fields."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def rows(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> Self:
        """The rows chosen by flags, an index array or a slice."""
        return type(self)(*(column[which] for column in self.columns))

    @classmethod
    def concatenated(cls, parts: Sequence[Self]) -> Self:
        """All rows of one or more tables, one table after the other."""
        return cls(*map(np.concatenate, zip(*(part.columns for part in parts), strict=True)))


@dataclass(frozen=True, eq=False)
class StoredTable(ColumnTable):
    """A table that is kept in the store: `SCHEMA` has its fields as columns, in their order."""

    SCHEMA: ClassVar[pa.Schema]
    ORDER: ClassVar[tuple[str, ...]] = ()
    """Fields that the rows of a joined table are sorted by, the first one first; none: the parts follow each other."""

    @classmethod
    def none(cls) -> Self:
        """A table without rows."""
        return cls.from_arrow(cls.SCHEMA.empty_table())

    @classmethod
    def joined(cls, parts: Iterable[Self]) -> Self:
        """All rows of `parts`, sorted by `ORDER`, so that the order of the parts does not matter."""
        table = cls.concatenated([cls.none(), *parts])
        keys = [getattr(table, name) for name in reversed(cls.ORDER)]
        return table.rows(np.lexsort(keys)) if keys else table

    def to_arrow(self) -> pa.Table:
        """Table of `SCHEMA`."""
        return pa.table(list(self.columns), schema=self.SCHEMA)

    @classmethod
    def from_arrow(cls, table: pa.Table, on: str = "") -> Self:
        """The rows of a table of `SCHEMA`, in its order; IntegrityError for other columns or types.

        The message names `on`, where the table was read from.
        """
        if not table.schema.equals(cls.SCHEMA):
            raise IntegrityError(
                f"reading a table of {cls.__name__}",
                on or f"{table.num_rows} rows",
                f"columns {described(table.schema)}, expected {described(cls.SCHEMA)}",
                "Set the object aside and compute its item again",
            )
        return cls(*(column.to_numpy() for column in table.columns))
