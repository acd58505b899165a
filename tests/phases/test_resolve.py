"""Phase `resolve`: what its regions leave together is the result of one process that sees all votes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.refusals import refused
from tests.stitch.test_regions import CELL, RULES, SHAPE, VOXEL_SIZE_NM, made

from emseg.config.dataset import Segmentation
from emseg.config.edits import Edit, EditKind, Edits
from emseg.engine.items import InProcess
from emseg.errors import IntegrityError
from emseg.phases import phase_named
from emseg.phases.match.artefacts import CONTACTS, CROSSINGS, SUPERVOXELS, VOTES
from emseg.phases.resolve import artefacts, evidence, items, work
from emseg.phases.resolve.artefacts import LEDGER, mapping_parts, parts_of_result, read_mapping
from emseg.phases.run_context import RunContext
from emseg.phases.segment.labels import ASKED
from emseg.phases.survey import region
from emseg.stitch import BodyMapping, Contacts, Evidence, PairConstraints, Votes, cells_of, resolve
from emseg.stitch.crossings import INSIDE, Crossings
from emseg.stitch.regions import Regions
from emseg.store import FolderStore
from emseg.tasks.jobs import run_phases
from emseg.tasks.local import run_on_array

QUARANTINED = (5, 17, 60)
NOTHING_UNDONE = np.empty((0, 2), np.uint64)
WITHOUT = 31
"""A cell that was given up: it has no labels, so no votes."""


def small_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regions of 2 cells a side: 20 of the first level, then 2, then 1."""
    for module in (artefacts, evidence, items, region, work):
        monkeypatch.setattr(module, "regions_of", lambda run: Regions(run.grid.shape, 2))


@pytest.fixture
def _small_regions(monkeypatch):
    small_regions(monkeypatch)


def without_a_cell(known: Evidence) -> Evidence:
    votes, contacts = Votes.joined([known.votes]), Contacts.joined([known.contacts])
    there = (cells_of(votes.first) != WITHOUT) & (cells_of(votes.second) != WITHOUT)
    return Evidence(
        votes.rows(there),
        known.supervoxels.rows(cells_of(known.supervoxels.supervoxel) != WITHOUT),
        contacts.rows(cells_of(contacts.first) != WITHOUT),
        QUARANTINED,
    )


def crossings_of(known: Evidence, cell: int) -> Crossings:
    """Each vote is a pair at a seam, each contact one at a plane inside."""
    votes, contacts = (rows.rows(cells_of(rows.first) == cell) for rows in (known.votes, known.contacts))
    planes = np.repeat(np.array([0, INSIDE], np.uint8), [len(votes), len(contacts)])
    first, second = (
        np.concatenate([getattr(each, side) for each in (votes, contacts)]) for side in ("first", "second")
    )
    return Crossings.joined([Crossings(planes, first, second)])


def a_run(folder: Path, said: PairConstraints, undone: np.ndarray) -> RunContext:
    grayscale = np.zeros(SHAPE * 64, np.uint8)
    run = run_on_array(grayscale, Segmentation(core_vox=(64,) * 3, halo_vox=(20,) * 3), RULES, FolderStore(folder))
    kinds = ((EditKind.JOIN, said.must_link), (EditKind.PART, said.cannot_link), (EditKind.UNDO, undone))
    edits = [Edit(kind=kind, first=a, second=b) for kind, pairs in kinds for a, b in pairs.tolist()]
    spec = run.spec.model_copy(update={"edits": Edits(edits=tuple(edits))})
    return replace(run, spec=spec, given_up={"segment": {f"sv-{WITHOUT:08d}": "it fails"}})


def matched(folder: Path, known: Evidence, said: PairConstraints, undone: np.ndarray) -> RunContext:
    """A run whose segmentation and votes are there."""
    run = a_run(folder, said, undone)
    segment, match = run.folder("segment"), run.folder("match")
    names = {cell: run.grid.subvolume(cell).name for cell in range(SHAPE.product)}
    done = [cell for cell in names if cell != WITHOUT]
    segment.commit_phase(
        [segment.commit_item(names[c], [], {"quarantined": int(c in QUARANTINED), ASKED: 64**3}) for c in done], {}
    )
    markers = []
    for cell, name in names.items():
        tables = {
            VOTES: known.votes.rows(cells_of(known.votes.first) == cell),
            SUPERVOXELS: known.supervoxels.rows(cells_of(known.supervoxels.supervoxel) == cell),
            CONTACTS: known.contacts.rows(cells_of(known.contacts.first) == cell),
            CROSSINGS: crossings_of(known, cell),
        }
        written = [artefact.write(match, name, table.to_arrow()) for artefact, table in tables.items()]
        markers.append(match.commit_item(name, written, {}))
    match.commit_phase(markers, {})
    return run


