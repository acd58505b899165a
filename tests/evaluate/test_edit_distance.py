"""Edit distances agree with a search through all choices of edits, and with numbers worked by hand."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.evaluate import ContingencyTable, EditDistance, edit_distances, merged

ROWS = st.dictionaries(st.tuples(st.integers(0, 4), st.integers(1, 4)), st.integers(1, 12), min_size=1, max_size=9)


def table(rows: dict[tuple[int, int], int]) -> ContingencyTable:
    pairs = sorted(rows)
    seg, truth = (np.array([pair[i] for pair in pairs], np.uint64) for i in (0, 1))
    return ContingencyTable(seg, truth, np.array([rows[pair] for pair in pairs], np.int64))


def pieces(rows: dict[tuple[int, int], int]) -> tuple[list[int], list[int], list[int]]:
    """What is right from the start, what merges and what splits bring, by the words of the definition."""
    owner = {}
    for seg, body in sorted(rows):
        if seg and (seg not in owner or rows[seg, body] > rows[seg, owner[seg]]):
            owner[seg] = body
    own, splits = defaultdict(list), []
    for (seg, body), count in rows.items():
        if seg and owner[seg] == body:
            own[body].append(count)
        elif seg:
            splits.append(count)
    begun = [max(counts) for counts in own.values()]
    return begun, [c for counts in own.values() for c in sorted(counts)[:-1]], splits


def subsets(items: list[int]) -> chain[tuple[int, ...]]:
    return chain.from_iterable(combinations(items, n) for n in range(len(items) + 1))


@given(ROWS, st.sampled_from([0.0, 0.3, 0.5, 0.75, 0.9, 1.0]))
@settings(max_examples=200, deadline=None)
def test_no_choice_of_edits_needs_less_work(rows: dict[tuple[int, int], int], share: float) -> None:
    """Oracle: every subset of edits. Kills the next best edit each time, a segment owned twice, and free splits."""
    begun, merges, splits = pieces(rows)
    all_voxels = sum(rows.values())
    choices = [
        (len(m) + 5 * len(s), len(s), len(m))
        for m in subsets(merges)
        for s in subsets(splits)
        if sum(begun) + sum(m) + sum(s) >= share * all_voxels - 1e-6
    ]
    (found,) = edit_distances(table(rows), (share,))
    assert found.is_reached == bool(choices)
    if choices:
        assert (found.merges + 5 * found.splits, found.splits, found.merges) == min(choices)
    else:
        assert (found.merges, found.splits) == (len(merges), len(splits))


def test_the_worked_example_of_the_module_holds() -> None:
    example = table({(5, 1): 60, (6, 1): 30, (7, 1): 10, (7, 2): 100})
    assert edit_distances(example, (0.75, 0.9, 1.0)) == (
        EditDistance(0.75, 0, 0, 0.8),
        EditDistance(0.9, 1, 0, 0.95),
        EditDistance(1.0, 1, 1, 1.0),
    )


def test_one_large_split_is_not_taken_for_six_small_merges() -> None:
    """The greedy rule of FlyEM merges twice before it splits. Kills it: one split makes 88 of 100 voxels right."""
    rows = {(1, 1): 30, (2, 1): 6, (3, 1): 6, (4, 2): 29, (4, 3): 29}
    (found,) = edit_distances(table(rows), (0.88,))
    assert (found.merges, found.splits) == (0, 1)


def test_unassigned_voxels_are_out_of_reach() -> None:
    """Kills label 0 merged as if it were a segment."""
    (found,) = edit_distances(table({(0, 1): 60, (5, 1): 40}), (0.5,))
    assert (found.merges, found.splits, found.right_share, found.is_reached) == (0, 0, 0.4, False)


def test_a_body_inside_of_another_ones_segment_costs_one_split() -> None:
    (found,) = edit_distances(table({(5, 1): 60, (5, 2): 40}), (0.9,))
    assert (found.merges, found.splits, found.right_share) == (0, 1, 1.0)


def test_nothing_to_count_is_refused() -> None:
    with refused(PermanentError):
        edit_distances(merged([]))


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_parts_add_up_to_the_whole(share: float) -> None:
    """Kills edits summed over subvolumes."""
    halves = [table({(5, 1): 10}), table({(5, 1): 10, (6, 1): 2})]
    (found,) = edit_distances(merged(halves), (share,))
    assert (found.merges, found.splits) == (0, 0)
