"""Pairs of labels are counted as Python and the plain twin count them, of any shape, dtype and number of pairs."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from tests.kernels.label_arrays import label_arrays

from emseg.kernels.label_pairs import count_pairs, count_touching
from emseg.kernels.plain import label_pairs as plain

LABELS = hnp.arrays(
    np.uint32, hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=20), elements=st.integers(0, 4)
)
SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=13)


@pytest.mark.parametrize(("dtype", "other"), [("u1", "u8"), ("u8", "u8"), ("i4", "u2")])
@settings(max_examples=50)
@given(data=st.data())
def test_pairs_are_those_of_the_twin(dtype, other, data):
    """Ids up to 2^64 - 1: kills a hash or an order of signed numbers, and a run that ends with one of its labels."""
    first = data.draw(label_arrays(SHAPES, dtype))
    second = data.draw(label_arrays(st.just(first.shape), other))
    for found, expected in zip(count_pairs(first, second), plain.count_pairs(first, second), strict=True):
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


@pytest.mark.parametrize("dtype", ["u4", "u8"])
@settings(max_examples=60)
@given(data=st.data())
def test_contacts_are_those_of_the_twin(dtype, data):
    """Kills the contact of a label with 0 or with itself, and a larger label that comes first."""
    labels, axis = data.draw(label_arrays(SHAPES, dtype)), data.draw(st.integers(0, 2))
    found, expected = count_touching(labels, axis), plain.count_touching(labels, axis)
    order = np.lexsort(found[1::-1])
    for each, its_twin in zip(found, expected, strict=True):
        np.testing.assert_array_equal(each[order], its_twin)
        assert each.dtype == its_twin.dtype


@settings(max_examples=200)
@given(LABELS, st.sampled_from([np.uint8, np.uint64]), st.integers(0, 2**32))
def test_pairs_at_the_same_voxels_are_those_of_a_plain_count(first, dtype, seed):
    """Kills runs cut or joined at groups of eight, a last voxel left out, and a dtype that loses large labels."""
    top = np.iinfo(dtype).max
    second = np.random.default_rng(seed).choice(np.array([0, 1, top], dtype), first.shape)
    a, b, voxels = count_pairs(first, second)
    assert list(zip(a.tolist(), b.tolist(), strict=True)) == sorted(zip(a.tolist(), b.tolist(), strict=True))
    found = dict(zip(zip(a.tolist(), b.tolist(), strict=True), voxels.tolist(), strict=True))
    assert found == Counter(zip(first.ravel().tolist(), second.ravel().tolist(), strict=True))


def plain_contacts(labels, axis):
    layers = np.moveaxis(labels, axis, 0)
    pairs = zip(layers[:-1].ravel().tolist(), layers[1:].ravel().tolist(), strict=True)
    return Counter((min(a, b), max(a, b)) for a, b in pairs if a != b and a and b)


def contacts(labels, axis):
    low, high, faces = count_touching(labels, axis)
    return dict(zip(zip(low.tolist(), high.tolist(), strict=True), faces.tolist(), strict=True))


@pytest.mark.parametrize("axis", [0, 1, 2])
@settings(max_examples=200)
@given(labels=LABELS)
def test_contacts_are_those_of_a_plain_count(axis, labels):
    """Kills faces counted around the end of a row or a section, and groups read past the end."""
    assert contacts(labels, axis) == plain_contacts(labels, axis)


@pytest.mark.parametrize("shape", [(3, 3, 5000), (40, 30, 30), (1, 1, 1), (5, 700, 2)])
def test_more_pairs_than_the_first_table_holds(shape):
    """Kills a table that is not doubled in time (it would never end), or loses what it counted before."""
    labels = np.random.default_rng(3).integers(0, 2**40, shape, np.uint64)
    for axis in range(3):
        assert contacts(labels, axis) == plain_contacts(labels, axis)
    a, b, voxels = count_pairs(labels, labels)
    np.testing.assert_array_equal(a, np.unique(labels))
    np.testing.assert_array_equal(a, b)
    assert voxels.sum() == labels.size


def test_strided_labels_are_counted_as_they_are():
    labels = np.random.default_rng(4).integers(0, 3, (20, 20, 20)).astype(np.uint32)[::2, ::-1, 3:]
    for axis in range(3):
        assert contacts(labels, axis) == plain_contacts(labels, axis)
