"""Mean linkage against scipy's, caution against a plain twin, and the worked examples of their docstrings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from emseg.segment.linkage import Caution, _Clusters, mean_linkage


def partition(labels) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == k).tolist()) for k in np.unique(labels)}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.2, 0.45, 0.6])
def test_on_a_complete_graph_it_is_the_average_linkage_of_scipy(seed, threshold):
    """Kills minimum linkage, unweighted means of parallel edges, and stale queue entries taken for new."""
    nodes = 30
    condensed = np.random.default_rng(seed).random(nodes * (nodes - 1) // 2)
    edges = np.column_stack(np.triu_indices(nodes, 1))
    expected = fcluster(linkage(condensed, "average"), threshold, "distance")
    found = mean_linkage(nodes, edges, condensed, np.ones(len(edges)), threshold)
    assert partition(found) == partition(expected)


def test_the_worked_example_holds():
    edges = np.array([[0, 1], [1, 2], [0, 2]])
    weight, size = np.array([0.1, 0.5, 0.9]), np.ones(3)
    assert mean_linkage(3, edges, weight, size, 0.6).tolist() == [0, 0, 2]
    assert mean_linkage(3, edges, weight, size, 0.71).tolist() == [0, 0, 0]


def test_large_faces_outweigh_small_ones():
    """Kills a mean over edges that forgets how many faces each has: (0.2 * 9 + 0.9) / 10 = 0.27."""
    edges = np.array([[0, 1], [1, 2], [0, 2]])
    found = mean_linkage(3, edges, np.array([0.1, 0.2, 0.9]), np.array([1.0, 9.0, 1.0]), 0.3)
    assert found.tolist() == [0, 0, 0]


def test_a_cluster_is_named_by_its_smallest_node_and_lonely_nodes_by_themselves():
    """Kills names that depend on the order of joining; edges may be given in either direction."""
    edges = np.array([[4, 3], [3, 1]])
    assert mean_linkage(6, edges, np.array([0.1, 0.2]), np.ones(2), 0.5).tolist() == [0, 1, 2, 1, 1, 5]


def test_the_order_of_equal_edges_does_not_matter():
    """Kills ties that are broken by the order of the input."""
    rng = np.random.default_rng(1)
    edges = np.column_stack(np.triu_indices(20, 1))
    weight = rng.integers(1, 4, len(edges)) / 10
    shuffled = rng.permutation(len(edges))
    size = np.ones(len(edges))
    first = mean_linkage(20, edges, weight, size, 0.19)
    assert np.array_equal(first, mean_linkage(20, edges[shuffled], weight[shuffled], size, 0.19))


def test_no_edges_join_nothing():
    assert mean_linkage(3, np.empty((0, 2), int), np.empty(0), np.empty(0), 1.0).tolist() == [0, 1, 2]


def a_graph(seed: int, nodes: int = 14):
    """Random edges of half of all pairs, and volumes from cubes of 20 nm to cubes of 900 nm."""
    rng = np.random.default_rng(seed)
    pairs = np.column_stack(np.triu_indices(nodes, 1))
    edges = pairs[rng.random(len(pairs)) < 0.5]
    return edges, rng.random(len(edges)) * 0.5, rng.integers(1, 50, len(edges)), np.exp(rng.uniform(9, 20, nodes))


def plainly(edges, weight, size, threshold, volume, small_nm) -> set[frozenset[int]]:
    """The definition: count anew what lies between each two clusters, and join the two where it counts least."""
    clusters = [frozenset([node]) for node in range(len(volume))]

    def counted(one: frozenset[int], other: frozenset[int]) -> float:
        between = [k for k, (a, b) in enumerate(edges) if (a in one and b in other) or (a in other and b in one)]
        if not between:
            return np.inf
        mean = (weight[between] * size[between]).sum() / size[between].sum()
        smaller = min(volume[list(side)].sum() for side in (one, other))
        return mean * max(1, smaller ** (1 / 3) / small_nm)

    while True:
        pairs = [(counted(a, b), i, j) for i, a in enumerate(clusters) for j, b in enumerate(clusters[:i])]
        least, i, j = min(pairs, default=(np.inf, 0, 0))
        if least >= threshold:
            return set(clusters)
        clusters[j] |= clusters.pop(i)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("small_nm", [40, 150, 500])
def test_caution_joins_what_the_definition_joins(seed, small_nm):
    """Kills volumes of single nodes in place of clusters, the larger side, and a queued weight that is never raised."""
    edges, weight, size, volume = a_graph(seed)
    found = mean_linkage(14, edges, weight, size, 0.3, Caution(volume, small_nm))
    assert partition(found) == plainly(edges, weight, size, 0.3, volume, small_nm)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.randoms())
def test_the_order_and_direction_of_edges_does_not_matter_to_caution(seed, random):
    """Kills a result that depends on which of two clusters takes in the other."""
    edges, weight, size, volume = a_graph(seed)
    order = list(range(len(edges)))
    random.shuffle(order)
    caution = Caution(volume, 150)
    first = mean_linkage(14, edges, weight, size, 0.3, caution)
    assert np.array_equal(first, mean_linkage(14, edges[order, ::-1], weight[order], size[order], 0.3, caution))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_caution_about_nothing_is_plain_mean_linkage(seed, digits):
    """Kills a rule that also moves small regions, and equal scores that rounding takes in another order.

    No cluster here is larger than 10 um.
    """
    edges, weight, size, volume = a_graph(seed, 40)
    weight = np.round(weight, digits)
    plain = mean_linkage(40, edges, weight, size, 0.3)
    assert np.array_equal(plain, mean_linkage(40, edges, weight, size, 0.3, Caution(volume, 10_000)))


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1), st.floats(10, 1000), st.floats(10, 1000), st.floats(1, 5))
def test_two_regions_that_join_also_join_where_either_is_smaller(weight, first_nm, second_nm, times):
    """Kills a rule that asks less of larger regions, and one that is moved by the larger side."""

    def join(first_nm: float, second_nm: float) -> bool:
        caution = Caution(np.array([first_nm, second_nm]) ** 3, 150)
        return mean_linkage(2, np.array([[0, 1]]), np.array([weight]), np.ones(1), 0.3, caution)[1] == 0

    if join(first_nm, second_nm):
        assert join(first_nm / times, second_nm)
        assert join(first_nm, second_nm / times)
    if first_nm <= second_nm:
        assert join(first_nm, second_nm) == join(first_nm, second_nm * times)


def test_the_worked_example_of_caution_holds():
    edges, weight, size = np.array([[0, 1], [2, 3]]), np.array([0.12, 0.12]), np.ones(2)
    caution = Caution(np.array([150.0, 900.0, 300.0, 900.0]) ** 3, 150)
    assert mean_linkage(4, edges, weight, size, 0.2, caution).tolist() == [0, 0, 2, 3]
    assert mean_linkage(4, edges, weight, size, 0.25, caution).tolist() == [0, 0, 2, 2]


def test_regions_that_grow_ask_for_more():
    """Kills volumes that stay as they were: 0 joins 1, 2 joins 3, and the two pairs are too large for the edge 1-2."""
    edges = np.array([[0, 1], [2, 3], [1, 2]])
    caution = Caution(np.full(4, 140.0**3), 150)
    weight = np.array([0.01, 0.02, 0.19])
    assert mean_linkage(4, edges, weight, np.ones(3), 0.2, caution).tolist() == [0, 0, 2, 2]
    assert mean_linkage(4, edges, weight, np.ones(3), 0.2).tolist() == [0, 0, 0, 0]


def test_bodies_as_large_as_a_brain_are_counted():
    """Kills volumes that overflow or lose their order: sides of 1 mm and 2 mm. A score of 0 always joins."""
    edges, caution = np.array([[0, 1], [1, 2]]), Caution(np.array([1e6, 2e6, 1e6]) ** 3, 150)
    assert mean_linkage(3, edges, np.array([1e-9, 0.0]), np.ones(2), 1e-4, caution).tolist() == [0, 0, 0]
    assert mean_linkage(3, edges, np.array([1e-7, 0.0]), np.ones(2), 1e-4, caution).tolist() == [0, 1, 1]


def test_a_join_asks_each_contact_again_only_when_it_is_its_turn(monkeypatch):
    """Kills queueing every contact of a grown cluster anew, which takes the square of the time: a star of 2000."""
    queued = []
    real = _Clusters.queued
    monkeypatch.setattr(_Clusters, "queued", lambda self, *edge: queued.append(edge) or real(self, *edge))
    edges = np.column_stack([np.zeros(2000, int), np.arange(1, 2001)])
    caution = Caution(np.full(2001, 200.0**3), 150)
    joined = mean_linkage(2001, edges, np.linspace(0.1, 0.2, 2000), np.ones(2000), 1.0, caution)
    assert (joined == 0).all()
    assert len(queued) <= 3 * 2000
