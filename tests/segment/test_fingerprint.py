"""Training voxels are recognised in any volume by content: whole, cut out, in a larger one; other voxels are not."""

from __future__ import annotations

import re

import numpy as np
import pytest

from emseg.geometry import Box
from emseg.segment.fingerprint import RUN_VOX, Fingerprints, fingerprints

GRAY = np.random.default_rng(3).integers(0, 256, (40, 90, 110), np.uint8)
TRAINED = Box((5, 10, 20), (37, 80, 100))
ALL = Box.of_shape(GRAY.shape)
MODEL = Fingerprints.of([np.ascontiguousarray(GRAY[TRAINED.slices()])])


@pytest.mark.parametrize("cut", [ALL, TRAINED, Box((8, 0, 30), (40, 50, 110)), Box((10, 20, 21), (30, 70, 99))])
def test_the_training_voxels_in_a_cut_are_found_to_the_voxel(cut):
    """Kills hashes of aligned tiles, positions counted from another voxel, and axes in X Y Z."""
    (found,) = MODEL.found_in(np.ascontiguousarray(GRAY[cut.slices()]))
    expected = TRAINED.clipped(cut)
    assert found.translated(cut.start) == expected


@pytest.mark.parametrize(
    "other",
    [
        np.random.default_rng(4).integers(0, 256, (40, 90, 110), np.uint8),
        np.ascontiguousarray(GRAY[:, :, 100:]),
        np.ascontiguousarray(GRAY[37:]),
        np.zeros((40, 90, 110), np.uint8),
    ],
)
def test_other_voxels_are_not_found(other):
    assert MODEL.found_in(other) == []


def test_blank_tissue_has_no_fingerprint():
    """Kills a match of padding with padding: most volumes have some, and each level has the same hash everywhere."""
    levels = np.arange(256, dtype=np.uint8)
    assert all(fingerprints(np.full((2, 3, 80), level, np.uint8)) == {} for level in levels)


def test_each_box_is_found_by_itself_and_in_a_damaged_copy_too():
    second = Box((0, 0, 0), (5, 90, 110))
    both = Fingerprints.of([np.ascontiguousarray(GRAY[box.slices()]) for box in (TRAINED, second)])
    damaged = GRAY.copy()
    damaged[:, ::9] = 0
    assert both.found_in(damaged) == [TRAINED, second]


def test_a_volume_narrower_than_a_run_has_no_fingerprint():
    assert fingerprints(np.ascontiguousarray(GRAY[:, :, : RUN_VOX - 1])) == {}


def test_about_one_voxel_in_4096_begins_a_fingerprint():
    """Kills a hash whose high bits follow the gray level: smooth tissue would have no fingerprint, or a million."""
    smooth = np.clip(128 + 40 * np.sin(np.indices((40, 90, 110)).sum(0) / 9) + GRAY / 64, 0, 255).astype(np.uint8)
    for gray in (GRAY, smooth):
        expected = 40 * 90 * (110 - RUN_VOX + 1) / 4096
        assert 0.6 * expected < len(fingerprints(gray)) < 1.5 * expected


def test_the_stored_form_has_the_names_that_models_in_stores_have():
    """Kills a renamed field: a model of an earlier emseg would be refused, and a new one would have another digest."""
    stored = MODEL.model_dump(mode="json")
    (box,) = stored["boxes"]
    assert box.keys() == {"shape", "marks"}
    assert re.fullmatch(r"[0-9a-f]+:\d+,\d+,\d+", box["marks"][0])
    assert Fingerprints.model_validate(stored) == MODEL
