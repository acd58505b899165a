"""The region graph: counts equal to plain loops, and to a new count after regions have joined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.segment.contact_features import contact_feature_names, contact_features
from emseg.segment.region_graph import BINS, region_graph

SIZE = (40.0, 4.0, 8.0)


def made(shape, labels, seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, labels + 1, shape, dtype=np.uint32), rng.integers(0, 256, shape, dtype=np.uint8)


def by_loops(labels, channel):
    """Faces across each axis and larger levels at them, for each pair of labels above 0."""
    faces, levels = {}, {}
    for voxel in np.ndindex(*labels.shape):
        for axis in range(3):
            other = tuple(p + (a == axis) for a, p in enumerate(voxel))
            if other[axis] == labels.shape[axis]:
                continue
            pair = tuple(sorted((int(labels[voxel]), int(labels[other]))))
            if pair[0] != pair[1] and pair[0] != 0:
                faces.setdefault(pair, [0, 0, 0])[axis] += 1
                levels.setdefault(pair, []).append(max(int(channel[voxel]), int(channel[other])))
    return faces, levels


@settings(max_examples=25)
@given(st.tuples(*[st.integers(1, 6)] * 3), st.integers(0, 60), st.integers(0, 10**6))
def test_contacts_are_those_of_plain_loops(shape, count, seed):
    """Kills faces counted twice, contacts of label 0, and a table of contacts that loses some when it grows."""
    labels, channel = made(shape, count, seed)
    graph = region_graph(labels, [("p", channel)], SIZE)
    faces, levels = by_loops(labels, channel)
    assert [tuple(edge) for edge in graph.edges.tolist()] == sorted(faces)
    for row, pair in enumerate(sorted(faces)):
        assert graph.faces[row].tolist() == faces[pair]
        bins = np.bincount([level * BINS // 256 for level in levels[pair]], minlength=BINS)
        assert graph.histograms[row, 0].tolist() == bins.tolist()
    sizes = np.bincount(labels.ravel(), minlength=graph.nodes)
    assert graph.node_places[1:, 0].tolist() == sizes[1:].tolist()


def test_a_table_of_many_contacts_grows():
    labels = np.arange(1, 40**2 * 3 + 1, dtype=np.uint32).reshape(3, 40, 40)
    graph = region_graph(labels, [("p", np.zeros(labels.shape, np.uint8))], SIZE)
    assert len(graph.edges) == 2 * 1600 + 3 * 2 * 40 * 39


@settings(max_examples=25)
@given(st.tuples(*[st.integers(2, 6)] * 3), st.integers(2, 30), st.integers(0, 10**6))
def test_joining_adds_up_to_a_new_count(shape, count, seed):
    """Kills sums that are lost or doubled when two contacts become one: the voxels are the oracle."""
    labels, channel = made(shape, count, seed)
    graph = region_graph(labels, [("p", channel)], SIZE)
    region_of = np.minimum(np.arange(graph.nodes), np.random.default_rng(seed).integers(1, count + 1, graph.nodes))
    region_of[0] = 0
    joined = graph.joined(region_of)
    recounted = region_graph(region_of[labels].astype(np.uint32), [("p", channel)], SIZE)
    assert np.array_equal(joined.edges, recounted.edges)
    for name in ("faces", "histograms", "contact_places"):
        assert np.allclose(getattr(joined, name), getattr(recounted, name)), name
    for name in ("node_sums", "node_places"):
        assert np.allclose(getattr(joined, name)[: recounted.nodes], getattr(recounted, name)), name


def test_areas_and_volumes_are_physical():
    """By hand: two voxels beside each other along Z share a face of 4 x 8 nm, along X one of 40 x 4 nm."""
    labels = np.array([[[1, 2]], [[3, 3]]], np.uint32)
    graph = region_graph(labels, [("p", np.zeros(labels.shape, np.uint8))], SIZE)
    area = dict(zip(map(tuple, graph.edges.tolist()), graph.contact_nm2.tolist(), strict=True))
    assert area == {(1, 2): 160.0, (1, 3): 32.0, (2, 3): 32.0}
    assert graph.voxel_nm3 == 1280.0


def test_features_have_names_are_finite_and_say_what_they_are_called():
    """By hand: slabs of 2 and 4 voxels, levels 64 and 192 at their contact."""
    labels = np.repeat(np.array([1, 1, 2, 2, 2, 2], np.uint32), 9).reshape(6, 3, 3)
    channel = np.full(labels.shape, 64, np.uint8)
    channel[2] = 192
    graph = region_graph(labels, [("p", channel)], (10.0, 10.0, 10.0))
    found = dict(zip(contact_feature_names(("p",)), contact_features(graph)[:, 0].tolist(), strict=True))
    assert all(np.isfinite(list(found.values())))
    assert found["p_mean"] == pytest.approx(192 / 256 + 0.5 / BINS)
    assert found["p_deviation"] == pytest.approx(0, abs=1e-6)
    assert found["p_difference"] == pytest.approx(32 / 255, abs=1e-4)
    assert found["contact_area"] == 900
    assert (found["smaller_volume"], found["larger_volume"]) == (18_000, 36_000)
    assert found["contact_share_of_smaller_surface"] == 1
    assert found["faces_across_z"] == 1


def test_a_graph_without_contacts_has_features_of_no_contact():
    graph = region_graph(np.ones((3, 3, 3), np.uint32), [("p", np.zeros((3, 3, 3), np.uint8))], SIZE)
    assert contact_features(graph).shape == (len(contact_feature_names(("p",))), 0)


@pytest.mark.parametrize("channel", [np.zeros((2, 2, 2), np.uint8), np.zeros((3, 3, 3), np.float32)])
def test_channels_of_another_shape_or_type_are_refused(channel):
    with refused(PermanentError, "channel p", f"{channel.dtype} {channel.shape}", "(3, 3, 3)"):
        region_graph(np.ones((3, 3, 3), np.uint32), [("p", channel)], SIZE)
