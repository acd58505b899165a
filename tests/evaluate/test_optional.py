"""Figures that a dataset need not have, by hand; and skeletons that are cut at the region."""

from __future__ import annotations

import numpy as np
import pytest
from tests.refusals import refused

from emseg.codec.swc import Skeleton
from emseg.config.groundtruth import SynapseCounting, Unassigned
from emseg.errors import PermanentError
from emseg.evaluate import (
    OPTIONAL_FIGURES,
    SURVEY_FIGURES,
    AtSynapses,
    AtVoxels,
    ContingencyTable,
    Score,
    SkeletonNodes,
    SkeletonSet,
    connection_table,
    contingency_table,
    figures_of,
    merged,
    score_skeletons,
)
from emseg.geometry import Box

NM = (10.0, 10.0, 10.0)


def table(*rows: tuple[int, int, int]) -> ContingencyTable:
    columns = zip(*rows, strict=True)
    return ContingencyTable(*map(np.array, columns, (np.uint64, np.uint64, np.int64)))


def ids(*values: int):
    return np.array(values, np.uint64)


THREE = table((5, 1, 60), (6, 1, 30), (7, 1, 10), (7, 2, 100))
"""The worked example of `emseg.evaluate.edit_distance`."""


def test_edits_by_hand():
    """Kills merges told as splits, and the edits of another share."""
    found = figures_of({"voxels": AtVoxels(THREE)})
    assert found == {
        "merges_50": 0,
        "splits_50": 0,
        "merges_75": 0,
        "splits_75": 0,
        "merges_90": 1,
        "splits_90": 0,
    }


def test_what_no_edit_reaches_has_a_reason_and_no_number():
    """Kills the edits that there are, told as if they were enough: unassigned voxels become right by none."""
    found = figures_of({"voxels": AtVoxels(merged([THREE, table((0, 2, 800))]))})
    assert found["merges_50"] == found["splits_90"] == "all edits together make 20 % right: the rest is unassigned"


def at_synapses(pair_connections: int = 2, orphan_points: int = 3) -> AtSynapses:
    """Worked example of `connectivity`: 1 to 2 has 3 connections, 1 to 3 has 2, a point of body 3 lies in segment 12.

    Beside it one connection from 1 to 1 within segment 11, and one from 1 to 3 within it.
    """
    pre_segment, post_segment = ids(11, 11, 11, 11, 11, 11, 11), ids(12, 12, 12, 13, 12, 11, 11)
    pre_body, post_body = ids(1, 1, 1, 1, 1, 1, 1), ids(2, 2, 2, 3, 3, 1, 3)
    points = contingency_table(np.r_[pre_segment, post_segment, 13], np.r_[pre_body, post_body, 3])
    connections = connection_table(pre_segment, post_segment, pre_body, post_body)
    counting = SynapseCounting(pair_connections=pair_connections, orphan_points=orphan_points)
    return AtSynapses(points, connections, counting, Unassigned.SEGMENT)


def test_synapses_by_hand():
    """Kills a floor or a least number that is not the dataset's, and precision for recall."""
    found = figures_of({"synapses": at_synapses()})
    assert (found["connectivity_recall"], found["connectivity_precision"]) == (1 / 2, 1)
    assert (found["autapses"], found["false_autapses"]) == (2, 1)
    assert found["synapse_orphans"] == 1  # segment 13 has 2 points, 11 has 9, 12 has 4
    assert figures_of({"synapses": at_synapses(orphan_points=5)})["synapse_orphans"] == 2
    assert figures_of({"synapses": at_synapses(pair_connections=1)})["connectivity_recall"] == 1
    assert (found["synapse_merges_50"], found["synapse_splits_90"]) == (0, 1)
    counts = table((11, 1, 8), (11, 3, 1), (12, 2, 3), (12, 3, 1), (13, 3, 2))
    n, body, segment = (np.array(v, float) for v in ([8, 1, 3, 1, 2], [8, 4, 3, 4, 4], [9, 9, 4, 4, 2]))
    assert at_synapses().table == counts
    assert found["synapse_vi_split"] == pytest.approx((n / 15 * np.log2(body / n)).sum())
    assert found["synapse_vi_merge"] == pytest.approx((n / 15 * np.log2(segment / n)).sum())


def straight(*x: int, y: int = 0) -> Skeleton:
    nodes = np.array([[0, y, 10 * each] for each in x], float)
    return Skeleton(nodes, np.column_stack([np.arange(len(x) - 1), np.arange(1, len(x))]))


SET = SkeletonSet({"a": straight(0, 1, 2, 3, 4), "b": straight(0, 1, 2, y=50)}, NM)
SEGMENTS = ids(7, 7, 7, 8, 8, 8, 8, 8)


def test_skeletons_that_lie_inside_are_scored_as_a_whole():
    """Oracle: `score_skeletons` on all. Kills nodes of the second skeleton that are numbered from 0."""
    found = SET.score(SkeletonNodes(np.arange(8), SEGMENTS))
    assert found == score_skeletons([*SET.skeletons.values()], [SEGMENTS[:5], SEGMENTS[5:]])
    assert found.mergers == 1


def test_what_lies_outside_of_the_region_does_not_count():
    """Kills nodes outside that count as omitted, that merge, and a skeleton that becomes two where it is cut."""
    inside = np.flatnonzero(SET.voxels[:, 2] != 2)
    inside = inside[inside < 5]
    found = SET.score(SkeletonNodes(inside, SEGMENTS[inside]))
    assert (found.skeletons, found.length_nm, found.mergers, found.splits) == (1, 20, 0, 0)
    assert found.omitted_nm == found.merged_nm == 0
    assert found.erl_nm == (10**2 + 10**2) / 20
    one = SET.score(SkeletonNodes(inside, np.full(4, 9, np.uint64)))
    assert one.erl_nm == one.best_erl_nm == 20**2 / 20


def test_tables_of_subvolumes_add_up_to_the_whole():
    """Kills a node that two cores look up, and one on a face that none does."""
    cores = [Box((0, 0, start), (9, 9, start + 2)) for start in (4, 0, 2)]
    parts = [SkeletonNodes(nodes := SET.nodes_in(core), SEGMENTS[nodes]) for core in cores]
    assert SkeletonNodes.joined(parts).node.tolist() == list(range(8))
    assert SET.score(SkeletonNodes.joined(parts)) == SET.score(SkeletonNodes(np.arange(8), SEGMENTS))


def test_a_region_without_an_edge_has_no_score():
    with refused(PermanentError, "skeleton", "region"):
        SET.score(SkeletonNodes.none())


def test_names_are_of_one_figure_each():
    """Kills a figure that hides another one in verdict and history."""
    others = {*Score.__dataclass_fields__, *SURVEY_FIGURES, "vi", "subvolumes", "subvolumes_failed"}
    assert not others & set(OPTIONAL_FIGURES)
    assert not [name for name in OPTIONAL_FIGURES if name.startswith(("change_", "trend_"))]
    assert [figure.name for figure in OPTIONAL_FIGURES.values()] == list(OPTIONAL_FIGURES)
