"""How the label codec says a chunk of labels: five streams of small numbers.

Labels mostly equal their neighbours, so a voxel is guessed from two neighbours that come before it in C order: Z, the
same voxel in the section before, and U, the same voxel in the row before. Where Z = U the guess is Z, and nothing is
stored. Where they differ, one bit says which of the two it is. A voxel that equals neither is an exception: the mask of
its group of eight voxels has a bit for it, and a code names another neighbour that it equals, or says that its label is
the next in a list.

    GAPS     how many groups without exceptions come before each group with some, and after the last one; a byte each,
             and after a byte of 255 the next one is added
    MASKS    a byte for each group with exceptions: bit i for its voxel i
    CHOICES  a bit for each voxel that is no exception and whose Z and U differ, least significant first, then two bytes
             of 0. A bit of 1 means: not as expected. The choice of the voxel to the left is expected, if that is in the
             same group and had to choose, too. Else U is expected if U equals the voxel to the left of U, and Z if not
    CODES    a byte for each exception: the number of the neighbour that it equals (a column of `layout`), or 7
    LISTED   the label of the first voxel, then that of each exception with code 7

`plain/label_streams.py` says it as a program, with a worked example. In the first section the row before stands for Z,
and in the first row of a chunk the voxel before stands for both Z and U. Chunks do not look back into one another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

STREAMS = 4
GAPS, MASKS, CHOICES, CODES, LISTED = range(STREAMS + 1)
GROUP_VOX = 8
"""Voxels in a group: as many as a mask has bits, and MASKS stores a byte for a mask. All stored labels depend on it.

The passes compare a group at once, so they need vectors of as many voxels (`lanes.LANES`). A test holds that the two
are equal; where they are not, it is the passes that must change.
"""
LIST_CODE = 7
"""The code of an exception whose label is listed: one more than the columns of `layout` can say."""

Indices = npt.NDArray[np.uint64]


def capacities(voxels: int) -> npt.NDArray[np.int64]:
    """Bytes that encoding so many voxels may need for each stream but LISTED, (4,).

    For CODES it is half of the voxels and a group: labels with more exceptions do not fit, and are refused.
    """
    groups = voxels // GROUP_VOX + 4
    return np.array([groups + groups // 255 + 2, groups, groups + 3, voxels // 2 + GROUP_VOX], np.int64)


def layout(voxels: int, row: int, section: int) -> tuple[Indices, Indices]:
    """The index at which each of the three parts of a chunk begins, and its end, (4,); and distances in each, (3, 7).

    The parts are the first row, the rest of the first section, and all other sections; voxel 0 is in none. A distance
    is how many voxels back a neighbour lies: the voxel to the left, U, Z, and four more at the corners. `row` and
    `section` are the distances of U and Z: 1, or at least 8. Example: 30 voxels in rows of 8 and sections of 16 give
    1, 8, 16, 30; in the last part the distances are 1, 8, 16, 15, 7, 8, 7.
    """
    first = min(row, voxels)
    second = min(max(section, first), voxels)
    distances = []
    for up, before in ((1, 1), (row, row), (row, section)):
        corners = (before - 1, up - 1, before - up, before - up - 1)
        distances.append([1, up, before, *(max(distance, 1) for distance in corners)])
    return np.array([1, first, second, voxels], np.uint64), np.array(distances, np.uint64)
