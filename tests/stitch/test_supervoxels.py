"""Supervoxels and contacts of a core, by hand and against plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.stitch.stitch_volumes import blobs

from emseg.geometry import Box
from emseg.stitch import contacts_of, supervoxels_of

BOUNDS = Box((0, 0, 0), (4, 4, 4))


def test_supervoxels_of_two_voxels_by_hand():
    """Cell 3 owns the box (0, 0, 2)-(1, 1, 4): label 7 at X 2, label 9 at X 3, which is the last of the volume."""
    core = Box((0, 0, 2), (1, 1, 4))
    found = supervoxels_of(np.array([[[7, 9]]], np.uint32), 3, core, BOUNDS)
    assert (found.supervoxel & 0xFFFFFF).tolist() == [7, 9]
    assert (found.supervoxel >> 24).tolist() == [3, 3]
    assert found.voxels.tolist() == [1, 1]
    low_z, low_y, high_x = 1, 4, 32
    assert found.faces.tolist() == [low_z | low_y, low_z | low_y | high_x]


def test_contact_areas_by_hand_on_thick_sections():
    """Label 1 below label 2 over one face across Z (4 x 8 nm2), and beside label 3 over one across X (40 x 4 nm2)."""
    labels = np.zeros((2, 1, 2), np.uint32)
    labels[0, 0], labels[1, 0] = (1, 3), (2, 0)
    contacts = contacts_of(labels, 0, (40.0, 4.0, 8.0))
    assert list(zip(contacts.first.tolist(), contacts.second.tolist(), contacts.area_nm2.tolist(), strict=True)) == [
        (1, 2, 32.0),
        (1, 3, 160.0),
    ]


@given(st.integers(0, 10_000))
def test_contacts_equal_those_of_plain_loops(seed):
    """Kills faces that are counted twice, along one axis only, or with the empty label."""
    labels = blobs((6, 7, 8), seed, bodies=9)
    contacts = contacts_of(labels, 0, (1.0, 1.0, 1.0))
    expected: dict[tuple[int, int], int] = {}
    for axis in range(3):
        low, high = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        for a, b in zip(low.ravel().tolist(), high.ravel().tolist(), strict=True):
            if a != b and a and b:
                key = (min(a, b), max(a, b))
                expected[key] = expected.get(key, 0) + 1
    found = zip(contacts.first.tolist(), contacts.second.tolist(), contacts.area_nm2.tolist(), strict=True)
    assert {(a, b): n for a, b, n in found} == expected


def test_an_empty_core_has_neither():
    nothing = np.zeros((3, 3, 3), np.uint32)
    assert len(supervoxels_of(nothing, 0, Box((0, 0, 0), (3, 3, 3)), BOUNDS)) == 0
    assert len(contacts_of(nothing, 0, (1.0, 1.0, 1.0))) == 0
