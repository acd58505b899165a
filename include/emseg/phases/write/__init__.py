"""Phase `write`: labels and mapping in; a labelmap on the run's own DVID branch out.

One item is one brick: whole DVID blocks at every scale. When every brick is written, executors post the indices of
bodies, and one writer, the driver, posts mappings and extents (`finish.py`). All of it is checked.

**Which voxels are overwritten, and which ids they get.** The output instance may hold labels already, for example those
of an earlier release. In this example groups of voxels `a` to `f` lie in subvolume 1, `g` in subvolume 2. Ids encode
subvolume and local label: 1.3 stands for 1 x 2^24 + 3 = 16777219. The run preserves body 1.3.

    group                   a    b    c    d    e    f    g
    inherited supervoxel  1.1  1.1  1.2  1.2  1.3  1.3  2.7
    inherited body        1.1  1.1  1.2  1.2  1.3  1.3  1.2
    in the ROI              -  yes  yes  yes  yes  yes    -
    replaced region         -  yes  yes  yes    -    -    -
    new local label         -    1    1    2    -    -    -
    default id              -  1.1  1.1  1.2    -    -    -
    supervoxel afterwards 1.1  1.4  1.4  1.2  1.3  1.3  2.7
    body afterwards       1.1  1.4  1.4  1.2  1.3  1.3  2.7

- The *replaced region* is what a run may overwrite: voxels inside a selected subvolume and the ROI, outside preserved
  bodies (`replaced_region.py`). Here these are b, c and d. `g` keeps its label, because subvolume 2 is not selected: it
  has no voxel in the ROI.
- *Inherited labels* are what the segmented version holds. An inherited supervoxel *survives* where one of its voxels is
  outside of the replaced region: 1.1 in a, 1.3 in e and f, 2.7 in g. 1.2 does not survive (`dvid/labels/inherited.py`).
- The *default id* of a new supervoxel encodes its subvolume and local label. Label 2 gets its default id 1.2: the
  inherited 1.2 is gone. Label 1 cannot get 1.1, which a surviving supervoxel holds. It gets a *substitute id*, the next
  one after all ids of the subvolume that are held or default ids: 1.4 (`substitute_ids.py`).
- An inherited body keeps its name, unless a new supervoxel has this id. 1.2 is a new supervoxel now, so the rest of the
  inherited body 1.2 is called by its smallest surviving supervoxel, 2.7.

All of it is a function of the spec and of a locked version, so all bricks and all tries agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emseg.phases.declaration import Phase
from emseg.phases.stages import STITCH

if TYPE_CHECKING:
    from pydantic import JsonValue

    from emseg.config import RunSpec
    from emseg.engine.items import StageExecutor, Work
    from emseg.engine.run import Scalars
    from emseg.phases.artefact import TableArtefact
    from emseg.phases.run_context import RunContext
    from emseg.store import ItemMarker


class Write(Phase):
    """The segmentation in DVID, not committed yet."""

    name = "write"
    stage = STITCH
    follows = "resolve"
    reads_from = ("segment", "resolve")
    writes_dvid = True

    def reads(self, spec: RunSpec) -> Mapping[str, JsonValue]:
        """The output instance, its scales and the preserved bodies."""
        return {"output": spec.output.model_dump(mode="json")}

    def items(self, run: RunContext[Any]) -> tuple[str, ...]:
        """The bricks that hold a voxel of a selected subvolume."""
        from emseg.phases.write.bricks import brick_name, bricks_of

        return tuple(brick_name(number) for number in bricks_of(run.grid, run.cells, run.spec.output.max_scale))

    def prepare(self, run: RunContext[Any]) -> Work:
        """Make the run's branch and labelmap, then write one brick; compare it where the result is released."""
        from emseg.phases.write.branch import is_released, prepare_branch, released_meanwhile
        from emseg.phases.write.work import WriteBrick

        if is_released(run):
            return self.marking_anew().prepare(run)
        with released_meanwhile(run):
            return WriteBrick(run, prepare_branch(run))

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker], executor: StageExecutor) -> Scalars:
        """Mappings, indices and extents, posted and read back; compared where the result is released."""
        from emseg.phases.write.branch import is_released
        from emseg.phases.write.finish import FinishLabelmap

        finish = FinishLabelmap(run, executor)
        return finish.compare(markers) if is_released(run) else finish(markers)

    def marking_anew(self) -> MarkWrittenAnew:
        """The phase where DVID holds its labels already, and only markers are lost."""
        return MarkWrittenAnew()

    def artefacts(self) -> tuple[TableArtefact, ...]:
        """Three tables of each brick."""
        from emseg.phases.write.artefacts import NEW_COUNTS, REPLACED_COUNTS, SUBSTITUTES

        return NEW_COUNTS, REPLACED_COUNTS, SUBSTITUTES


class MarkWrittenAnew(Write):
    """Bricks are made, compared with what the run's node holds, and marked; nothing is written to DVID."""

    def prepare(self, run: RunContext[Any]) -> Work:
        """Compare one brick. PermanentError where the run has no node or labelmap yet."""
        from emseg.phases.write.branch import held_elsewhere, require_branch
        from emseg.phases.write.work import WriteBrick

        require_branch(run)
        return WriteBrick(run, held_elsewhere(run), only_compares=True)

    def finish(self, run: RunContext[Any], markers: Sequence[ItemMarker], executor: StageExecutor) -> Scalars:
        """Mappings, indices and extents, compared."""
        from emseg.phases.write.finish import FinishLabelmap

        return FinishLabelmap(run, executor).compare(markers)


PHASE = Write()
