"""Labels that other programs save: what is an id goes through unchanged, and what is none is refused in words."""

from __future__ import annotations

import numpy as np
import pytest
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import MAX_LABEL, checked_labels


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<i4", ">i4", "i8", ">u8"])
def test_ids_of_any_integer_kind_go_through(dtype: str) -> None:
    """Kills a gate that looks at bytes: big-endian 1 is 72057594037927936 to it."""
    labels = checked_labels(np.array([0, 1, 100], dtype), "reading labels", "a file")
    assert labels.tolist() == [0, 1, 100]
    assert labels.dtype.kind == "u"
    assert labels.dtype.isnative


def test_the_largest_id_goes_through_and_an_empty_array_too() -> None:
    assert checked_labels(np.array([MAX_LABEL - 1], np.uint64), "", "").tolist() == [2**48 - 1]
    assert checked_labels(np.empty(0, np.int64), "", "").size == 0


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.array([-1, 5], np.int64), "0 there"),
        (np.array([-1, 5], ">i2"), "0 there"),
        (np.array([2**64 - 3], np.uint64), "0 there"),
        (np.array([MAX_LABEL], np.uint64), MAX_LABEL),
        (np.array([1.0, 2.0]), "whole numbers"),
        (np.array([np.nan]), "whole numbers"),
        (np.array([True]), "mask"),
        (np.array([1 + 2j]), "integers"),
        (np.array(["a"]), "integers"),
    ],
)
@pytest.mark.fault("F20")
def test_what_is_no_id_is_refused(labels: np.ndarray, told: str) -> None:
    """Kills advice to renumber: it would make one body of all that nobody labelled."""
    with refused(PermanentError, "reading labels", "a file", told) as error:
        checked_labels(labels, "reading labels", "a file")
    assert "renumber" not in str(error.value)
