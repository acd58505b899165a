"""Stitching: real and made volumes are cut, renamed, stitched back, and must come out as they were."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stitch_volumes import assembled, blobs, components, cut, grid_over, votes_of

from emseg.config import StitchMode
from emseg.config.dataset import Stitching
from emseg.stitch import Votes, join, resolve

MEDIUM = Stitching(mode=StitchMode.MEDIUM, min_overlap_vox=0)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(0, 4), st.floats(0, 0.5))
def test_a_cut_volume_with_missing_cells_comes_out_as_its_connected_components(seed, halo, missing):
    """Two voxels that touch across a core face are joined exactly when they had one label.

    Kills matching over faces of the padded box instead of the core, and joins through cells that are not there.
    """
    labels = blobs((20, 16, 18), seed)
    grid = grid_over(labels, 7, halo + 1)
    rng = np.random.default_rng(seed)
    cells = [n for n in range(int(np.prod(grid.shape))) if rng.random() >= missing]
    pieces = cut(labels, grid, rng.permutation(cells).tolist(), seed)
    stitched = assembled(pieces, grid, resolve(Votes.joined(votes_of(pieces, grid)), MEDIUM).mapping)
    kept = np.zeros(labels.shape, bool)
    for number in cells:
        kept[grid.subvolume(number).core.slices()] = True
    truth = np.where(kept, labels, 0)
    assert np.array_equal(stitched != 0, truth != 0)
    assert _never_joins(stitched, truth)
    assert _never_splits(stitched, components(truth))


def _never_joins(stitched: np.ndarray, labels: np.ndarray) -> bool:
    """No body holds voxels of two labels."""
    pairs = np.unique(np.stack([stitched.ravel(), labels.ravel().astype(np.uint64)]), axis=1)
    return len(np.unique(pairs[0])) == pairs.shape[1]


def _never_splits(stitched: np.ndarray, parts: np.ndarray) -> bool:
    pairs = np.unique(np.stack([parts.ravel().astype(np.uint64), stitched.ravel()]), axis=1)
    return len(np.unique(pairs[0])) == pairs.shape[1]


@pytest.mark.shared_data
@pytest.mark.parametrize("halo", [5, 20])
def test_real_labels_are_stitched_back_without_a_wrong_join_or_a_split(shared_data, halo):
    labels = np.load(shared_data / "labels" / "multicut-256.npz")["labels"][:160, :160, :160]
    grid = grid_over(labels, 64, halo)
    pieces = cut(labels, grid, list(range(27)), seed=1)
    stitched = assembled(pieces, grid, resolve(Votes.joined(votes_of(pieces, grid)), MEDIUM).mapping)
    assert _never_joins(stitched, labels)
    assert _never_splits(stitched, components(labels))


@given(st.integers(0, 10_000))
def test_the_mapping_does_not_depend_on_the_order_of_votes(seed):
    labels = blobs((12, 12, 12), seed)
    grid = grid_over(labels, 6, 2)
    parts = votes_of(cut(labels, grid, list(range(8)), seed), grid)
    shuffled = [parts[i] for i in np.random.default_rng(seed).permutation(len(parts))]
    one, other = (resolve(Votes.joined(p), Stitching()) for p in (parts, shuffled))
    assert one.mapping.to_arrow().equals(other.mapping.to_arrow())
    assert one.ledger.equals(other.ledger)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=40))
def test_bodies_are_the_components_of_networkx_named_by_their_smallest_member(edges):
    """Oracle: networkx. Kills a union-find without full path compression, and names that depend on edge order."""
    first, second = (np.array([e[i] for e in edges], np.uint64) for i in (0, 1))
    mapping = join(first, second)
    graph = nx.Graph(edges)
    expected = {node: min(part) for part in nx.connected_components(graph) for node in part}
    assert dict(zip(mapping.supervoxels.tolist(), mapping.bodies.tolist(), strict=True)) == expected


def votes(*rows: tuple[int, int, int, int, int, bool, bool]) -> Votes:
    """Rows of (first, second, overlap, first_vox, second_vox, reaches, reaches); ids below 2^24 are cell 0."""
    columns = list(zip(*rows, strict=True))
    types = [np.uint64, np.uint64, np.int64, np.int64, np.int64, bool, bool]
    return Votes(*(np.array(c, t) for c, t in zip(columns, types, strict=True)))


A, B, C = 1, 2, 3
P, Q = (1 << 24) | 1, (1 << 24) | 2


def reasons(table: Votes, **fields: object) -> list[str]:
    return resolve(table, Stitching(**fields)).ledger["reason"].to_pylist()


def test_medium_joins_mutual_best_partners_only():
    """B prefers P, but P prefers A: B stays alone."""
    table = votes((A, P, 100, 120, 200, True, True), (B, P, 80, 90, 200, True, True))
    assert reasons(table) == ["joined", "not mutual best"]


def test_the_floor_is_a_floor_that_must_be_passed():
    table = votes((A, P, 50, 60, 60, True, True), (B, Q, 51, 60, 60, True, True))
    assert reasons(table, min_overlap_vox=50) == ["overlap too small", "joined"]


def test_a_piece_that_does_not_reach_the_interface_proposes_nothing():
    table = votes((A, P, 100, 100, 100, False, True), (B, Q, 100, 100, 100, True, False))
    assert reasons(table) == ["does not reach the interface"] * 2


def test_mode_none_joins_nothing_and_says_so():
    table = votes((A, P, 100, 100, 100, True, True))
    result = resolve(table, Stitching(mode=StitchMode.NONE))
    assert len(result.mapping.supervoxels) == 0
    assert result.ledger["reason"].to_pylist() == ["mode joins nothing"]


def test_equal_overlaps_are_settled_by_the_larger_share_then_the_smaller_id():
    """Kills ties that are settled by the order of rows."""
    by_share = votes((A, P, 60, 100, 100, True, True), (A, Q, 60, 100, 60, True, True))
    assert reasons(by_share) == ["not mutual best", "joined"]
    by_id = votes((A, Q, 60, 100, 80, True, True), (A, P, 60, 100, 80, True, True))
    assert reasons(by_id) == ["not mutual best", "joined"]


def test_best_partners_are_sought_in_each_overlap_apart():
    """A crosses into two cells: a larger overlap with one is no reason against the other."""
    other_cell = (2 << 24) | 1
    table = votes((A, P, 100, 120, 120, True, True), (A, other_cell, 900, 950, 950, True, True))
    mapping = resolve(table, Stitching()).mapping
    assert mapping.body_of(np.array([A, P, other_cell, 77, 0], np.uint64)).tolist() == [A, A, A, 77, 0]


def test_beside_a_quarantined_subvolume_only_nearly_equal_pieces_join():
    """By hand: of 100 voxels on both sides 95 are shared (joins), or 80 (joins only where nothing is quarantined)."""
    cells = np.array([0, 0], np.uint64) << np.uint64(24)
    votes = Votes(
        first=cells | np.array([1, 2], np.uint64),
        second=(np.array([1, 1], np.uint64) << np.uint64(24)) | np.array([1, 2], np.uint64),
        overlap_vox=np.array([95, 80]),
        first_vox=np.array([100, 100]),
        second_vox=np.array([100, 100]),
        first_reaches=np.array([True, True]),
        second_reaches=np.array([True, True]),
    )
    assert resolve(votes, MEDIUM).joined_votes == 2
    for quarantined in ([0], [1]):
        careful = resolve(votes, MEDIUM, quarantined)
        assert careful.joined_votes == 1
        assert "not nearly equal, and one side is quarantined" in careful.ledger["reason"].to_pylist()
    assert resolve(votes, MEDIUM, [7]).joined_votes == 2
