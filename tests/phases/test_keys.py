"""Phase keys: a change reaches exactly the phases that it can change."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import pytest
from tests.running import a_spec

from emseg.config import RunSpec, StitchMode
from emseg.config.checks import ImageChecks
from emseg.config.dataset import Output
from emseg.config.edits import Edit, EditKind, Edits
from emseg.config.gate import Everywhere, GatePolicy
from emseg.config.groundtruth import Unassigned
from emseg.config.pipeline import Isolation
from emseg.config.runspec import PinnedGroundTruth, PinnedStep
from emseg.config.stitching import Stitching
from emseg.geometry import Box
from emseg.phases import phases, run_context
from emseg.phases.declaration import Phase
from emseg.phases.keys import phase_keys
from emseg.phases.run_context import RunContext

PHASES = tuple(phase.name for phase in phases())
STEP = PinnedStep(
    kind="mask", name="empty-region", version=1, package="", parameters={"a": 1}, model=None, isolation=None
)
WHOLE = a_spec(Box.of_shape((100, 100, 100)))
SPEC = WHOLE.model_copy(update={"segmentation": WHOLE.segmentation.model_copy(update={"steps": (STEP,)})})


def changed(**fields: object) -> RunSpec:
    return SPEC.model_copy(update=fields)


@pytest.mark.parametrize(
    ("spec", "first_changed"),
    [
        (changed(run="run-2"), None),
        (changed(gate=GatePolicy(are_max=0.1)), None),
        (changed(gate=GatePolicy(everywhere=Everywhere(bodies_max=9))), None),
        (changed(groundtruth=None), "evaluate"),
        (changed(groundtruth=PinnedGroundTruth(node="ef01", instance="gt")), "evaluate"),
        (changed(groundtruth=SPEC.groundtruth.model_copy(update={"unassigned": Unassigned.SINGLETONS})), "evaluate"),
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
        (
            changed(segmentation=SPEC.segmentation.model_copy(update={"checks": ImageChecks(fill_sections=1)})),
            "segment",
        ),
        (changed(edits=Edits(edits=(Edit(kind=EditKind.JOIN, first=1, second=2),))), "resolve"),
        (changed(max_failed_share=0.5), None),
    ],
)
def test_a_change_reaches_its_phase_and_all_after_it(spec, first_changed):
    """Kills a stale result after a change, and work done again for a change that cannot matter."""
    before, after = phase_keys(SPEC), phase_keys(spec)
    first = PHASES.index(first_changed) if first_changed else len(PHASES)
    differs = [before[phase] != after[phase] for phase in PHASES]
    assert differs == [i >= first for i in range(len(PHASES))]


def test_what_an_orphan_is_changes_the_survey_alone():
    """Kills limits of the gate in a key, scores that are computed again for them, and orphans of another floor."""
    before, after = phase_keys(SPEC), phase_keys(changed(gate=GatePolicy(everywhere=Everywhere(orphan_um3=9))))
    assert {phase for phase in PHASES if before[phase] != after[phase]} == {"survey"}


def test_a_step_with_another_parameter_or_version_is_another_segmentation():
    (step,) = SPEC.segmentation.steps
    for other in (step.model_copy(update={"version": 2}), step.model_copy(update={"parameters": {"a": 2}})):
        spec = changed(segmentation=SPEC.segmentation.model_copy(update={"steps": (other,)}))
        assert phase_keys(spec)["segment"] != phase_keys(SPEC)["segment"]


def test_preserved_bodies_are_those_of_one_instance_in_any_order():
    """Kills a segmentation around the bodies of one instance that is taken for that around another's."""
    keys = [phase_keys(changed(output=Output(instance=name, preserve_bodies=(7, 9)))) for name in ("a", "b")]
    assert keys[0]["segment"] != keys[1]["segment"]
    assert phase_keys(changed(output=Output(instance="a", preserve_bodies=(9, 7, 7)))) == keys[0]


def test_keys_survive_the_way_through_json():
    assert phase_keys(RunSpec.model_validate_json(SPEC.model_dump_json())) == phase_keys(SPEC)


LIMITS = [None, Isolation(), Isolation(timeout_s=1), Isolation(memory_mb=256)]


def test_limits_of_a_step_decide_whether_it_succeeds_and_not_what_it_makes():
    """Kills a longer time-out that segments the whole volume again to save one subvolume.

    What such a limit kills is given up, and that is in the keys: see the next test.
    """
    (step,) = SPEC.segmentation.steps
    steps = [step.model_copy(update={"isolation": limit}) for limit in LIMITS]
    specs = [changed(segmentation=SPEC.segmentation.model_copy(update={"steps": (each,)})) for each in steps]
    assert len({phase_keys(spec)["segment"] for spec in specs}) == 1


def test_what_a_run_gave_up_is_in_every_key_after_it():
    """Kills bodies over an empty subvolume that a run with a whole segmentation takes for its own."""
    whole = phase_keys(SPEC)
    one = phase_keys(SPEC, {"segment": {"sv-00000003": "it timed out"}})
    other = phase_keys(SPEC, {"segment": {"sv-00000004": "it timed out"}})
    assert one["segment"] == other["segment"] == whole["segment"]
    for phase in PHASES[1:]:
        assert len({whole[phase], one[phase], other[phase]}) == 3
    assert phase_keys(SPEC, {"segment": {"sv-00000003": "for another reason"}}) == one
    assert phase_keys(SPEC, {"segment": {}}) == phase_keys(SPEC, {}) == whole


def test_every_field_of_a_spec_is_in_a_key_or_is_known_not_to_shape_a_result():
    """Kills a field that somebody adds to the spec, that changes what is computed, and that no phase reads."""
    read = {name for phase in phases() for name in recorded(phase)}
    assert set(RunSpec.model_fields) - read == {
        "schema_version",  # the form of the document
        "run",  # who computed a result does not change it
        "publication",  # decided after the gate
        "approvers",  # asked after the gate
        "served",  # measured beside the result, under a key of its own
        "spark",  # how fast, not what
        "max_failed_share",  # what is given up is in the keys by its name
        "code",  # part of every key, for its own phase
        "dataset",  # part of every key
    }


def recorded(phase: Phase) -> set[str]:
    """Fields of a spec that a phase reads for its key."""
    read = set()

    class Recording:
        def __getattr__(self, name: str) -> object:
            read.add(name)
            return getattr(SPEC, name)

    phase.reads(Recording())
    return read


def test_keys_are_computed_once_for_a_run_and_travel_with_it(monkeypatch):
    """Kills 0.3 s for each item of a run with 100 000 edits: every task asks for several folders."""
    calls = []
    monkeypatch.setattr(run_context, "phase_keys", lambda *given: calls.append(given) or phase_keys(*given))
    run = RunContext(SPEC, "one", SimpleNamespace)
    assert [run.keys[phase] for phase in PHASES] == list(phase_keys(SPEC).values())
    sent = pickle.loads(pickle.dumps(run))  # noqa: S301 - what Spark does with the work of a phase
    assert sent.keys == run.keys
    assert len(calls) == 1
