"""The end of phase `write` in many groups and partitions, and when it fails between them: always the same labelmap."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.phases.runs_over import MAX_SCALE, Runs, check_indices_against_voxels, state
from tests.refusals import refused

from emseg.config import RunSpec
from emseg.dvid import BodyContents, DvidServer, Labelmap, indexed_labels, indices, mappings
from emseg.errors import TransientError
from emseg.geometry import Box
from emseg.phases.labelmaps import branch_name, segmentation
from emseg.phases.write import portions
from emseg.store import LeaseLostError

pytestmark = pytest.mark.services

SHAPE = (64, 128, 256)
PARTITION_ROWS = 10
FIGURES = ("bodies", "supervoxels", "voxels")


@pytest.fixture(scope="module")
def runs(server: DvidServer, tmp_path_factory) -> Runs:
    return Runs(server, tmp_path_factory.mktemp("finish"), "finish", (64, 64, 64))


@pytest.fixture(scope="module")
def spec_of(runs: Runs) -> Callable[[str], RunSpec]:
    """The same run into an instance."""
    node = runs.volume(SHAPE, seed=3)
    return lambda instance: runs.pinned(node, instance)


@pytest.fixture(scope="module")
def at_once(runs: Runs, spec_of) -> Labelmap:
    """Finished in one partition."""
    return runs.stitched(spec_of("once"))


@pytest.fixture
def in_many_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each brick is a source, and a partition has about `PARTITION_ROWS` rows."""
    monkeypatch.setattr(portions, "SOURCE_ROWS", 1)
    monkeypatch.setattr(portions, "PARTITION_ROWS", PARTITION_ROWS)


def figures(runs: Runs, spec: RunSpec) -> dict[str, object]:
    marker = runs.context(spec).folder("write").phase_marker()
    return {name: marker.results[name] for name in FIGURES}


def test_many_partitions_leave_what_one_leaves(runs, spec_of, at_once, in_many_parts) -> None:
    """Kills a body that is cut between bricks or partitions, counts of bodies twice, and a mapping of one part only.

    Oracles: one partition, and numpy on the voxels that DVID returns.
    """
    many = runs.stitched(spec_of("many"))
    assert state(many, Box.of_shape(SHAPE)) == state(at_once, Box.of_shape(SHAPE))
    assert figures(runs, spec_of("many")) == figures(runs, spec_of("once"))
    check_indices_against_voxels(many, Box.of_shape(SHAPE))
    table = indices(many, indexed_labels(many).tolist())
    bricks = {
        (body, x // 2**MAX_SCALE) for body, x in zip(table.body.tolist(), table.block[:, 2].tolist(), strict=True)
    }
    assert len(bricks) > len({body for body, _ in bricks}), "no body lies in two bricks: choose another seed"
    assert len(table) > 5 * PARTITION_ROWS


def test_the_figures_are_those_of_the_labels(runs, spec_of, at_once) -> None:
    """Oracle: numpy on the voxels."""
    bodies, supervoxels = at_once.read(Box.of_shape(SHAPE)), at_once.read(Box.of_shape(SHAPE), supervoxels=True)
    assert figures(runs, spec_of("once")) == {
        "bodies": len(np.unique(bodies[bodies > 0])),
        "supervoxels": len(np.unique(supervoxels[supervoxels > 0])),
        "voxels": int(np.count_nonzero(bodies)),
    }


def test_what_fails_in_an_executor_is_tried_again_and_nothing_is_mapped_before(
    runs, spec_of, at_once, in_many_parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition fails for a while, then the lease is taken away while executors post.

    Kills a phase that is marked without all of its indices, and a writer of mappings that has lost its lease.
    """
    spec, post, calls = spec_of("failing"), BodyContents.post, []
    run = runs.context(spec)
    lease = f"{spec.dataset}/leases/{branch_name(run)}.json"

    def away(contents: BodyContents, labelmap: Labelmap) -> None:
        calls.append(contents)
        if len(calls) == 3:
            raise TransientError("talking to DVID", "POST indices", "HTTP 503", "Try again")
        post(contents, labelmap)

    def robbed(contents: BodyContents, labelmap: Labelmap) -> None:
        run.open_services().store.delete(lease)
        post(contents, labelmap)

    for attempt, (played, error, said) in enumerate(
        ((away, TransientError, "partition 2"), (robbed, LeaseLostError, lease))
    ):
        with monkeypatch.context() as patch:
            patch.setattr(BodyContents, "post", played)
            with refused(error, said):
                runs.stitched(spec, f"try-{attempt}")
        assert run.folder("write").phase_marker() is None
        assert len(mappings(segmentation(run))[0]) == 0
    assert len(calls) > 5, "the other partitions go on"
    assert state(runs.stitched(spec, "last"), Box.of_shape(SHAPE)) == state(at_once, Box.of_shape(SHAPE))
