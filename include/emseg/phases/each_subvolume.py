"""Phases whose items are the selected subvolumes. It counts in their code versions, as `declaration.py` does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emseg.phases.declaration import Phase

if TYPE_CHECKING:
    from emseg.phases.run_context import RunContext


class EachSubvolume(Phase):
    """A phase whose items are the selected subvolumes of the run."""

    def items(self, run: RunContext[Any]) -> tuple[str, ...]:
        """Names of the selected subvolumes, `sv-00000042`."""
        return tuple(run.grid.subvolume(number).name for number in run.cells)
