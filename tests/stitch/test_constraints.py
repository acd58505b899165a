"""Joining under constraints: tables worked by hand, and properties over random ones."""

import networkx as nx
import numpy as np
import pytest
from benchmarks.restitch import VOXEL_SIZE_NM
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.refusals import refused
from tests.stitch.stitch_volumes import contact_table, vote_table

from emseg.config import StitchMode
from emseg.config.stitching import Constraints, Stitching
from emseg.errors import PermanentError
from emseg.stitch import Contacts, Evidence, PairConstraints, Supervoxels, Votes, resolve

CELL = 1 << 24
BIG_CONTACT = 1e9


def stitching(**constraints: object) -> Stitching:
    chosen = {"kept_apart_nm2": 10_000, "max_weak_um3": None, **constraints}
    return Stitching(mode=StitchMode.AGGRESSIVE, constraints=Constraints(**chosen))


def pairs(*rows: tuple[int, int]) -> np.ndarray:
    return np.array(rows, np.uint64).reshape(-1, 2)


def reasons(evidence: Evidence, rules: Stitching, said: PairConstraints | None = None) -> list[str]:
    return resolve(evidence, rules, VOXEL_SIZE_NM, said).ledger["reason"].to_pylist()


# Cell 0 took two bodies for one (1). Cell 1 has them apart (1 and 2), where they touch.
BRIDGE = vote_table((1, CELL | 1, 6000, 10_000, 6000), (1, CELL | 2, 4000, 10_000, 4000))
TOUCHING = contact_table((CELL | 1, CELL | 2, BIG_CONTACT))


def test_supervoxels_that_touch_and_were_kept_apart_are_not_joined_by_weak_evidence():
    """Both votes hold all of one side; supervoxel 1 of cell 0 is disputed, so both are weak; the better is taken."""
    free = stitching(kept_apart_nm2=None)
    assert reasons(Evidence(BRIDGE, contacts=TOUCHING), free) == ["joined", "joined"]
    result = resolve(Evidence(BRIDGE, contacts=TOUCHING), stitching(), VOXEL_SIZE_NM)
    assert result.ledger["reason"].to_pylist() == ["joined", "kept apart in one subvolume where they touch"]
    assert result.ledger["apart_first"].to_pylist() == [None, CELL | 1]
    assert result.ledger["apart_second"].to_pylist() == [None, CELL | 2]
    assert result.ledger["weak"].to_pylist() == [True, True]
    assert result.counts["kept_apart"] == 1


def test_a_contact_counts_only_if_it_is_large():
    for area, joins in ((9_999, True), (10_000, False)):
        evidence = Evidence(BRIDGE, contacts=contact_table((CELL | 1, CELL | 2, area)))
        assert (reasons(evidence, stitching())[1] == "joined") is joins


def test_a_chain_through_other_subvolumes_is_a_join_too():
    """2 - 1 of the next cell, then on to a third cell whose supervoxel touches the first body there."""
    third = 2 * CELL
    table = vote_table(
        (1, CELL | 1, 8000, 8000, 8000),
        (CELL | 1, third | 1, 8000, 8000, 8000),
        (CELL | 2, third | 1, 2000, 2000, 9000),
    )
    evidence = Evidence(table, contacts=contact_table((1, 2, BIG_CONTACT), (CELL | 1, CELL | 2, BIG_CONTACT)))
    found = dict(zip(table.second.tolist(), reasons(evidence, stitching()), strict=False))
    assert found[CELL | 1] == "joined"
    assert reasons(evidence, stitching())[-1] == "kept apart in one subvolume where they touch"


def test_strong_evidence_joins_a_body_that_touches_itself():
    """A spiral: two turns touch in cell 1, and are one body beyond doubt through cell 0 and cell 2."""
    table = vote_table(
        (1, CELL | 1, 5000, 5000, 5000), (1, 2 * CELL | 1, 5000, 5000, 5000), (2 * CELL | 1, 3 * CELL | 1, 9, 9, 9)
    )
    table = Votes.joined([table, vote_table((CELL | 2, 2 * CELL | 1, 5000, 5000, 5000))])
    result = resolve(
        Evidence(table, contacts=contact_table((CELL | 1, CELL | 2, BIG_CONTACT))), stitching(), VOXEL_SIZE_NM
    )
    body = result.mapping.body_of(np.array([CELL | 1, CELL | 2], np.uint64))
    assert body[0] == body[1]
    assert result.counts["self_touching"] == 1


WEAK = vote_table((1, CELL | 1, 2000, 2000, 9000), (2, CELL | 1, 6000, 6900, 9000))


