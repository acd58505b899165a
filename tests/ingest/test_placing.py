"""The file's word and the option's: used where one speaks, refused where they contradict each other."""

from __future__ import annotations

import pytest
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.ingest.placing import offset_of, placed
from emseg.ingest.sources import SourceInfo

CREMI = SourceInfo("cremi.h5", "HDF5", (40.0, 4.0, 4.0), (160.0, 64.0, 64.0))
SILENT = SourceInfo("v.npy", "array")
FLAT = SourceInfo("v.tif", "TIFF", (None, 4.0, 4.0))


@pytest.mark.parametrize(
    ("info", "options", "size", "offset"),
    [
        (CREMI, (None, None), (40, 4, 4), (4, 16, 16)),
        (CREMI, ((40, 4, 4), (4, 16, 16)), (40, 4, 4), (4, 16, 16)),
        (CREMI, ((40.001, 4, 4), None), (40.001, 4, 4), (4, 16, 16)),
        (CREMI, ((4, 4, 40), (1, 2, 3), True), (4, 4, 40), (1, 2, 3)),
        (CREMI, ((80, 8, 8), None, True), (80, 8, 8), (2, 8, 8)),
        (SILENT, ((8, 8, 8), None), (8, 8, 8), (0, 0, 0)),
        (SILENT, ((8, 8, 8), (1, 2, 3)), (8, 8, 8), (1, 2, 3)),
        (FLAT, ((40, 4, 4), None), (40, 4, 4), (0, 0, 0)),
    ],
)
def test_who_speaks_is_heard(info: SourceInfo, options: tuple, size: tuple, offset: tuple) -> None:
    """Kills an offset in nm taken for voxels, and labels of CREMI at the origin."""
    place = placed(info, *options)
    assert (place.voxel_size_nm, tuple(place.offset)) == (size, offset)


@pytest.mark.parametrize(
    ("info", "options", "found"),
    [
        (CREMI, ((4, 4, 40), None), ("40 x 4 x 4 nm", "4 x 4 x 40 nm", "--overrule-file")),
        (CREMI, ((40, 4, 4), (0, 0, 0)), ("(4, 16, 16)", "(0, 0, 0)", "--overrule-file")),
        (CREMI, ((400, 4, 4), None, True), ("(160.0, 64.0, 64.0)", "between")),
        (FLAT, ((4, 4, 40), None), ("? x 4 x 4", "4 x 4 x 40")),
        (FLAT, (None, None), ("? x 4 x 4", "--voxel-size-nm")),
        (SILENT, (None, None), ("--voxel-size-nm",)),
        (SILENT, ((8e-9, 8e-9, 8e-9), None), ("metres",)),
        (SILENT, ((8, 8, 8), (0, -1, 0)), ("(0, -1, 0)",)),
        (SourceInfo("v.h5", "HDF5", (8, 8, 8), (0, 0, -16)), (None, None), ("(0, 0, -2)", "--overrule-file")),
    ],
)
def test_contradictions_are_refused_with_both_sides(info: SourceInfo, options: tuple, found: tuple[str, ...]) -> None:
    """Kills the file's word or the option's ignored in silence."""
    with refused(PermanentError, info.address, *found):
        placed(info, *options)


def test_a_mask_needs_a_size_only_where_its_file_tells_a_place() -> None:
    assert tuple(offset_of(SILENT, None, None)[0]) == (0, 0, 0)
    nowhere = SourceInfo("roi.h5", "HDF5", None, (80.0, 0.0, 0.0))
    with refused(PermanentError, "roi.h5", "(80.0, 0.0, 0.0)", "--overrule-file"):
        offset_of(nowhere, None, None)
    assert tuple(offset_of(nowhere, None, (2, 0, 0), True)[0]) == (2, 0, 0)
