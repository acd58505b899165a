"""The pipeline: what it guarantees whatever the steps return, and what it refuses."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.metrics import variation_of_information
from tests.refusals import refused

from emseg.config.base import Record
from emseg.config.checks import ImageChecks
from emseg.config.pipeline import PipelineConfig, StepConfig
from emseg.config.runspec import PinnedSegmentation
from emseg.errors import PermanentError, StepError
from emseg.segment import Pipeline, StepKind, preset, registry, without_models
from emseg.segment.protocol import PredictStep, SegmentStep, SupervoxelStep
from emseg.synthetic import make_volume

ISOTROPIC = (10.0, 10.0, 10.0)


class Nothing(Record):
    """No parameters."""


class Foreign(SegmentStep):
    """A step of an author outside: returns what the test says."""

    name, version, bytes_per_voxel, Parameters, halo_vox = "foreign", 1, 4, Nothing, (0, 0, 0)
    output: object = None

    def segment(self, gray, mask):  # noqa: ARG002
        if isinstance(self.output, Exception):
            raise self.output
        return self.output


@pytest.fixture
def foreign(monkeypatch):
    """A pipeline of the foreign step, which returns `output`."""

    def pipeline(output, kind=StepKind.SEGMENT, step=Foreign) -> Pipeline:
        made = type("Made", (step,), {"output": output})
        monkeypatch.setitem(registry._STEPS, (kind, "foreign"), made)
        return Pipeline(
            PipelineConfig(mask=StepConfig(name="empty-region"), segment=StepConfig(name="foreign"))
            if kind is StepKind.SEGMENT
            else preset("classical").model_copy(update={kind.value: StepConfig(name="foreign")}),
            ISOTROPIC,
        )

    return pipeline


GRAY = np.random.default_rng(0).integers(60, 200, (4, 5, 6), dtype=np.uint8)
EVERYWHERE = np.ones(GRAY.shape, bool)


@pytest.fixture(scope="module")
def volume():
    return make_volume((64, 80, 72), seed=11)


@pytest.fixture(scope="module")
def classical(volume):
    return Pipeline(preset("classical"), ISOTROPIC).segment_subvolume(
        volume.grayscale, np.ones(volume.grayscale.shape, bool)
    )


def test_labels_are_numbered_by_first_appearance(classical):
    """Kills ids that depend on the order in which a step found them."""
    labels, first = np.unique(classical.labels, return_index=True)
    assert labels.tolist() == list(range(1, len(labels) + 1))
    assert np.array_equal(np.argsort(first), np.arange(len(labels)))


def test_first_appearance_is_in_c_order_even_for_steps_that_return_fortran_order(foreign):
    found = np.asfortranarray(np.arange(120, dtype=np.uint32)[::-1].reshape(GRAY.shape))
    labels = foreign(found).segment_subvolume(GRAY, EVERYWHERE).labels
    assert labels.ravel()[:119].tolist() == list(range(1, 120))
    assert labels.flags.c_contiguous


def test_outside_the_roi_there_is_no_label_and_no_influence_on_the_numbers(foreign):
    """Kills a mask applied only to the input, and numbers used up by voxels that are then dropped."""
    roi = EVERYWHERE.copy()
    roi[:2] = False
    found = np.arange(1, 121, dtype=np.uint32).reshape(GRAY.shape)
    result = foreign(found).segment_subvolume(GRAY, roi)
    assert np.array_equal(result.labels > 0, roi)
    assert result.labels.max() == 60
    counted = {"voxels": 120, "masked_voxels": 60, "segments": 60, "largest_segment_voxels": 1, "quarantined": 0}
    assert result.statistics == counted


def test_a_blank_subvolume_has_no_labels_and_runs_no_step(foreign):
    blank = np.zeros((8, 8, 8), np.uint8)
    result = foreign(ValueError("never called")).segment_subvolume(blank, np.ones(blank.shape, bool))
    assert not result.labels.any()
    assert result.statistics["masked_voxels"] == result.statistics["voxels"] == 512


def test_a_blank_strip_stays_without_labels(volume):
    gray = volume.grayscale.copy()
    gray[20:30] = 0
    result = Pipeline(preset("classical"), ISOTROPIC).segment_subvolume(gray, np.ones(gray.shape, bool))
    assert not result.labels[20:30].any()
    assert result.labels[:20].all()
    assert result.labels[30:].all()


def test_the_classical_preset_finds_synthetic_neurites(volume, classical):
    """Kills an inverted probability or a threshold that joins everything: either costs bits."""
    split, merge = variation_of_information(volume.groundtruth, classical.labels)
    assert split + merge < 1.0
    assert classical.statistics["supervoxels"] >= classical.statistics["segments"] > 3


@pytest.mark.shared_data
def test_the_classical_preset_is_as_good_on_real_tissue_as_it_was(shared_data):
    """Measured 2.99 bits (2.18 split, 0.80 merge) on the whole labelled volume; one segment for all scores above 4."""
    with np.load(shared_data / "medulla/labelled-125x250x250.npz") as data:
        gray, truth = data["grayscale"], data["groundtruth"]
    labels = Pipeline(preset("classical"), ISOTROPIC).segment_subvolume(gray, np.ones(gray.shape, bool)).labels
    split, merge = variation_of_information(truth[truth > 0], labels[truth > 0])
    assert split + merge < 3.1


@pytest.mark.parametrize(
    ("output", "value"),
    [
        (np.zeros(GRAY.shape, np.int64), "int64 (4, 5, 6)"),
        (np.zeros((4, 5, 5), np.uint32), "uint32 (4, 5, 5)"),
        (np.full(GRAY.shape, -1, np.int32).astype(np.uint32), 2**32 - 1),
        (None, "NoneType"),
        (ValueError("no such channel"), "ValueError: no such channel"),
    ],
)
def test_a_step_that_breaks_its_contract_is_named_with_what_it_did(foreign, output, value):
    """Kills casting a wrong dtype in silence, -1 that has become a body, and a fault that is retried for ever."""
    with refused(StepError, "segment step foreign", value):
        foreign(output).segment_subvolume(GRAY, EVERYWHERE)


class ForeignPrediction(PredictStep):
    name, version, bytes_per_voxel, Parameters, halo_vox = "foreign", 1, 4, Nothing, (0, 0, 0)
    output: object = None

    def predict(self, gray, mask):  # noqa: ARG002
        return np.full(gray.shape, self.output, np.float32)


@pytest.mark.parametrize("value", [np.nan, -0.1, 1.5, np.inf])
def test_probabilities_outside_0_to_1_are_refused(foreign, value):
    """Kills a range check that NaN passes."""
    with refused(StepError, "predict step foreign", f"{value:g}"):
        foreign(value, StepKind.PREDICT, ForeignPrediction).segment_subvolume(GRAY, EVERYWHERE)


class ForeignSupervoxels(SupervoxelStep):
    name, version, bytes_per_voxel, Parameters, halo_vox = "foreign", 1, 4, Nothing, (0, 0, 0)
    output: object = None

    def supervoxels(self, probability, mask):  # noqa: ARG002
        return np.full(mask.shape, 5, np.uint32)


def test_supervoxels_outside_the_mask_never_reach_agglomeration(foreign):
    """Kills bodies joined through voxels outside the ROI."""
    roi = EVERYWHERE.copy()
    roi[1] = False
    result = foreign(None, StepKind.SUPERVOXELS, ForeignSupervoxels).segment_subvolume(GRAY, roi)
    assert np.array_equal(result.labels, roi.astype(np.uint32))
    assert result.statistics["supervoxels"] == 1


def test_more_labels_than_ids_have_room_for_are_refused(foreign, monkeypatch):
    """Kills ids that run over into the bits of the next cell."""
    monkeypatch.setattr("emseg.segment.pipeline.MAX_LABELS", 119)
    with refused(StepError, "segment foreign", 120, 119):
        foreign(np.arange(1, 121, dtype=np.uint32).reshape(GRAY.shape)).segment_subvolume(GRAY, EVERYWHERE)


@pytest.mark.parametrize(
    ("gray", "mask"),
    [
        (GRAY.astype(np.float32), EVERYWHERE),
        (GRAY[0], EVERYWHERE[0]),
        (GRAY, EVERYWHERE[:1]),
        (GRAY, EVERYWHERE.astype(np.uint8)),
    ],
)
def test_other_arrays_are_refused(gray, mask):
    with refused(PermanentError, f"{gray.dtype} {gray.shape}", f"{mask.dtype} {mask.shape}"):
        Pipeline(preset("classical"), ISOTROPIC).segment_subvolume(gray, mask)


def test_the_pinned_steps_change_with_a_parameter_and_a_version_and_with_nothing_else(monkeypatch):
    """Kills a digest of the dataset file's words, by which spelled-out defaults would be another pipeline."""
    same = preset("classical").model_copy(
        update={"agglomerate": StepConfig(name="mean-boundary", parameters={"threshold": 0.75})}
    )
    other = preset("classical").model_copy(
        update={"agglomerate": StepConfig(name="mean-boundary", parameters={"threshold": 0.5})}
    )
    pinned = Pipeline(preset("classical"), ISOTROPIC).pinned
    assert Pipeline(same, ISOTROPIC).pinned == pinned
    assert Pipeline(other, ISOTROPIC).pinned != pinned
    monkeypatch.setattr("emseg.segment.steps.dt_watershed.DtWatershed.version", 99)
    assert Pipeline(preset("classical"), ISOTROPIC).pinned != pinned