def resolved(run: RunContext) -> None:
    run_phases("stitch", (phase_named("resolve"),), run, InProcess())


@pytest.fixture(scope="module")
def store_of_a_resolved_run(tmp_path_factory) -> tuple[Path, PairConstraints]:
    """Folder of the store, and what people said; computed once."""
    folder, (known, said) = tmp_path_factory.mktemp("resolved"), made(3)
    with pytest.MonkeyPatch.context() as patch:
        small_regions(patch)
        resolved(matched(folder, without_a_cell(known), said, NOTHING_UNDONE))
    return folder, said


@pytest.fixture
def run(store_of_a_resolved_run, _small_regions, tmp_path) -> RunContext:
    """A resolved run with a copy of its store, which a test may change."""
    folder, said = store_of_a_resolved_run
    return a_run(Path(shutil.copytree(folder, tmp_path / "store")), said, NOTHING_UNDONE)


@pytest.mark.usefixtures("_small_regions")
@pytest.mark.parametrize("seed", range(2))
def test_the_parts_of_mapping_and_ledger_are_those_of_the_whole(seed, tmp_path):
    """Kills a region that takes its neighbours' votes for weaker or stronger than they are, a quarantine that holds
    inside its region alone, and edits that one wave follows and another does not."""
    everything, said = made(seed, votes=900)
    known = without_a_cell(everything)
    undone = np.stack([known.votes.first, known.votes.second], axis=1)[:: len(known.votes) // 5]
    run = matched(tmp_path, known, said, undone)
    resolved(run)
    whole = resolve(known, RULES, VOXEL_SIZE_NM, said, undone)
    folder = run.folder("resolve")
    ledgers = LEDGER.read_all(folder, parts_of_result(run)).sort_by([("first", "ascending"), ("second", "ascending")])
    assert ledgers.equals(whole.ledger)
    assert read_mapping(run).to_arrow().equals(whole.mapping.to_arrow())
    assert folder.phase_marker().results == whole.counts


def test_a_part_of_the_mapping_is_that_of_its_cells(run):
    whole, parts = read_mapping(run), list(mapping_parts(run))
    assert len(parts) == 20
    assert BodyMapping.joined(parts).to_arrow().equals(whole.to_arrow())
    some = read_mapping(run, [0, 107])
    ids = np.array([0 * CELL + 1, 0 * CELL + 2, 107 * CELL + 1, 107 * CELL + 3], np.uint64)
    assert np.array_equal(some.body_of(ids), whole.body_of(ids))
    assert 0 < len(some) < len(whole)


def test_a_retry_joins_only_the_regions_that_have_no_marker(run):
    """Kills a phase that begins anew after a kill, and one whose last level is decided before a region of the first."""
    folder, store = run.folder("resolve"), run.open_services().store
    before = folder.phase_marker().content_digest
    lost = ["join-0-00000003", "join-2-00000000", "bodies-00000007"]
    folder.unmark()
    for item in lost:
        store.delete(folder._item_key(item))
    again = replace(run, attempt="again")
    report = run_phases("stitch", (phase_named("resolve"),), again, InProcess()).report
    assert report.phases[0].items_done == len(lost)
    assert folder.phase_marker().content_digest == before


def test_a_damaged_table_between_two_waves_is_set_aside_and_its_region_is_joined_again(run):
    folder, store = run.folder("resolve"), run.open_services().store
    before, (damaged,) = folder.phase_marker().content_digest, folder.item_markers(["join-0-00000003"])
    key = damaged.artefact("open-candidates").key
    store.put(key, store.get(key)[:-1] + b"?")
    folder.unmark()
    store.delete(folder._item_key("join-1-00000000"))
    with refused(IntegrityError, "join-0-00000003"):
        resolved(replace(run, attempt="finds"))
    resolved(replace(run, attempt="mends"))
    assert folder.phase_marker().content_digest == before


def test_a_region_whose_marker_was_lost_meanwhile_is_no_empty_region(run):
    """Kills a level that goes on without it: its bodies would be joined as if nothing were there."""
    folder, store = run.folder("resolve"), run.open_services().store
    for item in ("join-0-00000003", "join-1-00000000"):
        store.delete(folder._item_key(item))
    with refused(IntegrityError, "join-0-00000003"):
        work.ResolveRegion.of(replace(run, attempt="late"))("join-1-00000000")


def test_a_small_volume_is_one_region(tmp_path):
    """The demo has two items: one that joins, and one that writes the result."""
    known, _ = made(4)
    run = matched(tmp_path, without_a_cell(known), PairConstraints.none(), NOTHING_UNDONE)
    assert phase_named("resolve").items(run) == ("join-0-00000000", "bodies-00000000")
    resolved(run)
    whole = resolve(without_a_cell(known), RULES, VOXEL_SIZE_NM)
    assert read_mapping(run).to_arrow().equals(whole.mapping.to_arrow())
