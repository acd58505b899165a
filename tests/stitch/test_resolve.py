"""Stitching: real and made volumes are cut, renamed, stitched back, and must come out as they were."""

import networkx as nx
import numpy as np
import pytest
from benchmarks.restitch import VOXEL_SIZE_NM
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stitch.stitch_volumes import blobs, components, cut, grid_over, vote_table

from emseg.config import StitchMode
from emseg.config.stitching import Constraints, Stitching
from emseg.stitch import Evidence, Votes, resolve

MEDIUM = Stitching(mode=StitchMode.MEDIUM, min_overlap_nm3=0)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(0, 4), st.floats(0, 0.5))
def test_a_cut_volume_with_missing_cells_comes_out_as_its_connected_components(seed, halo, missing):
    """Two voxels that touch across a core face are joined exactly when they had one label.

    Kills matching over faces of the padded box instead of the core, and joins through cells that are not there.
    """
    labels = blobs((20, 16, 18), seed)
    grid = grid_over(labels, 7, halo + 1)
    rng = np.random.default_rng(seed)
    cells = [n for n in range(grid.shape.product) if rng.random() >= missing]
    subvolumes = cut(labels, grid, seed, rng.permutation(cells).tolist())
    stitched = subvolumes.bodies(resolve(subvolumes.evidence(), MEDIUM, VOXEL_SIZE_NM).mapping)
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
    subvolumes = cut(labels, grid_over(labels, 64, halo), seed=1)
    stitched = subvolumes.bodies(resolve(subvolumes.evidence(), MEDIUM, VOXEL_SIZE_NM).mapping)
    assert _never_joins(stitched, labels)
    assert _never_splits(stitched, components(labels))


@given(st.integers(0, 10_000))
def test_the_mapping_does_not_depend_on_the_order_of_votes(seed):
    labels = blobs((12, 12, 12), seed)
    parts = cut(labels, grid_over(labels, 6, 2), seed).votes()
    shuffled = [parts[i] for i in np.random.default_rng(seed).permutation(len(parts))]
    one, other = (resolve(Evidence(Votes.joined(p)), Stitching(), VOXEL_SIZE_NM) for p in (parts, shuffled))
    assert one.mapping.to_arrow().equals(other.mapping.to_arrow())
    assert one.ledger.equals(other.ledger)


OTHER_CELL = 1 << 24
FREE = Stitching(
    mode=StitchMode.CONSERVATIVE, constraints=Constraints(kept_apart_nm2=None, max_weak_um3=None), min_overlap_nm3=0
)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=40))
def test_bodies_are_the_components_of_networkx_named_by_their_smallest_member(edges):
    """Oracle: networkx. Kills a union-find without full path compression, and names that depend on edge order."""
    table = vote_table(*((OTHER_CELL * min(e) | 1, OTHER_CELL * max(e) | 2, 100, 100, 100) for e in sorted(set(edges))))
    graph = nx.Graph((a, b) for a, b in zip(table.first.tolist(), table.second.tolist(), strict=True))
    mapping = resolve(Evidence(table), FREE, VOXEL_SIZE_NM).mapping
    expected = {node: min(part) for part in nx.connected_components(graph) for node in part}
    assert dict(zip(mapping.supervoxels.tolist(), mapping.bodies.tolist(), strict=True)) == expected
