"""Skeletons from SWC text."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from tests.refusals import refused

from emseg.codec.swc import read_swc
from emseg.errors import PermanentError

NM = (1.0, 1.0, 1.0)


def test_positions_are_turned_to_zyx_and_to_nm() -> None:
    """Kills X Y Z kept, and one unit for all axes."""
    found = read_swc(b"1 0 3 2 1 5 -1\n2 0 3 2 4 5 1\n", (40.0, 8.0, 4.0), "a.swc")
    np.testing.assert_array_equal(found.nodes_nm, [[40, 16, 12], [160, 16, 12]])
    assert (found.edges.tolist(), found.lengths_nm.tolist()) == ([[0, 1]], [120.0])
    np.testing.assert_array_equal(found.voxels((40.0, 8.0, 4.0)), [[1, 2, 3], [4, 2, 3]])


def test_tabs_comments_blank_lines_and_any_order_are_taken() -> None:
    """Kills readers of files with one blank between fields, and nodes that must follow their parents."""
    text = "# SCALE 1 1 1\n\n  7\t2  0.5 0 -1e1 0 9 # a branch\n\r\n9 0 0 0 0 1 -1\n12 0 1 1 1 1 -1 extra\n"
    found = read_swc(text.encode(), NM, "a.swc")
    np.testing.assert_array_equal(found.nodes_nm, [[-10, 0, 0.5], [0, 0, 0], [1, 1, 1]])
    assert found.edges.tolist() == [[1, 0]]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_trees_of_networkx_come_back(seed: int) -> None:
    """Oracle: networkx. Kills parents that are looked up by row."""
    rng = np.random.default_rng(seed)
    tree = nx.bfs_tree(nx.random_labeled_tree(200, seed=seed), 0)
    numbers, positions = rng.permutation(10_000)[:200], rng.normal(0, 1e5, (200, 3)).round(3)
    parent = {child: numbers[above] for above, child in tree.edges()}
    rows = [[numbers[v], 0, *positions[v], 1, parent.get(v, -1)] for v in rng.permutation(200).tolist()]
    found = read_swc("\n".join(" ".join(map(str, row)) for row in rows).encode(), NM, "a.swc")
    places = {tuple(node) for node in found.nodes_nm.tolist()}
    assert places == {tuple(node[::-1]) for node in positions.tolist()}
    edges = {frozenset(map(tuple, found.nodes_nm[edge].tolist())) for edge in found.edges}
    assert edges == {frozenset((tuple(positions[a][::-1]), tuple(positions[b][::-1]))) for a, b in tree.edges()}


@pytest.mark.parametrize("text", ["", "# nothing\n\n"])
def test_an_empty_file_is_a_skeleton_without_nodes(text: str) -> None:
    found = read_swc(text.encode(), NM, "a.swc")
    assert (found.nodes_nm.shape, found.edges.shape, found.lengths_nm.shape) == ((0, 3), (0, 2), (0,))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1 0 3 2 1 5\n", "a.swc"),
        (b"1 0 3 2 one 5 -1\n", "one"),
        (b"1 0 3 2 1 5 -1\n1 0 3 2 1 5 -1\n", "1"),
        (b"1 0 3 2 1 5 8\n", "8"),
        (b"1 0 3 2 1 5 2\n2 0 3 2 2 5 1\n", "a.swc"),
        (b"1 0 3 2 1 5 1\n", "a.swc"),
        (b"1 0 3 2 nan 5 -1\n", "a.swc"),
        (b"1.5 0 3 2 1 5 -1\n", "a.swc"),
        (b"1e30 0 3 2 1 5 -1\n", "a.swc"),
        (b"\xff\xfe1 0", "a.swc"),
    ],
)
def test_what_is_no_tree_is_refused(text: bytes, value: str) -> None:
    """Kills a damaged file taken for a shorter skeleton."""
    with refused(PermanentError, "a.swc", value):
        read_swc(text, NM, "a.swc")


def test_a_node_on_the_border_of_two_voxels_lies_in_the_later_one() -> None:
    """Kills 0.3 / 0.1 = 2.9999, which is voxel 2."""
    found = read_swc(b"1 0 0.3 0.7 0.05 5 -1\n", NM, "a.swc")
    assert found.voxels((0.1, 0.1, 0.1)).tolist() == [[0, 7, 3]]
