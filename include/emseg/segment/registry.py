"""Steps by short name: emseg's own, and those of installed packages that the deployment allows.

A package offers steps as entry points in group `emseg.steps`. Only packages named in EMSEG_STEP_PACKAGES are imported,
so no installed package enters a run by itself. Planner and workers need the same value.

To add a step of emseg's own: a class in `steps/`, its parameters in `emseg.config.step_parameters`, and its name in
`OWN_STEPS` below.
"""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import Any

from emseg.allowed_packages import Offer, allowed_packages, offers, told_packages
from emseg.config.base import validated
from emseg.config.pipeline import StepConfig
from emseg.errors import EmsegError, PermanentError
from emseg.segment.contract import declaration_faults
from emseg.segment.protocol import Setting, Step, StepKind
from emseg.segment.steps.dt_watershed import DtWatershed
from emseg.segment.steps.empty_region import EmptyRegionMask
from emseg.segment.steps.inverted_grayscale import InvertedGrayscale
from emseg.segment.steps.learned_edges import LearnedEdges
from emseg.segment.steps.mean_boundary import MeanBoundary
from emseg.segment.steps.onnx_network import OnnxNetwork
from emseg.segment.steps.pixel_classifier import PixelClassifier

GROUP = "emseg.steps"
ALLOWED = "EMSEG_STEP_PACKAGES"
"""Environment variable with the names of the packages whose steps may run, separated by commas."""

StepClass = type[Step[Any]]
Steps = dict[tuple[StepKind, str], StepClass]


OWN_STEPS: tuple[StepClass, ...] = (
    EmptyRegionMask,
    InvertedGrayscale,
    PixelClassifier,
    OnnxNetwork,
    DtWatershed,
    MeanBoundary,
    LearnedEdges,
)

_STEPS: Steps = {(step.kind, step.name): step for step in OWN_STEPS}


def step_names(kind: StepKind) -> list[str]:
    """Names of the known steps of a kind, sorted."""
    return sorted(name for known, name in (*_STEPS, *_plugins(allowed_packages(ALLOWED))) if known == kind)


def step_class(kind: StepKind, name: str) -> StepClass:
    """The step called `name`; PermanentError with the known names if there is none."""
    if (kind, name) in _STEPS:
        return _STEPS[kind, name]
    plugins = _plugins(allowed_packages(ALLOWED))
    if (kind, name) in plugins:
        return plugins[kind, name][0]
    raise PermanentError(
        f"looking up the {kind.value} step",
        name,
        "no step has this name",
        f"Known {kind.value} steps: {', '.join(step_names(kind)) or 'none'}; {told_packages(GROUP, ALLOWED)}",
    )


def package_of(kind: StepKind, name: str) -> str:
    """`NAME==VERSION` of the package that a step comes from; empty for a step of emseg's own."""
    return "" if (kind, name) in _STEPS else _plugins(allowed_packages(ALLOWED))[kind, name][1]


def checked_parameters(kind: StepKind, config: StepConfig) -> Any:
    """The parameters of a step, defaults included. PermanentError for an unknown step or a wrong parameter."""
    doing = f"checking the parameters of the {kind.value} step"
    return validated(step_class(kind, config.name).Parameters, config.parameters, doing, config.name)


def make_step(kind: StepKind, config: StepConfig, setting: Setting) -> Step[Any]:
    """A step ready to run.

    PermanentError for an unknown name, a parameter that is unknown or out of range, or a constructor that raises.
    """
    parameters = checked_parameters(kind, config)
    try:
        return step_class(kind, config.name)(parameters, setting)
    except (EmsegError, MemoryError, OSError):
        raise
    except (Exception, SystemExit) as error:
        # Code of others raised it; the same parameters and model would raise it again.
        raise PermanentError(
            f"preparing the {kind.value} step",
            config.name,
            f"raised {type(error).__name__}: {error}",
            "Correct its parameters or its model, or mend the step",
        ) from error


@lru_cache(maxsize=1)
def _plugins(allowed: tuple[str, ...]) -> dict[tuple[StepKind, str], tuple[StepClass, str]]:
    """Steps of the allowed packages, each with its package. No other package is imported."""
    found: dict[tuple[StepKind, str], tuple[StepClass, str]] = {}
    for offer in offers(GROUP, "steps", allowed):
        step = _checked(offer)
        key = (step.kind, step.name)
        if key in _STEPS or key in found:
            owner = found[key][1] if key in found else "emseg itself"
            raise offer.refused(f"{step.kind.value} step {step.name} is taken by {owner}", "Rename the step")
        found[key] = (step, offer.package)
    return found


def _checked(offer: Offer) -> StepClass:
    step = offer.loaded()
    if not (inspect.isclass(step) and issubclass(step, Step) and not inspect.isabstract(step)):
        raise offer.refused("it is not a complete step class", "Derive it from a class of emseg.segment.protocol")
    fault = next(declaration_faults(step), None)
    if fault is not None:
        raise offer.refused(fault, "Declare it as docs/plugins.md says")
    return step