def test_workers_rebuild_the_planned_pipeline_or_refuse(monkeypatch):
    """Kills a worker of another release that writes results under the planner's key."""
    steps = Pipeline(preset("classical"), ISOTROPIC).pinned
    pinned = PinnedSegmentation(core_vox=(64, 64, 64), halo_vox=(20, 20, 20), steps=steps, checks=ImageChecks())
    assert Pipeline.from_pinned(pinned, ISOTROPIC, without_models).pinned == steps
    monkeypatch.setattr("emseg.segment.steps.dt_watershed.DtWatershed.version", 99)
    with refused(PermanentError, "supervoxels step dt-watershed", '"version":2', '"version":99'):
        Pipeline.from_pinned(pinned, ISOTROPIC, without_models)


def test_the_halo_is_the_sum_over_the_steps_that_run():
    """Kills the maximum, which is too small: each step sees what the one before made of its own halo."""
    assert Pipeline(preset("classical"), ISOTROPIC).halo_vox == (2 + 3 + (8 + 5 + 1) + 1,) * 3


SCRIPT = """
import hashlib, numpy as np
from emseg.segment import Pipeline, preset
from emseg.synthetic import make_volume
gray = make_volume((64, 80, 72), seed=11).grayscale
labels = Pipeline(preset("classical"), (10, 10, 10)).segment_subvolume(gray, np.ones(gray.shape, bool)).labels
print(hashlib.sha256(gray.tobytes() + labels.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("threads", ["1", "3"])
def test_another_process_with_other_threads_gives_the_same_bytes(volume, classical, threads):
    """Kills results that depend on thread count, hash seed or what ran before."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), threads)
    environment = {**os.environ, **counts, "PYTHONHASHSEED": threads}
    run = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True)
    expected = hashlib.sha256(volume.grayscale.tobytes() + classical.labels.tobytes()).hexdigest()
    assert run.stdout.strip() == expected


MEMORY_SCRIPT = """
import numpy as np, pathlib
from emseg.segment import Pipeline, preset
gray = np.random.default_rng(0).integers(60, 200, (144, 144, 144), dtype=np.uint8)
everywhere = np.ones(gray.shape, bool)
pipeline = Pipeline(preset("classical"), (10, 10, 10))
pipeline.segment_subvolume(gray[:32, :32, :32], everywhere[:32, :32, :32])

def status(field):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))

before = status("VmRSS")
pipeline.segment_subvolume(gray, everywhere)
print((status("VmHWM") - before) / gray.size, pipeline.bytes_per_voxel)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from Linux's /proc")
def test_the_declared_memory_is_enough_and_not_several_times_too_much():
    """Kills a declaration that lets the planner put more subvolumes on a machine than fit."""
    run = subprocess.run([sys.executable, "-c", MEMORY_SCRIPT], capture_output=True, text=True, check=True)
    peak, declared = map(float, run.stdout.split())
    assert declared / 3 < peak <= declared
