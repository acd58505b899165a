"""Steps by short name: what a dataset file may ask for, and how a configured step is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from emseg.config.base import validated
from emseg.config.pipeline import StepConfig
from emseg.errors import PermanentError
from emseg.segment.protocol import Step, StepKind
from emseg.segment.steps.dt_watershed import DtWatershed
from emseg.segment.steps.empty_region import EmptyRegionMask
from emseg.segment.steps.inverted_grayscale import InvertedGrayscale
from emseg.segment.steps.mean_boundary import MeanBoundary

StepClass = type[Step[Any]]


def _by_kind_and_name(classes: Iterable[StepClass]) -> dict[tuple[StepKind, str], StepClass]:
    return {(step.kind, step.name): step for step in classes}


_STEPS = _by_kind_and_name((EmptyRegionMask, InvertedGrayscale, DtWatershed, MeanBoundary))


def step_names(kind: StepKind) -> list[str]:
    """Names of the known steps of a kind, sorted."""
    return sorted(name for known, name in _STEPS if known == kind)


def step_class(kind: StepKind, name: str) -> StepClass:
    """The step called `name`; PermanentError that lists the known names where there is none."""
    try:
        return _STEPS[kind, name]
    except KeyError:
        raise PermanentError(
            f"looking up a {kind.value} step",
            name,
            "no step has this name",
            f"Known {kind.value} steps: {', '.join(step_names(kind)) or 'none'}",
        ) from None


def make_step(kind: StepKind, config: StepConfig) -> Step[Any]:
    """A step ready to run; PermanentError for an unknown name or a parameter that is unknown or out of range."""
    found = step_class(kind, config.name)
    doing = f"checking the parameters of a {kind.value} step"
    return found(validated(found.Parameters, config.parameters, doing, config.name))
