"""Looking ids up in an ascending array of ids: several times as fast as a hash of millions of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emseg.array_types import Flags, Ids


def find(ids: Ids, ascending: Ids) -> tuple[npt.NDArray[np.intp], Flags]:
    """For each of `ids` (any shape) an index into `ascending`, and whether it is there; both of the shape of `ids`.

    The index of an id that is not there means nothing, but is inside `ascending` unless that is empty. Worked example:
    7 and 5 in 2 5 9 give the indices 2 and 1, and False and True.
    """
    if len(ascending) == 0:
        return np.zeros(ids.shape, np.intp), np.zeros(ids.shape, bool)
    index = np.minimum(np.searchsorted(ascending, ids), len(ascending) - 1)
    return index, ascending[index] == ids


def is_among(ids: Ids, ascending: Ids) -> Flags:
    """Which of `ids` (any shape) are in `ascending`."""
    return find(ids, ascending)[1]


def find_pairs(pairs: tuple[Ids, Ids], known: tuple[Ids, Ids]) -> tuple[npt.NDArray[np.intp], Flags]:
    """For each pair of ids an index into the `known` pairs, and whether it is there; both may come in any order.

    The index of a pair that is not there is 0. Worked example: pairs (7, 1) and (5, 2) in (9, 9), (5, 2) give the
    indices 0 and 1, and False and True.
    """
    count = len(known[0])
    first, second = (np.concatenate(sides) for sides in zip(known, pairs, strict=True))
    order = np.lexsort((second, first))  # stable: of equal pairs the known one comes first
    first, second = first[order], second[order]
    new = np.ones(len(order), bool)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    begins = order[np.flatnonzero(new)][np.cumsum(new) - 1]
    row = np.empty(len(order), np.intp)
    row[order] = begins
    found: Flags = row[count:] < count
    return np.where(found, row[count:], 0), found
