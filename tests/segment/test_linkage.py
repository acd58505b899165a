"""Mean linkage against scipy's, and the worked example of its docstring."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from emseg.segment.linkage import mean_linkage


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
