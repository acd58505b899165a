"""A subvolume that fails for good: its run goes on without it, and nobody else takes its emptiness for a result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.refusals import refused

from emseg.config.dataset import Segmentation
from emseg.config.pipeline import Isolation
from emseg.config.stitching import Stitching
from emseg.engine.items import InProcess
from emseg.errors import IntegrityError, PermanentError, StepError
from emseg.geometry import Box
from emseg.phases.run_context import RunContext
from emseg.store import FolderStore
from emseg.synthetic import make_volume
from emseg.tasks.jobs import complete, run_stage
from emseg.tasks.local import bodies_of, run_on_array
from emseg.tasks.report_images import image_findings
from emseg.tasks.run_folder import RunFolder

SHAPE = (64, 64, 192)
FAILED = "sv-00000001"
"""The middle one of three subvolumes in a row."""


@pytest.fixture(scope="module")
def grayscale() -> np.ndarray:
    return make_volume(SHAPE, seed=3).grayscale


def run_in(folder: Path, grayscale: np.ndarray, share: float, attempt: str) -> RunContext:
    cut = Segmentation(core_vox=(64, 64, 64), halo_vox=(20, 20, 20))
    run = run_on_array(grayscale, cut, Stitching(), FolderStore(folder))
    return replace(run, spec=run.spec.model_copy(update={"max_failed_share": share}), attempt=attempt)


class Failing:
    """The services of a run, whose grayscale stands for a step that takes longer than its limit where `fails` says."""

    def __init__(self, healthy, fails: Callable[[Box], bool]) -> None:
        self.store, self.roi, self.model, self.preserved = healthy.store, healthy.roi, healthy.model, healthy.preserved
        self._healthy, self._fails, self._spec = healthy, fails, None

    def grayscale(self, spec):
        self._spec = spec
        return self

    def read(self, box: Box):
        if self._fails(box):
            raise StepError("running a segmentation step", "dt-watershed", "took longer than 1 s", "Raise timeout_s")
        return self._healthy.grayscale(self._spec).read(box)


def failing(run: RunContext, fails=lambda box: box.start[2] > 0 and box.stop[2] < SHAPE[2]) -> RunContext:
    """The run with a step that fails for good, on the middle subvolume alone where nothing else is said."""
    services = Failing(run.open_services(), fails)
    return replace(run, open_services=lambda: services)


def markers(folder: Path, run: RunContext) -> dict[str, str]:
    return {m.item: m.attempt for m in run.folder("segment").item_markers(run.folder("segment").done_items())}


def test_a_run_goes_on_without_what_it_gave_up_and_leaves_it_empty(tmp_path, grayscale):
    """Kills a run that one subvolume stops, and votes of a subvolume that was never computed."""
    first = failing(run_in(tmp_path, grayscale, share=0.5, attempt="first"))
    result = run_stage("segment", first, InProcess())
    assert set(result.report.given_up["segment"]) == {FAILED}
    assert result.report.phases[0].items_given_up == 1
    assert result.run.keys["segment"] == first.keys["segment"]
    assert result.run.keys["match"] != first.keys["match"]
    labels = bodies_of(first)
    assert not labels[:, :, 64:128].any()
    assert (labels[:, :, :64] > 0).mean() > 0.5
    assert (labels[:, :, 128:] > 0).mean() > 0.5


def test_a_later_run_with_a_healthy_step_computes_it_whatever_its_own_limit(tmp_path, grayscale):
    """Reproduced before: a run with share 0 and a healthy step reused the empty subvolume of another."""
    bodies_of(failing(run_in(tmp_path / "shared", grayscale, share=0.5, attempt="first")))
    for share in (0.0, 0.5):
        later = run_in(tmp_path / "shared", grayscale, share, attempt=f"later-{share:g}".replace(".", "-"))
        undisturbed = run_in(tmp_path / "alone", grayscale, share, attempt="alone")
        assert np.array_equal(bodies_of(later), bodies_of(undisturbed))
        assert later.folder("segment").phase_marker() is not None
    assert markers(tmp_path, later) == {"sv-00000000": "first", FAILED: "later-0", "sv-00000002": "first"}


def test_a_run_that_allows_no_failure_is_stopped_by_one_that_another_run_gave_up(tmp_path, grayscale):
    run_stage("segment", failing(run_in(tmp_path, grayscale, share=0.5, attempt="first")), InProcess())
    with pytest.raises(PermanentError) as caught:
        run_stage("segment", failing(run_in(tmp_path, grayscale, share=0.0, attempt="strict")), InProcess())
    assert FAILED in str(caught.value)


def test_a_retry_of_the_run_itself_tries_again(tmp_path, grayscale):
    """Kills a retry that could do better and takes the emptiness of its own first try."""
    gave_up = run_stage("segment", failing(run_in(tmp_path, grayscale, 0.5, "first")), InProcess()).run
    retried = run_stage("segment", run_in(tmp_path, grayscale, 0.5, "second"), InProcess())
    assert retried.report.given_up == {}
    assert (retried.report.items_done, retried.report.items_reused) == (1, 2)
    assert retried.run.keys["match"] != gave_up.keys["match"]


def test_a_later_stage_does_not_try_again_and_gives_up_nothing_else(tmp_path, grayscale):
    """Kills a stitching job that segments for hours what has just failed, or that gives up what is damaged."""
    gave_up = run_stage("segment", failing(run_in(tmp_path, grayscale, 0.5, "first")), InProcess()).run
    complete("segment", gave_up, InProcess())
    folder = gave_up.folder("segment")
    assert FAILED not in folder.done_items()
    for key in list(folder.store.keys_under(f"{gave_up.spec.dataset}/phases/segment/{folder.phase_key}")):
        if key.endswith("items/sv-00000000.json") or "/provisional/" in key:
            folder.store.delete(key)
    with pytest.raises(PermanentError):
        complete("segment", failing(gave_up, lambda _: True), InProcess())


def test_the_run_folder_remembers_what_was_given_up_and_the_report_names_it(tmp_path, grayscale):
    """Kills a stitching job, another process, that looks for the keys of a whole segmentation."""
    first = failing(run_in(tmp_path, grayscale, share=0.5, attempt="first"))
    result = run_stage("segment", first, InProcess())
    kept = RunFolder(first.open_services().store, first.spec.dataset, first.spec.run)
    kept.write("spec", first.spec)
    kept.write("report-segment", result.report)
    again = kept.context("second", first.open_services, before="stitch")
    assert again.keys == result.run.keys
    found = image_findings(again.folder("segment").manifest(), again.given_up["segment"])
    assert (found[0].subvolume, found[0].finding) == (FAILED, "failed")
    assert "took longer than 1 s" in found[0].text


def test_what_was_given_up_under_another_pin_of_the_run_is_forgotten(tmp_path, grayscale):
    """Kills a run that was pinned anew, to another halo or step, and goes on without what the first one gave up."""
    first = failing(run_in(tmp_path, grayscale, share=0.5, attempt="first"))
    result = run_stage("segment", first, InProcess())
    kept = RunFolder(first.open_services().store, first.spec.dataset, first.spec.run)
    kept.write("report-segment", result.report)
    halo = first.spec.segmentation.model_copy(update={"halo_vox": (21, 21, 21)})
    kept.write("spec", first.spec.model_copy(update={"segmentation": halo}))
    assert kept.context("second", first.open_services, before="stitch").given_up == {}


def test_nothing_is_given_up_on_behalf_of_another_stage(tmp_path, grayscale):
    """Kills a stitching job that gives up a damaged subvolume, forgets it, and fails on its absence for ever."""
    whole = run_stage("segment", run_in(tmp_path, grayscale, 0.5, "first"), InProcess()).run
    folder = whole.folder("segment")
    (marker,) = folder.item_markers([FAILED])
    folder.store.put(marker.artefacts[0].key, b"damaged")
    with pytest.raises(IntegrityError):
        folder.read_artefact(marker.artefacts[0])
    with refused(PermanentError, FAILED):
        complete("segment", failing(whole), InProcess())
    assert list(folder.store.keys_under(f"{whole.spec.dataset}/phases/segment/{folder.phase_key}/provisional")) == []


def test_a_driver_that_ends_after_its_own_retry_does_not_bring_back_what_it_gave_up(tmp_path, grayscale):
    """Kills an orphan whose late report changes the keys of a run that is being stitched."""
    orphan = failing(run_in(tmp_path, grayscale, 0.5, "orphan"))
    late = run_stage("segment", orphan, InProcess())
    retry = run_stage("segment", run_in(tmp_path, grayscale, 0.5, "retry"), InProcess())
    folder = RunFolder(orphan.open_services().store, orphan.spec.dataset, orphan.spec.run)
    folder.begin(orphan.spec)
    folder.write_report(retry.report, retry.run)
    before = folder.context("stitch", orphan.open_services, before="stitch").keys
    folder.write_report(late.report, late.run)
    assert folder.context("second", orphan.open_services, before="stitch").keys == before == retry.run.keys


def test_a_stage_starts_without_reading_its_own_last_report(tmp_path, grayscale):
    """Kills a report that was cut, and whose remedy, to clear the task that wrote it, ends at the same report."""
    run = run_in(tmp_path, grayscale, 0.5, "first")
    folder = RunFolder(run.open_services().store, run.spec.dataset, run.spec.run)
    folder.begin(run.spec)
    folder.store.put(f"{run.spec.dataset}/runs/{run.spec.run}/report-segment.json", b"{")
    assert folder.context("again", run.open_services, before="segment").given_up == {}
    with refused(PermanentError, "report-segment"):
        folder.context("stitching", run.open_services, before="stitch")
    folder.begin(run.spec)
    with refused(PermanentError, "task `segment`"):  # it would say what the run goes on without
        folder.context("stitching", run.open_services, before="stitch")


def test_another_time_limit_finds_all_that_was_computed(tmp_path, grayscale):
    """Kills a longer limit, the cure of a time-out, that segments everything anew."""
    gave_up = failing(run_in(tmp_path, grayscale, 0.5, "first"))
    run_stage("segment", gave_up, InProcess())
    longer = run_in(tmp_path, grayscale, 0.5, "longer")
    steps = [s.model_copy(update={"isolation": Isolation(timeout_s=60)}) for s in longer.spec.segmentation.steps[:1]]
    segmentation = longer.spec.segmentation.model_copy(update={"steps": (*steps, *longer.spec.segmentation.steps[1:])})
    longer = replace(longer, spec=longer.spec.model_copy(update={"segmentation": segmentation}))
    report = run_stage("segment", longer, InProcess()).report
    assert (report.items_done, report.items_reused) == (1, 2)
