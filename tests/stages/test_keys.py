"""Stage keys: a change reaches exactly the stages that it can change."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import emseg
from emseg.config import RunSpec, StitchMode
from emseg.config.checks import ImageChecks
from emseg.config.dataset import GatePolicy, Output, Stitching
from emseg.config.runspec import PinnedGroundTruth, PinnedSegmentation, PinnedStep, PinnedVolume
from emseg.stages import keys as keys_module
from emseg.stages.code_version import _without_docstrings, code_version
from emseg.stages.keys import code_versions, stage_keys

STAGES = ("segment", "match", "resolve", "write", "evaluate")
SPEC = RunSpec(
    dataset="brain",
    run="run-1",
    volume=PinnedVolume(
        root="ab",
        node="abcd",
        grayscale="grayscale",
        bounds_start=(0, 0, 0),
        bounds_stop=(100, 100, 100),
        voxel_size_nm=(8.0, 8.0, 8.0),
        roi=None,
        roi_digest="",
    ),
    segmentation=PinnedSegmentation(
        core_vox=(64, 64, 64),
        halo_vox=(20, 20, 20),
        steps=(
            PinnedStep(
                kind="mask",
                name="empty-region",
                version=1,
                package="",
                parameters={"a": 1},
                model=None,
                isolation=None,
            ),
        ),
        checks=ImageChecks(),
    ),
    stitching=Stitching(),
    output=Output(),
    groundtruth=PinnedGroundTruth(node="abcd", instance="gt"),
    gate=GatePolicy(),
    max_failed_share=0.01,
    code=dict.fromkeys(STAGES, "v1"),
)


def changed(**fields: object) -> RunSpec:
    return SPEC.model_copy(update=fields)


@pytest.mark.parametrize(
    ("spec", "first_changed"),
    [
        (changed(run="run-2"), None),
        (changed(gate=GatePolicy(are_max=0.1)), None),
        (changed(groundtruth=PinnedGroundTruth(node="ef01", instance="gt")), "evaluate"),
        (changed(output=Output(max_scale=3)), "write"),
        (changed(output=Output(instance="other")), "write"),
        (changed(output=Output(preserve_bodies=(7,))), "segment"),
        (changed(stitching=Stitching(mode=StitchMode.NONE)), "resolve"),
        (changed(volume=SPEC.volume.model_copy(update={"node": "ef01"})), "segment"),
        (changed(volume=SPEC.volume.model_copy(update={"roi": "r", "roi_digest": "1"})), "segment"),
        (changed(code={**SPEC.code, "segment": "v2"}), "segment"),
        (changed(code={**SPEC.code, "match": "v2"}), "match"),
        (changed(code={**SPEC.code, "evaluate": "v2"}), "evaluate"),
        (changed(segmentation=SPEC.segmentation.model_copy(update={"halo_vox": (20, 20, 21)})), "segment"),
    ],
)
def test_a_change_reaches_its_stage_and_all_after_it(spec, first_changed):
    """Kills a stale result after a change, and work done again for a change that cannot matter."""
    before, after = stage_keys(SPEC), stage_keys(spec)
    first = STAGES.index(first_changed) if first_changed else len(STAGES)
    differs = [getattr(before, stage) != getattr(after, stage) for stage in STAGES]
    assert differs == [i >= first for i in range(len(STAGES))]


def test_a_step_with_another_parameter_or_version_is_another_segmentation():
    (step,) = SPEC.segmentation.steps
    for other in (step.model_copy(update={"version": 2}), step.model_copy(update={"parameters": {"a": 2}})):
        spec = changed(segmentation=SPEC.segmentation.model_copy(update={"steps": (other,)}))
        assert stage_keys(spec).segment != stage_keys(SPEC).segment


def test_preserved_bodies_are_those_of_one_instance_in_any_order():
    """Kills a segmentation around the bodies of one instance that is taken for that around another's."""
    keys = [stage_keys(changed(output=Output(instance=name, preserve_bodies=(7, 9)))) for name in ("a", "b")]
    assert keys[0].segment != keys[1].segment
    assert stage_keys(changed(output=Output(instance="a", preserve_bodies=(9, 7, 7)))) == keys[0]


def test_keys_survive_the_way_through_json():
    assert stage_keys(RunSpec.from_json(SPEC.to_json(), "a test")) == stage_keys(SPEC)


def test_comments_and_docstrings_do_not_change_the_version_of_code_and_everything_else_does():
    def tree(text: str) -> str:
        return ast.dump(_without_docstrings(ast.parse(text)))

    plain = "def f(x):\n    return x + 1\n"
    assert tree(plain) == tree('"""New."""\n\ndef f(x):\n    """Add."""\n    return x + 1  # one\n')
    assert tree(plain) != tree(plain.replace("1", "2"))
    assert code_version("geometry") != code_version("geometry", "codec")
    assert code_version("geometry") != code_version("geometry", libraries=("numpy",))


COMPUTING = {"geometry", "lanes", "label_pairs", "codec", "segment", "stitch", "evaluate", "dvid"}
"""Rooms (and two files) whose code may change a result."""


def imported_rooms(place: Path) -> set[str]:
    """Names X of all `emseg.X` that the files of a room import."""
    found = set()
    for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("emseg."):
                found.add(node.module.split(".")[1])
    return found


def test_code_that_a_stage_computes_with_is_in_its_version_or_in_that_of_an_earlier_stage(monkeypatch):
    """Kills a kernel that moved to another file, and whose changes no longer reach the keys."""
    monkeypatch.setattr(keys_module, "code_version", lambda *rooms, **_: rooms)
    package, seen = Path(emseg.__file__).parent, set()
    for stage in STAGES:
        rooms = code_versions()[stage]
        seen |= {Path(room).parts[0].removesuffix(".py") for room in rooms}
        for room in rooms:
            missing = (imported_rooms(package / room) & COMPUTING) - seen
            assert not missing, f"stage {stage}, {room}: {missing}"
