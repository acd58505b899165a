"""Names and parameters of steps: what is wrong is named, with what is accepted."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from tests.refusals import refused

from emseg.config.pipeline import PipelineConfig, StepConfig
from emseg.config.step_parameters import STEP_PARAMETERS
from emseg.errors import PermanentError
from emseg.segment import Pipeline, StepKind, preset, preset_names, step_class, step_names, with_model
from emseg.segment.protocol import Setting
from emseg.segment.registry import OWN_STEPS, make_step


def test_every_known_step_is_found_by_its_kind_and_name():
    """Kills a registry keyed by name alone, and a class registered under another name than its own."""
    for kind in StepKind:
        for name in step_names(kind):
            found = step_class(kind, name)
            assert (found.kind, found.name) == (kind, name)
    assert step_names(StepKind.SUPERVOXELS) == ["dt-watershed"]


def test_the_form_knows_the_parameters_of_exactly_emsegs_own_steps():
    """Kills a step that runs and is not in the form, and a form that shows the parameters of another class."""
    assert {step.name: step.Parameters for step in OWN_STEPS} == STEP_PARAMETERS


def test_every_parameter_of_every_step_is_described_and_has_a_default():
    """Kills an undocumented setting."""
    for kind in StepKind:
        for name in step_names(kind):
            for field, info in step_class(kind, name).Parameters.model_fields.items():
                assert info.description, f"{name}.{field}"
                assert not info.is_required(), f"{name}.{field}"


def test_an_unknown_step_is_refused_with_the_known_ones():
    with refused(PermanentError, "unet", "inverted-grayscale", "onnx-network", "pixel-classifier"):
        step_class(StepKind.PREDICT, "unet")


def test_a_step_of_another_kind_is_unknown_here():
    """Kills running a watershed where a mask belongs."""
    with refused(PermanentError, "mask", "dt-watershed", "empty-region"):
        step_class(StepKind.MASK, "dt-watershed")


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ({"boundary_min": 2}, ("boundary_min = 2", 1)),
        ({"boundry_min": 0.3}, ("boundry_min = 0.3", "boundary_min", "distance_cap_nm")),
        ({"min_size_nm3": "many"}, ("min_size_nm3 = 'many'",)),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_what_is_accepted(parameters, values):
    """Kills a typo that silently runs with the default."""
    with refused(PermanentError, "dt-watershed", *values):
        make_step(StepKind.SUPERVOXELS, StepConfig(name="dt-watershed", parameters=parameters), Setting((10, 10, 10)))


def test_every_preset_makes_a_pipeline_or_asks_for_a_model():
    """Kills a trained preset that runs untrained, and one that names a step which is not there."""
    assert Pipeline(preset("classical"), (10, 10, 10)).pinned
    for name in {*preset_names()} - {"classical"}:
        with refused(PermanentError, "pixel-classifier", "segmentation.model", "--model"):
            with_model(preset(name), None)


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with refused(PermanentError, "modern", "best", "classical", "default"):
        preset("modern")


def test_a_pipeline_without_a_way_to_labels_is_refused():
    with pytest.raises(ValidationError, match=r"supervoxels.*agglomerate"):
        PipelineConfig(mask=StepConfig(name="empty-region"), predict=StepConfig(name="inverted-grayscale"))
