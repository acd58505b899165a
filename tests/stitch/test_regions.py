"""A volume that is joined region by region is the volume that is joined at once; and cells are in the right regions."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stitch.stitch_volumes import contact_table, vote_table

from emseg.config import StitchMode
from emseg.config.stitching import Constraints, Stitching
from emseg.geometry import Box, Coordinate, Grid
from emseg.stitch import BodyMapping, Evidence, PairConstraints, Supervoxels, resolve
from emseg.stitch.candidates import is_weak, judged
from emseg.stitch.joining import Decided, Undecided, contesting, evidence_of, join_region, strong_only
from emseg.stitch.ledger import ledger_of
from emseg.stitch.regions import Regions

SHAPE = Coordinate(3, 4, 9)
GRID = Grid(Box.of_shape(SHAPE * 64), (64,) * 3, (16,) * 3)
VOXEL_SIZE_NM = (10.0, 10.0, 10.0)
RULES = Stitching(
    mode=StitchMode.AGGRESSIVE,
    constraints=Constraints(kept_apart_nm2=10_000, max_weak_um3=1, max_weak_faces=4, max_weak_joins=5),
)
CELL = 1 << 24


def made(seed: int, votes: int = 260, weak: float = 0.4) -> tuple[Evidence, PairConstraints]:
    """Up to five supervoxels a cell with votes for neighbours, contacts, sizes, and what people said of some pairs."""
    rng = np.random.default_rng(seed)
    rows = {}
    for _ in range(votes):
        cell = int(rng.integers(SHAPE.product))
        later = [n for n in GRID.neighbours(cell) if n > cell]
        if later:
            first, second = (
                cell * CELL + int(rng.integers(1, 6)),
                int(rng.choice(later)) * CELL + int(rng.integers(1, 6)),
            )
            shared = int(rng.integers(1000, 4000))
            more = rng.integers(0, 2000, 2) if rng.random() < weak else (0, 0)
            rows[first, second] = (first, second, shared, shared + int(more[0]), shared + int(more[1]))
    touching = {}
    for _ in range(2 * votes):
        cell, (a, b) = int(rng.integers(SHAPE.product)) * CELL, sorted(rng.choice(np.arange(1, 6), 2, replace=False))
        touching[cell + int(a), cell + int(b)] = (cell + int(a), cell + int(b), float(rng.choice([1e3, 1e5])))
    ids = np.array([cell * CELL + n for cell in range(SHAPE.product) for n in range(1, 6)], np.uint64)
    faces = np.where(rng.random(len(ids)) < 0.2, rng.integers(0, 64, len(ids)), 0).astype(np.uint8)
    supervoxels = Supervoxels(ids, rng.integers(1, 400_000, len(ids)), faces)
    evidence = Evidence(vote_table(*rows.values()), supervoxels, contact_table(*touching.values()))
    said = rng.choice(ids, (int(rng.integers(0, 8)), 2)), rng.choice(ids, (int(rng.integers(0, 12)), 2))
    must, cannot = (pairs[pairs[:, 0] != pairs[:, 1]] for pairs in said)
    while len(PairConstraints(must, cannot).contradiction()):
        must = must[:-1]
    return evidence, PairConstraints(must, cannot)


class InRegions:
    """What phase `resolve` does, without a store."""

    def __init__(self, evidence: Evidence, said: PairConstraints, regions: Regions, rules: Stitching) -> None:
        self.evidence, self.said, self.regions, self.rules = evidence, said, regions, rules
        self.judged = judged(evidence.votes, rules, VOXEL_SIZE_NM)

    def leaf(self, number: int) -> Undecided:
        evidence, has = self.evidence, lambda ids: self.regions.has(ids, 0, number)
        candidates, weak = self.judged.candidates, is_weak(self.judged.candidates, self.judged.disputed)
        touch = has(candidates.first) | has(candidates.second)
        candidates, weak = candidates.rows(touch), weak[touch]
        return evidence_of(
            candidates,
            weak,
            evidence.supervoxels.rows(has(evidence.supervoxels.supervoxel)),
            evidence.contacts.rows(has(evidence.contacts.first)),
            self.said,
            self.rules.constraints.kept_apart_nm2,
            has,
        )

    def tree(self, leaves: list[Undecided]) -> list[list]:
        """What each region of each level decides."""
        found, parts = [], leaves
        for level in range(self.regions.levels):
            joined = [join_region(part, self.rules.constraints, VOXEL_SIZE_NM) for part in parts]
            found.append(joined)
            if level + 1 < self.regions.levels:
                cells = [self.regions.cells(level, number)[0] for number in range(len(parts))]
                of = self.regions.holding(np.array(cells), level + 1)
                parts = [
                    Undecided.joined([joined[i].left for i in np.flatnonzero(of == parent)])
                    for parent in range(self.regions.shape_at(level + 1).product)
                ]
        return found

    def all_names(self, tree: list[list], nodes: np.ndarray) -> BodyMapping:
        return BodyMapping.followed(nodes, [BodyMapping.joined([each.names for each in level]) for level in tree])

    def result(self):
        leaves = [self.leaf(number) for number in range(self.regions.shape_at(0).product)]
        nodes = self.evidence.supervoxels.supervoxel
        if len(self.said.cannot_link):
            tree = self.tree([strong_only(leaf) for leaf in leaves])
            contested, names = np.zeros(len(nodes), bool), nodes
            for level in tree:
                names = BodyMapping.joined([each.names for each in level]).body_of(names)
                contested |= np.isin(names, np.concatenate([each.contested for each in level]))
            leaves = [contesting(leaf, nodes[contested]) for leaf in leaves]
        tree = self.tree(leaves)
        decided = Decided.joined([each.decided for level in tree for each in level])
        weak = is_weak(self.judged.candidates, self.judged.disputed)
        return self.all_names(tree, nodes), ledger_of(self.judged, weak, decided), tree


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000_000), st.sampled_from([1, 2, 3]), st.floats(0.05, 0.9))
def test_regions_of_any_size_give_the_result_of_the_whole(seed, side, weak):
    """Kills a region that decides before it knows a better candidate, that forgets a pair, a sum or what people said,
    and one that takes the first of a contested chain of strong links."""
    evidence, said = made(seed, weak=weak)
    whole = resolve(evidence, RULES, VOXEL_SIZE_NM, said)
    mapping, ledger, tree = InRegions(evidence, said, Regions(SHAPE, side), RULES).result()
    assert ledger.equals(whole.ledger)
    assert mapping.to_arrow().equals(whole.mapping.to_arrow())
    assert len(tree[-1]) == 1
    assert len(tree[-1][0].left.candidates) == 0


def test_regions_decide_most_by_themselves():
    """Kills one that leaves everything to the last region, which then holds the whole volume."""
    evidence, _ = made(7, votes=120, weak=0.3)
    *_, tree = InRegions(evidence, PairConstraints.none(), Regions(SHAPE, 3), RULES).result()
    decided = [sum(len(each.decided) for each in level) for level in tree]
    assert decided[0] > sum(decided) / 4


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000_000))
def test_every_outcome_is_that_of_a_plain_replay_with_what_people_said(seed):
    """Oracle: networkx components, rebuilt for each candidate. Kills a strong link that passes over a cannot-link."""
    evidence, said = made(seed)
    found = resolve(evidence, RULES, VOXEL_SIZE_NM, said)
    graph = nx.Graph()
    graph.add_nodes_from(evidence.supervoxels.supervoxel.tolist())
    graph.add_edges_from(said.must_link.tolist())
    rows = [row for row in found.ledger.to_pylist() if row["joined"] or row["parked"] or row["apart_first"]]
    for row in sorted(rows, key=_evidence):
        one, two = (nx.node_connected_component(graph, row[side]) for side in ("first", "second"))
        forbidden = [
            p for p in said.cannot_link.tolist() if (p[0] in one and p[1] in two) or (p[0] in two and p[1] in one)
        ]
        if row["second"] in one:
            assert row["joined"]
        elif forbidden:
            assert row["reason"] == "kept apart by a person"
            assert [row["apart_first"], row["apart_second"]] == forbidden[0]
        elif not row["weak"]:
            assert row["reason"] == "joined"
        if row["joined"]:
            graph.add_edge(row["first"], row["second"])
    expected = {node: min(part) for part in nx.connected_components(graph) if len(part) > 1 for node in part}
    assert dict(zip(found.mapping.supervoxels.tolist(), found.mapping.bodies.tolist(), strict=True)) == expected


def _evidence(row):
    either = row["first_vox"] + row["second_vox"] - row["overlap_vox"]
    return row["weak"], -row["overlap_vox"] / either, -row["overlap_vox"], row["first"], row["second"]


@pytest.mark.parametrize("shape", [(1, 1, 1), (16, 16, 16), (17, 3, 40), (100, 90, 70)])
def test_every_cell_is_in_one_region_of_each_level_and_regions_nest(shape):
    regions = Regions(Coordinate.of(shape))
    cells = np.arange(np.prod(shape))
    assert regions.shape_at(regions.levels - 1).product == 1
    for level in range(regions.levels):
        number = regions.holding(cells, level)
        for region in range(regions.shape_at(level).product):
            assert np.array_equal(regions.cells(level, region), cells[number == region])
        if level:
            below = regions.holding(cells, level - 1)
            assert len(np.unique(np.stack([below, number], 1), axis=0)) == regions.shape_at(level - 1).product


def test_cells_around_a_region_are_clipped_to_the_grid():
    """Regions of 2 cells in 3 x 4 x 9: the first one has cells 0 to 1 a side; one around it 0 to 2."""
    regions = Regions(SHAPE, 2)
    around = [GRID.cell_of(int(n)) for n in regions.cells(0, 0, margin=1)]
    assert set(around) == set(Box((0, 0, 0), (3, 3, 3)).coordinates())
    assert regions.has(np.array([[0, CELL], [1, 1 << 47]], np.uint64), 0, 0).tolist() == [[False, True], [True, False]]
