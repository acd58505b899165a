"""What `kernels/sorting.py` computes."""

from __future__ import annotations

import numpy as np

from emseg.array_types import Ids


def ascending(labels: Ids) -> Ids:
    """A sorted copy.

    >>> ascending(np.array([5, 2, 9, 2], np.uint64)).tolist()
    [2, 2, 5, 9]
    """
    return np.sort(labels)


def index_in(labels: Ids, label: int) -> int:
    """The index of a label in ascending labels that hold it.

    >>> index_in(np.array([2, 5, 9], np.uint64), 5)
    1
    """
    return int(np.searchsorted(labels, np.uint64(label)))
