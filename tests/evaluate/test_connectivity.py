"""Scores at synapses agree with networkx, with loops over single connections, and with numbers worked by hand."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import variation_of_information
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.evaluate import (
    ConnectionTable,
    Orphans,
    connection_table,
    connectivity,
    contingency_table,
    merged,
    merged_connections,
    orphan_bodies,
    orphan_segments,
    score,
    standing_for,
)

LABELS = st.tuples(st.integers(0, 4), st.integers(0, 4))
"""Segment and body at a point."""
CONNECTIONS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=40)
Labels = tuple[int, int]
Connection = tuple[Labels, Labels]


def ids(values: list[int]) -> np.ndarray:
    return np.array(values, np.uint64)


def of_points(points: list[Labels]):
    return contingency_table(ids([p[0] for p in points]), ids([p[1] for p in points]))


def of_connections(connections: list[Connection]) -> ConnectionTable:
    ends = [[pre[0] for pre, _ in connections], [post[0] for _, post in connections]]
    return connection_table(*map(ids, ends), *map(ids, zip(*((a[1], b[1]) for a, b in connections), strict=True)))


def standing(points: list[Labels]) -> dict[int, int]:
    """By the words of the definition, point by point."""
    shared = Counter(p for p in points if p[0] and p[1])
    best = {}
    for side in (0, 1):
        for each in {p[side] for p in shared}:
            pairs = [p for p in shared if p[side] == each]
            best[side, each] = min(pairs, key=lambda p: (-shared[p], p[1 - side]))
    return {p[0]: p[1] for p in shared if best[0, p[0]] == p == best[1, p[1]]}


def connected(connections: list[Connection], side: int, least: int) -> int:
    """Oracle: edges of networkx between different nodes above 0."""
    graph = nx.MultiDiGraph([(a[side], b[side]) for a, b in connections])
    return sum(graph.number_of_edges(u, v) >= least for u, v in set(graph.edges()) if u != v and u and v)


@given(CONNECTIONS, st.integers(1, 3))
@settings(max_examples=120, deadline=None)
def test_random_connections_score_as_networkx_and_single_connections_say(
    connections: list[Connection], least: int
) -> None:
    """Kills directions dropped, autapses among the pairs, label 0 as a body, and one end that decides for both."""
    points = [point for connection in connections for point in connection]
    known = [(a, b) for a, b in connections if a[1] and b[1]]
    if not known:
        with refused(PermanentError):
            connectivity(of_points(points), of_connections(connections), least)
        return
    stand = standing(points)
    right = [(a, b) for a, b in known if stand.get(a[0]) == a[1] and stand.get(b[0]) == b[1]]
    loops = [(a, b) for a, b in known if a[0] and a[0] == b[0]]
    found = connectivity(of_points(points), of_connections(connections), least)
    assert dict(zip(*(column.tolist() for column in standing_for(of_points(points))), strict=True)) == stand
    assert (found.connections, found.right) == (len(known), len(right))
    assert (found.pairs, found.segment_pairs) == (connected(known, 1, least), connected(known, 0, least))
    assert found.found == connected(right, 1, least) == connected(right, 0, least)
    assert (found.autapses, found.false_autapses) == (len(loops), sum(a[1] != b[1] for a, b in loops))


@given(CONNECTIONS, st.integers(0, 40))
@settings(max_examples=50, deadline=None)
def test_tables_of_regions_add_up(connections: list[Connection], cut: int) -> None:
    """Kills rows told twice for one quadruple of labels."""
    parts = [of_connections(part) for part in (connections[:cut], connections[cut:]) if part]
    whole, other = of_connections(connections), merged_connections(parts)
    for one, two in zip(whole.columns, other.columns, strict=True):
        np.testing.assert_array_equal(one, two)
    again = ConnectionTable.from_arrow(whole.to_arrow())
    assert len(again) == len(set(zip(*(column.tolist() for column in whole.columns[:4]), strict=True)))


def test_the_worked_example_of_the_module_holds() -> None:
    whole, astray = ((11, 1), (12, 2)), ((11, 1), (12, 3))
    connections = [whole] * 3 + [astray, ((11, 1), (13, 3))]
    points = [p for c in connections for p in c] + [(13, 3)] * 2
    found = connectivity(of_points(points), of_connections(connections), 2)
    assert (found.pairs, found.segment_pairs, found.found) == (2, 1, 1)
    assert (found.precision, found.recall) == (1.0, 0.5)


def test_two_bodies_run_together_lose_their_connections_and_gain_autapses() -> None:
    """Kills a merger that passes for its larger body at both ends."""
    connections = [((5, 1), (5, 2))] * 4
    found = connectivity(of_points([(5, 1)] * 4 + [(5, 2)] * 4), of_connections(connections))
    assert (found.recall, found.precision) == (0.0, 1.0)
    assert (found.autapses, found.false_autapses, found.right) == (4, 4, 0)


def test_a_true_autapse_is_no_pair() -> None:
    found = connectivity(of_points([(5, 1)] * 2), of_connections([((5, 1), (5, 1))]))
    assert (found.pairs, found.segment_pairs, found.autapses, found.false_autapses) == (0, 0, 1, 0)
    assert (found.recall, found.precision) == (1.0, 1.0)


def test_unassigned_points_connect_nothing() -> None:
    """Kills segment 0 as the most connected body of all."""
    found = connectivity(of_points([(0, 1), (0, 2)]), of_connections([((0, 1), (0, 2))]))
    assert (found.pairs, found.segment_pairs, found.autapses, found.recall) == (1, 0, 0, 0.0)


def test_orphans_by_hand() -> None:
    """Kills label 0 as an orphan, a floor that belongs to it, and points of one segment counted body by body."""
    points = of_points([(11, 1)] * 8 + [(11, 2)] * 4 + [(12, 2)] * 9 + [(13, 3)] + [(0, 3)] * 2)
    assert orphan_segments(points, 10) == Orphans(10, 2, 3, 10)
    assert orphan_segments(points, 9) == Orphans(9, 1, 3, 1)
    assert orphan_bodies(points, 10) == Orphans(10, 2, 3, 11)
    assert orphan_segments(merged([])) == Orphans(10, 0, 0, 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_vi_over_points_is_that_of_scikit_image(seed: int) -> None:
    """Kills points that are weighed by anything but their number."""
    seg, truth = np.random.default_rng(seed).integers(0, 6, (2, 300)).astype(np.uint64)
    found = score(contingency_table(seg, truth))
    known = truth != 0
    assert (found.vi_split, found.vi_merge) == pytest.approx(variation_of_information(truth[known], seg[known]))
