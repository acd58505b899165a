"""Damage and loss of what a run left: whoever reads it, the next try computes just that, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.refusals import refused

from emseg.config.dataset import Segmentation
from emseg.config.stitching import Stitching
from emseg.engine.items import InProcess
from emseg.errors import IntegrityError
from emseg.phases.run_context import RunContext
from emseg.store import FolderStore
from emseg.synthetic import make_volume
from emseg.tasks.damage import read_by
from emseg.tasks.jobs import complete
from emseg.tasks.local import bodies_of, run_on_array

SHAPE = (64, 128, 128)
CUT = Segmentation(core_vox=(64, 64, 64), halo_vox=(20, 20, 20))


@pytest.fixture(scope="module")
def grayscale() -> np.ndarray:
    return make_volume(SHAPE, seed=3).grayscale


@pytest.fixture
def run(tmp_path: Path, grayscale: np.ndarray) -> RunContext:
    """Four subvolumes, of which nothing is computed yet."""
    return run_on_array(grayscale, CUT, Stitching(), FolderStore(tmp_path))


def keys(run: RunContext, phase: str, part: str = "") -> list[str]:
    store = run.open_services().store
    return [key for key in store.keys_under(f"local/phases/{phase}") if part in key and "quarantine" not in key]


def forget(run: RunContext, *phases: str) -> None:
    for phase in phases:
        for key in keys(run, phase):
            run.open_services().store.delete(key)


def spoil(run: RunContext, key: str) -> None:
    data = bytearray(run.open_services().store.get(key))
    data[len(data) // 2] ^= 8
    run.open_services().store.put(key, bytes(data))


def test_a_lost_item_marker_beside_a_whole_phase_marker_is_mended_by_a_retry(run):
    """Reproduced before: five tries said "a retry does only what is missing", and each found the phase done."""
    first = bodies_of(run)
    run.open_services().store.delete(keys(run, "segment", "items/sv-00000000")[0])
    forget(run, "match", "resolve")
    with refused(IntegrityError, "sv-00000000"):
        bodies_of(run)
    assert np.array_equal(bodies_of(run), first)


@pytest.mark.parametrize("damage", ["spoil", "delete"])
def test_all_damage_of_an_input_is_found_and_told_in_one_pass(run, damage):
    """Reproduced before: six damaged objects took seven tries, and Airflow makes four."""
    first = bodies_of(run)
    cores = keys(run, "segment", "/labels")
    victims = [*cores[:3], keys(run, "match", "sv-00000001/votes")[0], keys(run, "match", "items/sv-00000002")[0]]
    for victim in victims:
        spoil(run, victim) if damage == "spoil" else run.open_services().store.delete(victim)
    forget(run, "resolve")
    with refused(IntegrityError, *(f"segment sv-0000000{n}" for n in range(3)), "item sv-00000001"):
        bodies_of(run)
    assert run.folder("segment").done_items() == {"sv-00000003"}
    assert run.folder("match").done_items() == {"sv-00000000", "sv-00000003"}
    assert np.array_equal(bodies_of(run), first)


def test_a_damaged_marker_of_a_phase_costs_no_try_and_computes_nothing(run):
    """Kills a stage that fails because of the one object that it can write again at once."""
    first = bodies_of(run)
    for phase in ("segment", "match"):
        spoil(run, keys(run, phase, "/marker.json")[0])
    before = keys(run, "segment", "attempt-")
    assert np.array_equal(bodies_of(run), first)
    assert keys(run, "segment", "attempt-") == before


@pytest.mark.parametrize("lost", ["match", "segment"])
def test_what_a_task_needs_is_completed_with_what_that_is_made_from(run, lost):
    """The task `gate` needs `resolve`. Kills a completion of one phase whose own input is lost, too."""
    bodies_of(run)
    digest = run.folder("resolve").phase_marker().content_digest
    forget(run, "resolve", lost)
    complete("resolve", run, InProcess())
    assert run.folder("resolve").phase_marker().content_digest == digest


def test_a_lost_manifest_is_written_again_from_the_item_markers(run):
    bodies_of(run)
    run.open_services().store.delete(keys(run, "segment", "manifests/")[0])
    with pytest.raises(IntegrityError):
        run.folder("segment").manifest()
    complete("segment", run, InProcess())
    assert len(run.folder("segment").manifest()) == 4


def test_what_a_phase_reads_includes_what_that_is_made_from():
    assert read_by("segment") == ("segment",)
    assert read_by("resolve") == ("segment", "match", "resolve")
    assert read_by("write") == ("segment", "match", "resolve", "write")
    assert read_by("evaluate") == ("evaluate",)
