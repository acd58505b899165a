"""The synapses and skeletons that a ground truth comes with, opened in DVID."""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar

from emseg.config.groundtruth import SkeletonUnit
from emseg.config.runspec import PinnedSkeletons
from emseg.dvid import Annotations, DvidServer, KeyValues, Node
from emseg.dvid.skeletons import read_skeletons
from emseg.errors import PermanentError
from emseg.evaluate import SkeletonSet
from emseg.geometry import VoxelSize
from emseg.phases.labelmaps import measured_on
from emseg.phases.run_context import RunContext
from emseg.phases.services import DvidServices

Wanted = TypeVar("Wanted")


def annotations_of(run: RunContext[DvidServices]) -> Annotations:
    """The synapses."""
    wanted = _named(run, "synapses", measured_on(run).synapses)
    return Annotations(Node(run.open_services().server, wanted.node), wanted.instance)


def skeletons_of(run: RunContext[DvidServices]) -> SkeletonSet:
    """All skeletons, read once a process; `MOST_NODES` of `emseg.dvid.skeletons` says how many there may be."""
    wanted = _named(run, "skeletons", measured_on(run).skeletons)
    return _read(run.open_services().server, wanted, run.spec.volume.voxel_size_nm)


@lru_cache(maxsize=1)
def _read(server: DvidServer, wanted: PinnedSkeletons, voxel_size_nm: VoxelSize) -> SkeletonSet:
    unit_nm = voxel_size_nm if wanted.unit is SkeletonUnit.VOXEL else (1.0, 1.0, 1.0)
    values = KeyValues(Node(server, wanted.node), wanted.instance)
    return SkeletonSet(read_skeletons(values, unit_nm), voxel_size_nm)


def _named(run: RunContext[DvidServices], what: str, wanted: Wanted | None) -> Wanted:
    if wanted is None:
        found, remedy = f"the dataset file names no {what}", f"Name volume.groundtruth.{what} in it"
        raise PermanentError(f"reading {what}", f"dataset {run.spec.dataset}, run {run.spec.run}", found, remedy)
    return wanted