def sizes(*rows: tuple[int, int, int]) -> Supervoxels:
    """Rows of (id, voxels, faces of the volume)."""
    ids, voxels, faces = zip(*rows, strict=True)
    return Supervoxels(np.array(ids, np.uint64), np.array(voxels), np.array(faces, np.uint8))


def test_a_weak_join_of_two_large_bodies_is_parked():
    """1e6 voxels of 10 nm are 1 um3. The first join makes the body large, the second would weld two of them."""
    evidence = Evidence(WEAK, sizes((1, 2_000_000, 0), (2, 2_000_000, 0), (CELL | 1, 100, 0)))
    assert reasons(evidence, stitching(max_weak_um3=3)) == ["joined", "joined"]
    result = resolve(evidence, stitching(max_weak_um3=1), VOXEL_SIZE_NM)
    parked = "parked: joins two large bodies on weak evidence"
    assert result.ledger["reason"].to_pylist() == [parked, "joined"]
    assert result.ledger["parked"].to_pylist() == [True, False]
    assert result.counts["parked"] == 1


def test_a_weak_join_that_reaches_more_faces_of_the_volume_is_parked():
    """Bits 0, 1 and 2: body 2 and the supervoxel of cell 1 reach two faces, with 1 it would be three."""
    evidence = Evidence(WEAK, sizes((1, 10, 4), (2, 10, 2), (CELL | 1, 10, 1)))
    assert reasons(evidence, stitching(max_weak_faces=3)) == ["joined", "joined"]
    assert reasons(evidence, stitching(max_weak_faces=2))[0].startswith("parked: reaches too many faces")


def test_too_many_weak_joins_in_one_body_are_parked():
    assert reasons(Evidence(WEAK), stitching(max_weak_joins=2)) == ["joined", "joined"]
    assert reasons(Evidence(WEAK), stitching(max_weak_joins=1))[0].startswith("parked: too many weak joins")


def test_people_join_and_part_whatever_the_votes_say():
    evidence = Evidence(vote_table((1, CELL | 1, 100, 100, 100)), contacts=TOUCHING)
    parted = PairConstraints(pairs(), pairs((1, CELL | 1)))
    assert reasons(evidence, stitching(), parted) == ["kept apart by a person"]
    joined = resolve(evidence, stitching(), VOXEL_SIZE_NM, PairConstraints(pairs((1, 99)), pairs()))
    assert joined.mapping.body_of(np.array([99, CELL | 1], np.uint64)).tolist() == [1, 1]


def test_a_vote_that_was_taken_back_does_not_count():
    result = resolve(Evidence(BRIDGE), stitching(), VOXEL_SIZE_NM, undone=pairs((CELL | 1, 1)))
    assert result.ledger["reason"].to_pylist() == ["undone by a person", "joined"]


def test_people_who_contradict_each_other_are_told_so():
    said = PairConstraints(pairs((1, 2), (2, 3)), pairs((3, 1)))
    with refused(PermanentError, 3, 1):
        resolve(Evidence(BRIDGE), stitching(), VOXEL_SIZE_NM, said)


@pytest.mark.parametrize("seed", range(20))
def test_a_contradiction_is_found_exactly_where_must_link_pairs_make_a_way(seed):
    """Kills one that looks at direct pairs alone; networkx knows the ways."""
    rng = np.random.default_rng(seed)
    ids = rng.choice(1 << 48, 12, replace=False).astype(np.uint64)
    must_link, cannot_link = (rng.choice(ids, (int(rng.integers(0, most)), 2)) for most in (9, 6))
    joined = nx.Graph(must_link.tolist())
    joined.add_nodes_from(ids.tolist())
    wrong = [pair for pair in cannot_link.tolist() if nx.has_path(joined, *pair)]
    assert PairConstraints(must_link, cannot_link).contradiction().tolist() == (wrong[0] if wrong else [])


def random_evidence(seed: int) -> Evidence:
    rng = np.random.default_rng(seed)
    rows = {}
    for _ in range(60):
        a, b = sorted(rng.choice(6, 2, replace=False))
        first, second = int(a) * CELL + int(rng.integers(1, 5)), int(b) * CELL + int(rng.integers(1, 5))
        shared, more = int(rng.integers(60, 4000)), rng.integers(0, 2000, 2)
        rows[first, second] = (first, second, shared, shared + int(more[0]), shared + int(more[1]))
    contacts = {}
    for _ in range(25):
        cell, (a, b) = int(rng.integers(6)) * CELL, sorted(rng.choice(np.arange(1, 5), 2, replace=False))
        contacts[cell + int(a), cell + int(b)] = (cell + int(a), cell + int(b), float(rng.choice([1e3, 1e5, 1e9])))
    ids = sorted({id_ for pair in rows for id_ in pair})
    rows_of_sizes = [(id_, int(rng.integers(1, 3_000_000)), int(rng.integers(0, 64))) for id_ in ids]
    return Evidence(vote_table(*rows.values()), sizes(*rows_of_sizes), contact_table(*contacts.values()))


