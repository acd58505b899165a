"""Names and parameters of steps: what is wrong is named, with what is accepted."""

from __future__ import annotations

import pytest

from emseg.config.pipeline import PipelineConfig, StepConfig
from emseg.errors import PermanentError
from emseg.segment import Pipeline, StepKind, preset, preset_names, step_class, step_names
from emseg.segment.registry import make_step


def test_every_known_step_is_found_by_its_kind_and_name():
    """Kills a registry keyed by name alone, and a class registered under another name than its own."""
    for kind in StepKind:
        for name in step_names(kind):
            found = step_class(kind, name)
            assert (found.kind, found.name) == (kind, name)
    assert step_names(StepKind.SUPERVOXELS) == ["dt-watershed"]


def test_every_parameter_of_every_step_is_described_and_has_a_default():
    """Kills an undocumented setting."""
    for kind in StepKind:
        for name in step_names(kind):
            for field, info in step_class(kind, name).Parameters.model_fields.items():
                assert info.description, f"{name}.{field}"
                assert not info.is_required(), f"{name}.{field}"


def test_an_unknown_step_is_refused_with_the_known_ones():
    with pytest.raises(PermanentError, match=r"unet.*Known predict steps: inverted-grayscale"):
        step_class(StepKind.PREDICT, "unet")


def test_a_step_of_another_kind_is_unknown_here():
    """Kills running a watershed where a mask belongs."""
    with pytest.raises(PermanentError, match="dt-watershed"):
        step_class(StepKind.MASK, "dt-watershed")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"boundary_min": 2}, r"boundary_min = 2: .*less than 1"),
        ({"boundry_min": 0.3}, r"boundry_min = 0.3: .*accepted here: boundary_min, distance_cap_vox"),
        ({"min_size_vox": "many"}, r"min_size_vox = 'many'"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_what_is_accepted(parameters, message):
    """Kills a typo that silently runs with the default."""
    with pytest.raises(PermanentError, match=message):
        make_step(StepKind.SUPERVOXELS, StepConfig(name="dt-watershed", parameters=parameters))


def test_every_preset_makes_a_pipeline():
    for name in preset_names():
        assert Pipeline(preset(name)).pinned


def test_an_unknown_preset_is_refused_with_the_known_ones():
    with pytest.raises(PermanentError, match=r"modern.*Known: classical"):
        preset("modern")


def test_a_pipeline_without_a_way_to_labels_is_refused():
    with pytest.raises(ValueError, match="give predict, supervoxels and agglomerate"):
        PipelineConfig(mask=StepConfig(name="empty-region"), predict=StepConfig(name="inverted-grayscale"))
