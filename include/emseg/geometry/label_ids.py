"""Labels from outside: one gate for ingestion, evaluation, training and steps.

Example: another program keeps -1 where nobody has labelled. As uint64 that would be 18446744073709551615, one huge
body, so it is refused, and the message says to write 0 there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from emseg.array_types import AnyLabels
from emseg.errors import PermanentError
from emseg.geometry.supervoxel_ids import MAX_LABEL


def checked_labels(labels: npt.NDArray[Any], doing: str, on: str) -> AnyLabels:
    """`labels` as unsigned integers in this machine's byte order, of the width that they came in.

    PermanentError for any other kind of number, for ids below 0, and for ids of 2^48 and above.
    """
    if labels.dtype.kind not in "ui":
        raise PermanentError(doing, on, f"the labels are {labels.dtype}", _remedy_for_kind(labels.dtype))
    if labels.size:
        least, greatest = int(labels.min()), int(labels.max())
        if least < 0:
            raise PermanentError(
                doing,
                on,
                f"labels run from {least} to {greatest}",
                "An id below 0 is how some programs mark voxels that nobody labelled. Write 0 there, which means "
                "background: labels[labels < 0] = 0",
            )
        if greatest >= MAX_LABEL:
            raise PermanentError(
                doing,
                on,
                f"labels run from {least} to {greatest}, emseg keeps ids below 2^48 = {MAX_LABEL}",
                "Ids close to 2^64 are how some programs mark voxels outside of the labelled region: write 0 there, "
                f"labels[labels >= {MAX_LABEL}] = 0. Where they are real bodies, give each another id below 2^48",
            )
    return labels.astype(labels.dtype.newbyteorder("=").str.replace("i", "u"), copy=False)


def _remedy_for_kind(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "b":
        return "A mask says where something is, not what. Give ids: skimage.measure.label(mask).astype('uint32')"
    if dtype.kind == "f":
        return (
            "Give whole numbers. Check that every voxel is one, write 0 where a voxel is NaN or below 0 (nobody "
            "labelled it), then use labels.astype('uint64')"
        )
    return "Give ids as integers from 0 (background) to 2^48 - 1"
