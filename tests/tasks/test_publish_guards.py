"""Somebody changes the run's node between the end of writing and the commit: it is named, and nothing is committed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.refusals import refused
from tests.running import after

from emseg.config import RunParameters
from emseg.dvid import (
    IndexTable,
    Labelmap,
    delete_indices,
    indexed_labels,
    indices,
    post_indices,
    post_mappings,
)
from emseg.dvid.coordinates import blocks_around
from emseg.engine.items import InProcess
from emseg.errors import IntegrityError, PermanentError, TransientError
from emseg.geometry import Box
from emseg.phases import phase_named
from emseg.phases.labelmaps import segmentation as segmentation_of
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.phases.write import branch
from emseg.phases.write.branch import held_elsewhere, released_meanwhile
from emseg.phases.write.finish import FinishLabelmap
from emseg.phases.write.work import WriteBrick
from emseg.publish import releases
from emseg.quality import Verdict
from emseg.store import FolderStore
from emseg.tasks.jobs import complete
from emseg.tasks.pin import pin_run
from emseg.tasks.publish import publish_run
from emseg.tasks.run_folder import RunFolder

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def datasets(dataset_files: Path, tmp_path_factory) -> Path:
    """A dataset of this file alone, so that its node in DVID is nobody else's."""
    folder = tmp_path_factory.mktemp("datasets")
    document = yaml.safe_load((dataset_files / "demo.yaml").read_text()) | {"name": "guards"}
    (folder / "guards.yaml").write_text(yaml.safe_dump(document))
    return folder


@pytest.fixture(scope="module")
def run(server, volume, datasets, tmp_path_factory) -> RunContext[DvidServices]:
    """A stitched run with a verdict that lets it pass."""
    services = DvidServices(FolderStore(tmp_path_factory.mktemp("store")), server)
    spec = pin_run(RunParameters(dataset="guards"), "guards", datasets, server)
    run = RunContext(spec, "first", lambda: services)
    after(run, "segment", "stitch")
    passed = Verdict(
        passed=True,
        fingerprint=run.keys["write"],
        dataset="guards",
        run="guards",
        reasons=(),
        figures={"vi_split": 1.0},
        rows=(),
    )
    RunFolder(services.store, "guards", "guards").write("verdict", passed)
    return run


@pytest.fixture
def labelmap(run) -> Iterator[Labelmap]:
    """The run's labelmap; what a test changes is mended afterwards by the phase's own end."""
    found = segmentation_of(run)
    yield found
    if not found.node.info().locked:
        FinishLabelmap(run, InProcess())(run.folder("write").manifest())


def publication_refused(run: RunContext[DvidServices], labelmap: Labelmap, *values: object) -> None:
    """Nothing is published: an IntegrityError names the node and the values."""
    with refused(IntegrityError, labelmap.node.uuid, *values):
        publish_run(run)
    assert not segmentation_of(run).node.info().locked
    assert releases(run.open_services().store, "guards") == ()


def first_row(table: IndexTable) -> list[int]:
    """Body, supervoxel, block Z Y X and voxels of the first row of an ordered table."""
    return [int(table.body[0]), int(table.supervoxel[0]), *table.block[0].tolist(), int(table.count[0])]


def test_a_foreign_mapping(run, labelmap):
    first, second = indexed_labels(labelmap)[:2].tolist()
    post_mappings(labelmap, {first: np.array([second], np.uint64)})
    publication_refused(run, labelmap, [[second, first]])


def test_a_count_too_many(run, labelmap):
    body = int(indexed_labels(labelmap)[3])
    table = indices(labelmap, [body]).ordered()
    counted = first_row(table)
    table.count[0] += 1
    post_indices(labelmap, table)
    publication_refused(run, labelmap, [first_row(table)], [counted])


def test_an_index_too_few(run, labelmap):
    body = int(indexed_labels(labelmap)[-1])
    counted = first_row(indices(labelmap, [body]).ordered())
    delete_indices(labelmap, [body])
    publication_refused(run, labelmap, [], [counted])


