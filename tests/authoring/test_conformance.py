"""The conformance kit: emseg's own steps keep every promise, and each broken promise is found by itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from pydantic import ConfigDict, Field
from tests.refusals import refused

from emseg.authoring.conformance import check, measured_bytes_per_voxel, problems_of
from emseg.config.base import Record
from emseg.errors import StepError
from emseg.segment import Setting, StepKind, step_class, step_names
from emseg.segment.protocol import AgglomerateStep, MaskStep, PredictStep, SegmentStep, Step, SupervoxelStep

ISOTROPIC = Setting((10.0, 10.0, 10.0))
KNOWN = [step_class(kind, name) for kind in StepKind for name in step_names(kind)]
UNTRAINED = [step for step in KNOWN if not step.needs_model]


class Nothing(Record):
    """No parameters."""


class Predict(PredictStep[Nothing]):
    """An honest step: the gray value itself."""

    name, version, bytes_per_voxel, Parameters, halo_vox = "honest", 1, 8, Nothing, (0, 0, 0)

    def predict(self, gray, mask):  # noqa: ARG002
        return gray.astype(np.float32) / np.float32(255)


@pytest.mark.parametrize("voxel_size_nm", [(10.0, 10.0, 10.0), (40.0, 4.0, 4.0)])
@pytest.mark.parametrize("step", UNTRAINED, ids=lambda step: step.name)
def test_emsegs_own_steps_keep_every_promise(step, voxel_size_nm):
    """Kills a kit that its own house does not pass, and a step whose halo holds for isotropic voxels only."""
    assert problems_of(step(step.Parameters(), Setting(voxel_size_nm))) == []


def test_an_honest_step_passes():
    check(Predict(Nothing(), ISOTROPIC))


# Declarations


class Undescribed(Record):
    width: int = 3


class Thawed(Record):
    model_config = ConfigDict(frozen=False, extra="ignore")
    width: int = Field(default=3, description="voxels")


class Required(Record):
    width: int = Field(description="voxels")


class Lossy(Record):
    levels: frozenset[int] | None = Field(default=frozenset({1}), description="gray levels")

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return 1


@pytest.mark.parametrize(
    ("declared", "values"),
    [
        ({"Parameters": Undescribed}, ("parameter width", "description")),
        ({"Parameters": Thawed}, ("Parameters", "frozen", "emseg.config.base.Record")),
        ({"Parameters": Required}, ("parameter width", "default")),
        ({"Parameters": Lossy}, ("parameters", "JSON")),
        ({"Parameters": dict}, ("Parameters", dict, "emseg.config.base.Record")),
        ({"name": "Über"}, ("name", "'Über'")),
        ({"version": 0}, ("version", 0)),
        ({"version": None}, ("version", None)),
        ({"bytes_per_voxel": 2.5}, ("bytes_per_voxel", 2.5)),
        ({"halo_vox": 3}, ("halo_vox", 3)),
        ({"halo_vox": (1, -1, 0)}, ("halo_vox", (1, -1, 0))),
        ({"halo_vox": (1.5, 0, 0)}, ("halo_vox", (1.5, 0, 0))),
    ],
)
def test_a_declaration_that_nobody_can_plan_with_is_named(declared, values):
    """Kills a kit that crashes on the very mistake it is there to find."""
    step = type("Made", (Predict,), declared)
    parameters = step.Parameters(width=1) if step.Parameters is Required else step.Parameters()
    with refused(StepError, "Made", *values):
        check(step(parameters, ISOTROPIC))


def test_a_step_that_does_not_say_its_kind_is_named():
    made = type("Kindless", (Step,), {"name": "kindless", "version": 1, "Parameters": Nothing, "halo_vox": (0, 0, 0)})
    problems = problems_of(made(Nothing(), ISOTROPIC))
    assert len(problems) == 2
    assert "PredictStep" in problems[0]
    assert "bytes_per_voxel" in problems[1]


# What a step returns

COUNT = itertools.count()


def changes_its_input(self, gray, mask):
    probability = gray.astype(np.float32) / np.float32(255)
    gray[0] = 7
    return probability


def differs_each_time(self, gray, mask):
    return np.full(gray.shape, 1 / (2 + next(COUNT)), np.float32)


def stretches_contrast(self, gray, mask):
    return ((gray - gray.min()) / np.float32(np.ptp(gray))).astype(np.float32)


def wants_thick_volumes(self, gray, mask):
    return (np.gradient(gray.astype(np.float32), axis=0) ** 2).clip(0, 1)


def wants_cubes(self, gray, mask):
    return (gray.astype(np.float32) / np.float32(255)).T


def averages_the_mask(self, gray, mask):
    return np.full(gray.shape, gray[mask][1:].mean() / 255, np.float32)


def looks_three_voxels_far(self, gray, mask):
    return np.roll(gray, 3, axis=2).astype(np.float32) / np.float32(255)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("predict", "values"),
    [
        (changes_its_input, ("texture (24, 20, 28)", "input")),
        (differs_each_time, ("texture (24, 20, 28)", "bytes")),
        (stretches_contrast, ("constant gray (24, 20, 28)", "nan")),
        (wants_thick_volumes, ("texture (1, 33, 17)", "ValueError")),
        (wants_cubes, ("texture (24, 20, 28)", "float32 (28, 20, 24)")),
        (averages_the_mask, ("a mask of one voxel", "nan")),
        (looks_three_voxels_far, ("halo_vox = (0, 0, 0)",)),
    ],
)
def test_a_prediction_that_breaks_one_promise_is_refused_with_the_input_that_shows_it(predict, values):
    """Each mutant keeps all promises but one: kills a kit without the check for it."""
    with refused(StepError, *values):
        check(type("Made", (Predict,), {"predict": predict})(Nothing(), ISOTROPIC))


@pytest.mark.parametrize(("reach", "honest"), [(2, False), (3, True)])
def test_the_halo_is_tried_to_the_voxel_and_on_each_axis(reach, honest):
    """Kills a check that is content with a halo one too small, and one that tries the first axis only."""
    declared = {"predict": looks_three_voxels_far, "halo_vox": (0, 0, reach)}
    problems = problems_of(type("Made", (Predict,), declared)(Nothing(), ISOTROPIC))
    assert any(f"(0, 0, {reach})" in problem for problem in problems) != honest


FIELDS = {"version": 1, "bytes_per_voxel": 64, "Parameters": Nothing, "halo_vox": (0, 0, 0), "name": "made"}


def masks_by_number(self, gray):
    return gray


def leaves_holes(self, probability, mask):
    return np.zeros(mask.shape, np.uint32)


def forgets_a_supervoxel(self, gray, probability, supervoxels):
    return np.where(supervoxels > 1, supervoxels, 0).astype(np.uint32)


def cuts_supervoxels(self, gray, probability, supervoxels):
    return np.arange(1, gray.size + 1, dtype=np.uint32).reshape(gray.shape)


def labels_with_signs(self, gray, mask):
    return mask.astype(np.int64)


@pytest.mark.parametrize(
    ("base", "method", "values"),
    [
        (MaskStep, masks_by_number, ("texture (24, 20, 28)", "uint8 (24, 20, 28)")),
        (SupervoxelStep, leaves_holes, ("mask", "supervoxel")),
        (AgglomerateStep, forgets_a_supervoxel, ("supervoxels", "body")),
        (AgglomerateStep, cuts_supervoxels, ("supervoxel", "bodies")),
        (SegmentStep, labels_with_signs, ("a mask of one voxel", "int64 (24, 20, 28)")),
    ],
)
def test_each_kind_is_held_to_its_own_contract(base, method, values):
    """Kills one contract for all kinds."""
    step = type("Made", (base,), {**FIELDS, base.kind.value: method})
    with refused(StepError, *values):
        check(step(Nothing(), ISOTROPIC))


# Memory is measured in a process of its own, so these classes are at the top of the module


class TwentyBytes(Predict):
    """Takes 16 bytes a voxel and an output of 4, and declares 8."""

    def predict(self, gray, mask):  # noqa: ARG002
        wide = np.ones((2, *gray.shape))
        probability = np.empty(gray.shape, np.float32)
        np.divide(gray, np.float32(255), out=probability)
        probability *= np.float32(wide[1, 0, 0, 0])
        return probability


def test_memory_is_measured_in_bytes_a_voxel():
    """Kills a figure that counts inputs, the interpreter or the warm-up: 2 x 8 and an output of 4 are 20."""
    assert measured_bytes_per_voxel(TwentyBytes(Nothing(), ISOTROPIC)) == pytest.approx(20, abs=0.5)


def test_a_step_that_takes_more_than_it_declares_is_refused_with_both_figures():
    """Kills a kit that believes the declaration: the planner would put twice the tasks on a machine that fit."""
    with pytest.raises(StepError, match=r"\(1\): bytes_per_voxel is 8, \D*(19|20|21)\.\d"):
        check(TwentyBytes(Nothing(), ISOTROPIC))


def test_a_class_that_no_other_process_can_import_is_refused_by_its_name():
    local = type("Local", (Predict,), {})
    with refused(StepError, "memory", "AttributeError", "'Local'"):
        check(local(Nothing(), ISOTROPIC))
