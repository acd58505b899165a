"""What DVID holds beside what it should hold: the error that names the first row that differs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emseg.dvid.labels.labelmap import Labelmap
from emseg.errors import IntegrityError


def require_equal(labelmap: Labelmap, what: str, wanted: npt.NDArray[np.uint64], found: npt.NDArray[np.uint64]) -> None:
    """IntegrityError unless all rows of `found` are those of `wanted`, in the same order."""
    if np.array_equal(wanted, found):
        return
    shorter = min(len(wanted), len(found))
    different = np.flatnonzero((wanted[:shorter] != found[:shorter]).any(axis=1))
    row = int(different[0]) if len(different) else shorter
    wanted_row, found_row = wanted[row : row + 1].tolist(), found[row : row + 1].tolist()
    raise differs(
        labelmap,
        what,
        f"{len(found)} rows in DVID, {len(wanted)} were counted; the first that differs is {found_row} instead of "
        f"{wanted_row}",
    )


def differs(labelmap: Labelmap, what: str, found: str) -> IntegrityError:
    """The error of anything that DVID holds otherwise than it should."""
    return IntegrityError(
        f"checking {what}",
        f"{labelmap.instance!r} in node {labelmap.node.uuid}",
        found,
        "Try again; if it stays, something else writes to this node",
    )