RULES = stitching(max_weak_um3=1, max_weak_faces=5, max_weak_joins=4)


@settings(max_examples=60)
@given(st.integers(0, 100_000))
def test_the_result_does_not_depend_on_the_order_of_any_row(seed):
    """Kills ties settled by the order of rows, and lists of constraints whose order decides."""
    evidence = random_evidence(seed)
    rng = np.random.default_rng(seed + 1)
    shuffled = Evidence(
        Votes.joined([evidence.votes.rows(rng.permutation(len(evidence.votes)))]),
        Supervoxels.joined([evidence.supervoxels.rows(rng.permutation(len(evidence.supervoxels)))]),
        Contacts.joined([evidence.contacts.rows(rng.permutation(len(evidence.contacts)))]),
    )
    one = resolve(
        Evidence(Votes.joined([evidence.votes]), evidence.supervoxels, Contacts.joined([evidence.contacts])),
        RULES,
        VOXEL_SIZE_NM,
    )
    other = resolve(shuffled, RULES, VOXEL_SIZE_NM)
    assert one.ledger.equals(other.ledger)
    assert one.mapping.to_arrow().equals(other.mapping.to_arrow())


@settings(max_examples=100)
@given(st.integers(0, 100_000))
def test_every_outcome_is_that_of_a_plain_replay_with_networkx(seed):
    """Oracle: networkx components, rebuilt after each candidate in the order of evidence; sums by walking members.

    Kills lists that lose a constraint at a union, and guards that see the size of a supervoxel in place of its body's.
    """
    evidence = random_evidence(seed)
    ledger = resolve(evidence, RULES, VOXEL_SIZE_NM).ledger.to_pylist()
    size = dict(
        zip(evidence.supervoxels.supervoxel.tolist(), (evidence.supervoxels.voxels / 1e6).tolist(), strict=True)
    )
    faces = dict(zip(evidence.supervoxels.supervoxel.tolist(), evidence.supervoxels.faces.tolist(), strict=True))
    touching = list(
        zip(*(getattr(evidence.contacts, f).tolist() for f in ("first", "second", "area_nm2")), strict=True)
    )
    graph, weak_in = nx.Graph(), nx.Graph()
    candidates = sorted((row for row in ledger if row["reason"].startswith(_OF_CANDIDATES)), key=_evidence)
    graph.add_nodes_from(id_ for row in candidates for id_ in (row["first"], row["second"]))
    for row in candidates:
        one, two = (nx.node_connected_component(graph, row[side]) for side in ("first", "second"))
        expected = _expected(row, one, two, touching, size, faces, weak_in)
        assert row["reason"].startswith(expected), (row, expected)
        if row["joined"]:
            graph.add_edge(row["first"], row["second"])
            if row["weak"] and not row["reason"].endswith("already one body"):
                weak_in.add_edge(row["first"], row["second"])


_OF_CANDIDATES = ("joined", "kept apart", "parked")


def _evidence(row):
    either = row["first_vox"] + row["second_vox"] - row["overlap_vox"]
    return row["weak"], -row["overlap_vox"] / either, -row["overlap_vox"], row["first"], row["second"]


def _expected(row, one, two, touching, size, faces, weak_in):
    if row["first"] in two:
        return "joined, already one body" if row["weak"] else "joined"
    bits = [np.bitwise_or.reduce([faces[p] for p in part]) for part in (one, two)]
    counts = [int(b).bit_count() for b in (*bits, bits[0] | bits[1])]
    refusals = {
        "kept apart in one": any(
            area >= 10_000 and ((a in one and b in two) or (a in two and b in one)) for a, b, area in touching
        ),
        "parked: joins two large": min(sum(size[p] for p in part) for part in (one, two)) > 1,
        "parked: reaches": counts[2] > 5 and counts[2] > max(counts[:2]),
        "parked: too many": weak_in.subgraph(one | two).number_of_edges() + 1 > 4,
    }
    return next((name for name, refused in refusals.items() if refused and row["weak"]), "joined")
