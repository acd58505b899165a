"""What a phase is run with: the spec, the keys, the id of this attempt, and how a worker opens its services."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Generic, TypeVar

from emseg.config import RunSpec
from emseg.geometry import Box, Grid, Roi, is_selected, selected_cells
from emseg.phases.keys import GivenUp, phase_keys
from emseg.phases.services import Services
from emseg.store import PhaseFolder

S_co = TypeVar("S_co", bound=Services, covariant=True)


@dataclass(frozen=True)
class RunContext(Generic[S_co]):
    """One attempt at a run (`""`: only looking). `given_up` are the items that it does without, by phase, and why.

    `known` are keys of phases that another run has done. It travels to Spark's workers: it holds no connection and no
    secret, and its keys are computed once.
    """

    spec: RunSpec
    attempt: str
    open_services: Callable[[], S_co]
    given_up: GivenUp = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def keys(self) -> dict[str, str]:
        """The key of each phase."""
        return phase_keys(self.spec, self.given_up, self.known)

    @cached_property
    def grid(self) -> Grid:
        """The grid of subvolumes."""
        return grid_of(self.spec)

    @property
    def roi(self) -> Roi | None:
        """The pinned ROI; None means the whole volume."""
        return self.open_services().roi(self.spec)

    @property
    def cells(self) -> list[int]:
        """Numbers of the subvolumes to compute, ascending: those that hold a voxel of the ROI."""
        return selected_cells(self.grid, self.roi)

    def is_selected(self, number: int) -> bool:
        """Whether a subvolume is computed; agrees with `cells`."""
        return is_selected(self.roi, self.grid.subvolume(number).core)

    def folder(self, phase: str) -> PhaseFolder:
        """Folder of a phase of this run, writing under this attempt."""
        store = self.open_services().store
        folder = PhaseFolder(store, self.spec.dataset, phase, self.keys[phase], self.attempt)
        return folder.without(self.given_up.get(phase, ()))

    def after(self, phase: str, given_up: dict[str, str]) -> RunContext[S_co]:
        """The run as it goes on after `phase`, which gave some items up (or, in this try, none)."""
        if given_up == self.given_up.get(phase, {}):
            return self
        others = {name: items for name, items in self.given_up.items() if name != phase}
        return replace(self, given_up={**others, phase: given_up} if given_up else others)


def grid_of(spec: RunSpec) -> Grid:
    """The grid of subvolumes over the extents of the grayscale."""
    return Grid(
        Box(spec.volume.bounds_start, spec.volume.bounds_stop), spec.segmentation.core_vox, spec.segmentation.halo_vox
    )
