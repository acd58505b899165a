"""Task `plan`: what a run would do and what its markers say is done already. A dry run stops here and shows it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from emseg.config.base import Record
from emseg.phases import phases
from emseg.phases.declaration import Phase
from emseg.phases.run_context import RunContext


class PhasePlan(Record):
    """Items of one phase, and how many are done."""

    key: str
    items: int
    items_done: int


class Plan(Record):
    """The work of a run. `computed_voxels` counts halos too: it is what segmentation will cost.

    `trained_on_voxels` are in the boxes that the model of the run was trained on, so they will not be scored.
    """

    dataset: str
    run: str
    subvolumes: int
    voxels: int
    computed_voxels: int
    trained_on_voxels: int = 0
    phases: dict[str, PhasePlan]
    served: dict[str, PhasePlan] = Field(default_factory=dict, description="Of the release that it is compared with")
    spark: dict[str, str] = Field(default_factory=dict, description="What the dataset file asks of Spark, by stage")

    def markdown(self) -> str:
        """The plan as a table for a person."""
        lines = [
            f"**{self.dataset}**: {self.subvolumes} subvolumes, {self.voxels / 1e6:.1f} Mvoxels"
            f" ({self.computed_voxels / 1e6:.1f} computed, halos included)"
            + (f"; {self.trained_on_voxels / 1e6:.1f} trained on, not scored" if self.trained_on_voxels else ""),
            "",
            "| phase | items | done already | to do |",
            "|---|---:|---:|---:|",
        ]
        rows = {**self.phases, **{f"{name}, served": plan for name, plan in self.served.items()}}
        lines += [f"| {n} | {p.items} | {p.items_done} | {p.items - p.items_done} |" for n, p in rows.items()]
        asked = [f"- Spark is asked for: `{stage}` {what}" for stage, what in self.spark.items()]
        return "\n".join([*lines, *([""] if asked else []), *asked])


def plan_run(run: RunContext[Any]) -> Plan:
    """Count the items of every phase and the markers that are there."""
    spec, cells = run.spec, run.cells
    excluded = () if spec.groundtruth is None else spec.groundtruth.excluded
    subvolumes = [run.grid.subvolume(number) for number in cells]
    return Plan(
        dataset=spec.dataset,
        run=spec.run,
        subvolumes=len(cells),
        voxels=sum(s.core.voxels for s in subvolumes),
        computed_voxels=sum(s.padded.voxels for s in subvolumes),
        trained_on_voxels=sum(box.box.clipped(run.grid.bounds).voxels for box in set(excluded)),
        phases={phase.name: _phase_plan(phase, run) for phase in phases()},
        spark={stage: str(resources) or "nothing of its own" for stage, resources in spec.spark.items()},
        served={phase.name: _phase_plan(phase, other) for phase in phases() for other in phase.also_for(run)},
    )


def _phase_plan(phase: Phase, run: RunContext[Any]) -> PhasePlan:
    items, folder = len(phase.items(run)), run.folder(phase.name)
    done = items if folder.phase_marker() is not None else len(folder.done_items())
    return PhasePlan(key=folder.phase_key, items=items, items_done=done)
