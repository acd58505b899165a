"""What a person reads before the first write."""

from __future__ import annotations

import numpy as np
import pytest

from emseg.geometry import Box
from emseg.ingest import summary as rows
from emseg.ingest.arrays import ArrayVolume
from emseg.ingest.sources import SourceInfo
from emseg.ingest.summary import summary


def _rows(volume: np.ndarray) -> dict[str, str]:
    source = ArrayVolume(volume, "v.npy", SourceInfo("v.npy", "array", notes=("sections 3 to 9",)))
    box = Box.of_shape(volume.shape, (1, 2, 3))
    return dict(summary(source, box, "8 x 8 x 8 nm", "(1, 2, 3)", "node 3f2a, grayscale raw"))


def test_the_summary_tells_what_was_found_and_where_it_goes() -> None:
    volume = np.full((7, 8, 9), 5, np.uint16)
    volume[3, 4, 5] = 700
    told = _rows(volume)
    assert told["shape"] == "7 x 8 x 9 voxels, Z Y X, uint16"
    assert told["values"] == "5 to 700"
    assert told["note"] == "sections 3 to 9"
    assert told["goes to"].endswith("(1, 2, 3) to (8, 10, 12)")
    assert told["goes to"].startswith("node 3f2a")


def test_of_a_large_volume_a_sample_is_read_and_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills reading everything twice, and a range that is told as if it were that of the whole."""
    monkeypatch.setattr(rows, "SAMPLE_VOXELS", 27 * 4)
    volume = np.zeros((9, 12, 9), np.uint8)
    volume[4], volume[5] = 3, 9
    assert _rows(volume)["values"] == "0 to 3 in a sample of 11 % of the voxels"
