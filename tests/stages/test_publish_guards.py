"""Somebody changes the run's node between the end of writing and the commit: it is named, and nothing is committed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from emseg.config import RunParameters
from emseg.dvid import IndexTable, Labelmap, delete_indices, indexed_labels, indices, post_indices, post_mappings
from emseg.errors import IntegrityError, PermanentError
from emseg.geometry import Box
from emseg.publish import releases
from emseg.quality import Verdict
from emseg.stages import (
    DvidServices,
    InProcess,
    RunFolder,
    Workplace,
    publish_run,
    resolve_run,
    run_segment,
    run_stitch,
    stage_keys,
)
from emseg.stages.complete_labelmap import FinishLabelmap
from emseg.store import FolderStore

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def datasets(dataset_files: Path, tmp_path_factory) -> Path:
    """A dataset of this file alone, so that its node in DVID is nobody else's."""
    folder = tmp_path_factory.mktemp("datasets")
    document = yaml.safe_load((dataset_files / "demo.yaml").read_text()) | {"name": "guards"}
    (folder / "guards.yaml").write_text(yaml.safe_dump(document))
    return folder


@pytest.fixture(scope="module")
def place(server, volume, datasets, tmp_path_factory) -> Workplace[DvidServices]:
    """A stitched run with a verdict that lets it pass."""
    services = DvidServices(FolderStore(tmp_path_factory.mktemp("store")), server)
    spec = resolve_run(RunParameters(dataset="guards"), "guards", datasets, server)
    place = Workplace(spec, "first", lambda: services)
    run_segment(place, InProcess())
    run_stitch(place, InProcess())
    passed = Verdict(
        passed=True,
        fingerprint=stage_keys(spec).write,
        dataset="guards",
        run="guards",
        reasons=(),
        figures={"vi_split": 1.0},
        rows=(),
    )
    RunFolder(services.store, "guards", "guards").write("verdict", passed)
    return place


@pytest.fixture
def labelmap(place) -> Iterator[Labelmap]:
    """The run's labelmap; what a test changes is mended afterwards by the phase's own end."""
    found = place.open_services().segmentation(place.spec)
    yield found
    if not found.node.info().locked:
        FinishLabelmap(place)(place.folder("write").manifest())


def refused(place: Workplace[DvidServices], words: str) -> None:
    with pytest.raises(IntegrityError, match=words):
        publish_run(place.spec, place.open_services())
    assert not place.open_services().segmentation(place.spec).node.info().locked
    assert releases(place.open_services().store, "guards") == ()


def test_a_foreign_mapping(place, labelmap):
    first, second = indexed_labels(labelmap)[:2].tolist()
    post_mappings(labelmap, {first: np.array([second], np.uint64)})
    refused(place, f"checking mappings.*{labelmap.node.uuid}")


def test_a_count_too_many(place, labelmap):
    body = int(indexed_labels(labelmap)[3])
    table = indices(labelmap, [body])
    table.count[0] += 1
    post_indices(labelmap, table)
    refused(place, f"checking label indices.*{body}")


def test_an_index_too_few(place, labelmap):
    delete_indices(labelmap, [int(indexed_labels(labelmap)[-1])])
    refused(place, "checking label indices")


def test_a_foreign_body(place, labelmap):
    one = np.array([123 << 24], np.uint64)
    post_indices(labelmap, IndexTable(np.zeros((1, 3), np.int32), one, one, np.array([5], np.uint32)))
    refused(place, f"checking bodies with an index.*{123 << 24}")
    delete_indices(labelmap, [123 << 24])


def test_other_extents(place, labelmap):
    labelmap.set_extents(Box.of_shape((1, 1, 1)))
    refused(place, "checking extents")


def test_an_instance_of_other_blocks_is_refused_when_the_run_is_resolved(place, server, tmp_path, datasets):
    """DVID would take 64^3 blocks into it and die of them."""
    settings = {"typename": "labelmap", "dataname": "small", "BlockSize": "32,32,32", "Compression": "gzip"}
    node = place.open_services().segmentation(place.spec).node
    server.post_json(f"/api/repo/{node.uuid}/instance", settings)
    document = yaml.safe_load((datasets / "guards.yaml").read_text()) | {"output": {"instance": "small"}}
    (tmp_path / "guards.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(PermanentError, match=r"'small'.*\(32, 32, 32\)"):
        resolve_run(RunParameters(dataset="guards"), "small", tmp_path, server)


def test_the_result_itself_is_published_and_a_second_time_changes_nothing(place):
    """The last test of this file: it commits the node."""
    release = publish_run(place.spec, place.open_services())
    assert release.uuid == stage_keys(place.spec).write
    assert publish_run(place.spec, place.open_services()) == release


def test_a_node_that_is_committed_takes_no_label_more(place):
    """Kills a driver that lives on after the commit and writes into the release; its bricks fail by name."""
    store = place.open_services().store
    for key in list(store.keys_under(f"guards/stages/write/{stage_keys(place.spec).write}")):
        if "/items/" in key or key.endswith("marker.json"):
            store.delete(key)
    with pytest.raises(PermanentError, match=f"{stage_keys(place.spec).write}.*committed"):
        run_stitch(place, InProcess())
