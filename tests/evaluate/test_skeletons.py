"""Scores on skeletons agree with networkx, and with numbers worked by hand."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from tests.refusals import refused

from emseg.codec.swc import Skeleton
from emseg.errors import PermanentError
from emseg.evaluate import SkeletonScore, score_skeletons

SAME = pytest.approx


def path(*segments: int, step_nm: float = 10.0) -> tuple[Skeleton, np.ndarray]:
    """Nodes in a row, `step_nm` apart, and their segments."""
    nodes = np.zeros((len(segments), 3))
    nodes[:, 2] = np.arange(len(segments)) * step_nm
    edges = np.array(list(pairwise(range(len(segments)))), np.int64).reshape(-1, 2)
    return Skeleton(nodes, edges), np.array(segments, np.uint64)


def scored(*paths: tuple[Skeleton, np.ndarray]) -> SkeletonScore:
    return score_skeletons([each for each, _ in paths], [segments for _, segments in paths])


def test_the_worked_example_of_the_module_holds() -> None:
    found = scored(path(7, 7, 7, 8, 8))
    assert (found.erl_nm, found.best_erl_nm, found.splits, found.mergers) == SAME((12.5, 40, 1, 0))
    found = scored(path(7, 7, 7, 8, 8), path(8))
    assert (found.erl_nm, found.merged_nm, found.splits, found.mergers) == SAME((10, 20, 1, 1))


@pytest.mark.parametrize("seed", range(8))
def test_random_trees_score_as_networkx_says(seed: int) -> None:
    """Oracle: graphs of networkx. Kills a skeleton that is merged as a whole, runs over two skeletons, and runs that
    end where a segment leaves the skeleton and comes back.
    """
    rng = np.random.default_rng(seed)
    skeletons, segments, graphs = [], [], []
    for number in range(6):
        graph = nx.random_labeled_tree(int(rng.integers(2, 40)), seed=seed * 10 + number)
        nodes = rng.normal(0, 1000, (len(graph), 3))
        pool = np.array([0, *range(1, 3 + number * 2), 100 + number, 200 + number], np.uint64)
        labels = rng.choice(pool, len(graph), p=None)
        for a, b in graph.edges():
            graph.edges[a, b]["nm"] = float(np.linalg.norm(nodes[a] - nodes[b]))
            labels[b] = labels[a] if rng.random() < 0.7 else labels[b]
        skeletons.append(Skeleton(nodes, np.array(list(graph.edges()), np.int64)))
        segments.append(labels)
        nx.set_node_attributes(graph, dict(enumerate(labels.tolist())), "segment")
        graphs.append(graph)
    check(score_skeletons(skeletons, segments), graphs)


def check(found: SkeletonScore, graphs: list[nx.Graph]) -> None:
    of = [set(nx.get_node_attributes(graph, "segment").values()) - {0} for graph in graphs]
    merged = {segment for each in of for segment in each if sum(segment in other for other in of) > 1}
    by_class = dict.fromkeys(("merged", "omitted", "split", "correct"), 0.0)
    squares, whole, splits = 0.0, 0.0, 0
    for graph in graphs:
        runs: dict[int, float] = {}
        for a, b, nm in graph.edges(data="nm"):
            one, two = graph.nodes[a]["segment"], graph.nodes[b]["segment"]
            kind = "merged" if {one, two} & merged else "omitted" if 0 in {one, two} else "split"
            kind = "correct" if kind == "split" and one == two else kind
            by_class[kind] += nm
            splits += one != two and 0 not in {one, two}
            if kind == "correct":
                runs[one] = runs.get(one, 0.0) + nm
        whole += graph.size("nm")
        squares += sum(length**2 for length in runs.values())
    assert (found.erl_nm, found.length_nm) == SAME((squares / whole, whole))
    assert found.best_erl_nm == SAME(sum(graph.size("nm") ** 2 for graph in graphs) / whole)
    assert (found.merged_nm, found.omitted_nm, found.split_nm, found.correct_nm) == SAME(tuple(by_class.values()))
    assert found.splits == splits
    assert found.mergers == sum(len(each) for each in of) - len(set().union(*of))


def test_a_merger_that_touches_one_node_costs_the_runs_of_its_segment_alone() -> None:
    """Kills a merger that is forgiven because it is small, and one that spoils the whole skeleton."""
    clean, touched = scored(path(7, 7, 7, 9, 9, 9), path(5, 5)), scored(path(7, 7, 7, 9, 9, 9), path(5, 5, 9))
    assert clean.merged_nm == 0
    assert touched.merged_nm == SAME(30 + 10)
    assert touched.erl_nm == SAME((20**2 + 10**2) / 70)


def test_no_segment_is_no_merger_and_no_run() -> None:
    """Kills label 0 as the segment of all skeletons."""
    found = scored(path(0, 0, 0), path(0, 0), path(4, 4, 0))
    assert (found.omitted_nm, found.mergers, found.splits) == SAME((40, 0, 0))
    assert found.erl_nm == SAME(100 / 50)


def test_a_segment_of_three_skeletons_is_two_mergers() -> None:
    assert scored(path(4, 4), path(4), path(4, 5)).mergers == 2


def test_skeletons_without_edges_or_nodes_count_for_nothing_else() -> None:
    """Kills empty arrays of another shape, and a last skeleton that is not counted."""
    found = scored(path(), path(7, 7), path(3), path())
    assert (found.skeletons, found.length_nm, found.erl_nm) == SAME((4, 10, 10))


def test_large_ids_stay_apart() -> None:
    """Kills ids that pass through floats."""
    found = scored(path(2**60, 2**60 + 1), path(2**60 + 2, 2**60 + 2))
    assert (found.splits, found.mergers) == (1, 0)


@pytest.mark.parametrize("paths", [(), (path(),), (path(7),), (path(7, 7, step_nm=0.0),)])
def test_nothing_to_measure_is_refused(paths: tuple[tuple[Skeleton, np.ndarray], ...]) -> None:
    """Kills a division by zero, and a perfect score of nothing."""
    with refused(PermanentError, len(paths)):
        scored(*paths)


def test_segments_of_other_nodes_are_refused() -> None:
    skeleton, segments = path(1, 2, 3)
    with refused(PermanentError, 3, 2):
        score_skeletons([skeleton], [segments[:2]])
