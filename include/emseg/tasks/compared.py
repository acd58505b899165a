"""What the gate compares a run with: the served release, measured on the same ground truth and in the same region."""

from __future__ import annotations

from collections.abc import Sequence

from emseg.config import RunSpec
from emseg.evaluate import Survey
from emseg.phases.evaluate.work import Evaluation, read_evaluation
from emseg.phases.labelmaps import measured_on, of_served
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices
from emseg.quality import (
    Comparison,
    LargeBody,
    Measured,
    against_release,
    everywhere_against_release,
    optional_against_release,
)


def measured(run: RunContext[DvidServices], evaluation: Evaluation, seed: str) -> Measured:
    """An evaluation, with resamples that follow from a key."""
    unassigned = measured_on(run).unassigned
    return Measured.of(evaluation.score, evaluation.parts, seed, unassigned, evaluation.figures, evaluation.names)


def replaces(spec: RunSpec) -> str | None:
    """Fingerprint of the one release that the run may replace; empty where there is none yet, None: of any."""
    if not spec.gate.compares:
        return None
    return "" if spec.served is None else spec.served.fingerprint


def measured_served(run: RunContext[DvidServices]) -> Measured | None:
    """The served release on the voxels and resamples of the run; None where it is not compared with it."""
    context = of_served(run)
    return None if context is None else measured(context, read_evaluation(context), run.keys["evaluate"])


def with_served(run: RunContext[DvidServices], own: Measured, other: Measured | None) -> list[Comparison]:
    """The run beside the served release, `other`. What is not compared is told."""
    served, policy = run.spec.served, run.spec.gate.regression
    if not run.spec.gate.measures_served:
        return [Comparison(notes=("Not compared with the served release: gate.regression has no limit",))]
    if served is None:
        return [Comparison(notes=("Nothing was published before, so there is no release to compare with",))]
    if other is None:
        reason = f"release {served.number} is of another volume, the repository {served.root}"
        return [Comparison(notes=(f"Not compared with the served release: {reason}",))]
    compared = against_release(own, other, served.number, policy, measured_on(run).unassigned)
    return [
        compared.with_notes(*_region_notes(run.spec)),
        optional_against_release(own.figures, other.figures, served.number, run.spec.gate),
    ]


def everywhere_with_served(run: RunContext[DvidServices], survey: Survey, largest: Sequence[LargeBody]) -> Comparison:
    """What was counted over all of the volume, beside the same of the served release. What is not compared is told."""
    served, policy = run.spec.served, run.spec.gate.everywhere
    if not policy.regression.compares:
        return Comparison(notes=("Not compared with the served release: gate.everywhere.regression has no limit",))
    if served is None or served.root != run.spec.volume.root:  # `with_served` says so, where there is ground truth
        said = "Over all of the volume there is no release to compare with: none is served, or one of another volume"
        return Comparison(notes=(said,))
    return everywhere_against_release(survey, largest, served, policy, run.spec.volume.region)


def _region_notes(spec: RunSpec) -> tuple[str, ...]:
    served = spec.served
    if served is None or served.region == spec.volume.region:
        return ()
    found = "was made over another region" if served.region else "was made over a region that is not known any more"
    return (f"Release {served.number} {found}; both are measured in the region of this run",)