def test_a_foreign_body(run, labelmap):
    one = np.array([123 << 24], np.uint64)
    post_indices(labelmap, IndexTable(np.zeros((1, 3), np.int32), one, one, np.array([5], np.uint32)))
    publication_refused(run, labelmap, 123 << 24)
    delete_indices(labelmap, [123 << 24])


def test_other_extents(run, labelmap):
    labelmap.set_extents(Box.of_shape((1, 1, 1)))
    publication_refused(run, labelmap, Box.of_shape((1, 1, 1)), run.spec.volume.bounds)


def test_an_instance_of_other_blocks_is_refused_when_the_run_is_pinned(run, server, tmp_path, datasets):
    """DVID would take 64^3 blocks into it and die of them."""
    settings = {"typename": "labelmap", "dataname": "small", "BlockSize": "32,32,32", "Compression": "gzip"}
    node = segmentation_of(run).node
    server.post_json(f"/api/repo/{node.uuid}/instance", settings)
    document = yaml.safe_load((datasets / "guards.yaml").read_text()) | {"output": {"instance": "small"}}
    (tmp_path / "guards.yaml").write_text(yaml.safe_dump(document))
    with refused(PermanentError, "'small'", (32, 32, 32)):
        pin_run(RunParameters(dataset="guards"), "small", tmp_path, server)


def test_the_result_itself_is_published_and_a_second_time_changes_nothing(run):
    """The last test of this file: it commits the node."""
    release = publish_run(run)
    assert release.uuid == run.keys["write"]
    assert publish_run(run) == release


def lost_markers(run) -> None:
    store = run.open_services().store
    for key in list(store.keys_under(f"guards/phases/write/{run.keys['write']}")):
        if "/items/" in key or key.endswith("marker.json"):
            store.delete(key)


def test_lost_markers_of_a_release_are_made_anew_from_what_dvid_holds(run):
    """Kills `NodeLockedError` for ever, advice to write elsewhere, and a driver that writes into the release.

    The stages after `stitch` may do it too: they write nothing.
    """
    labelmap = segmentation_of(run)
    before = run.folder("write").phase_marker()
    blocks = dict(labelmap.stored_blocks(blocks_around(run.spec.volume.bounds), 0))
    for renew in (lambda: after(run, "stitch"), lambda: complete("write", run, InProcess())):
        lost_markers(run)
        renew()
        marker = run.folder("write").phase_marker()
        assert (marker.content_digest, marker.results) == (before.content_digest, before.results)
    assert dict(labelmap.stored_blocks(blocks_around(run.spec.volume.bounds), 0)) == blocks


def test_a_damaged_marker_of_a_release_is_made_anew(run):
    store, key = run.open_services().store, f"guards/phases/write/{run.keys['write']}/marker.json"
    whole = run.folder("write").phase_marker()
    store.put(key, store.get(key)[:-9])
    after(run, "stitch")
    assert run.folder("write").phase_marker().content_digest == whole.content_digest


def test_a_driver_that_finds_the_node_released_by_its_twin_ends_well(run, monkeypatch):
    """Kills the advice to write to a new version, given to the loser of a race that nobody has lost."""
    with refused(TransientError, run.keys["write"]):
        WriteBrick(run, held_elsewhere(run))(run.folder("write").manifest()[0].item)
    with refused(TransientError, run.keys["write"]), released_meanwhile(run):
        segmentation_of(run).set_extents(run.spec.volume.bounds)
    with monkeypatch.context() as at_first:  # it looked before the twin committed the node
        looks = iter((False, True))
        at_first.setattr(branch, "is_released", lambda _: next(looks))
        with refused(TransientError, run.keys["write"]):
            phase_named("write").prepare(run)
    assert after(run, "stitch").folder("write").phase_marker() is not None
