"""Task `plan`: what a run would do and what its markers say is done already. A dry run stops here and shows it."""

from __future__ import annotations

from emseg.config import RunSpec
from emseg.config.base import Model
from emseg.stages.bricks import bricks_of
from emseg.stages.keys import stage_keys
from emseg.stages.services import DvidServices, chosen_cells
from emseg.store import StageFolder


class StagePlan(Model):
    """Items of one phase, and how many are done."""

    key: str
    items: int
    items_done: int


class Plan(Model):
    """The work of a run. `computed_voxels` counts halos too: it is what segmentation will cost.

    `trained_on_voxels` are in the boxes that the model of the run was trained on, so they will not be scored.
    """

    dataset: str
    run: str
    subvolumes: int
    voxels: int
    computed_voxels: int
    trained_on_voxels: int = 0
    stages: dict[str, StagePlan]

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
        lines += [f"| {n} | {p.items} | {p.items_done} | {p.items - p.items_done} |" for n, p in self.stages.items()]
        return "\n".join(lines)


def plan_run(spec: RunSpec, services: DvidServices) -> Plan:
    """Count the items of every phase and the markers that are there."""
    grid, keys = spec.grid, stage_keys(spec)
    cells = chosen_cells(grid, services.roi(spec))
    subvolumes = [grid.subvolume(number) for number in cells]
    bricks = len(bricks_of(grid, cells, spec.output.max_scale))
    items = {"segment": len(cells), "match": len(cells), "resolve": 1, "write": bricks, "evaluate": len(cells)}
    folders = {s: StageFolder.reader(services.store, spec.dataset, s, getattr(keys, s)) for s in items}
    return Plan(
        dataset=spec.dataset,
        run=spec.run,
        subvolumes=len(cells),
        voxels=sum(s.core.voxels for s in subvolumes),
        computed_voxels=sum(s.padded.voxels for s in subvolumes),
        trained_on_voxels=sum(box.box.clipped(grid.bounds).voxels for box in set(spec.groundtruth.excluded)),
        stages={s: _stage_plan(folders[s], getattr(keys, s), count) for s, count in items.items()},
    )


def _stage_plan(folder: StageFolder, key: str, items: int) -> StagePlan:
    done = items if folder.stage_marker() is not None else len(folder.done_items())
    return StagePlan(key=key, items=items, items_done=done)
