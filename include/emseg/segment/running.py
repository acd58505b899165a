"""One configured step, ready to run: in this process, or in a child process where the configuration asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from emseg.config.pipeline import Isolation, StepConfig
from emseg.config.runspec import PinnedStep
from emseg.errors import EmsegError
from emseg.segment.contract import checked, step_fault
from emseg.segment.isolation import run_isolated
from emseg.segment.protocol import Margin, Setting, Step, StepKind
from emseg.segment.registry import make_step, package_of


@dataclass(frozen=True)
class PreparedStep:
    """A step with what the configuration says about how it runs."""

    step: Step[Any]
    package: str
    isolation: Isolation | None

    @classmethod
    def made(cls, kind: StepKind, config: StepConfig, setting: Setting) -> PreparedStep:
        """The step that `config` asks for; PermanentError as in `make_step`."""
        return cls(make_step(kind, config, setting), package_of(kind, config.name), config.isolation)

    @property
    def pinned(self) -> PinnedStep:
        """All that its output depends on besides the voxels."""
        return self.step.pinned(self.package, self.isolation)

    @property
    def halo_vox(self) -> Margin:
        """The halo that the step declares, voxels Z Y X."""
        return self.step.halo_vox

    @property
    def bytes_per_voxel(self) -> int:
        """The memory that the step declares, bytes for each computed voxel."""
        return self.step.bytes_per_voxel

    def run(self, *arrays: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The checked output of the step; all arrays have one shape. StepError when it raises or breaks its contract.

        MemoryError and OSError pass through: they are no faults of the step, and a retry may succeed.
        """
        step = self.step
        if self.isolation is not None:
            output = run_isolated(step, self.isolation, arrays)
        else:
            try:
                output = getattr(step, step.kind.value)(*arrays)  # the one method of each kind has the kind's name
            except (EmsegError, MemoryError, OSError):
                raise
            except (Exception, SystemExit) as error:
                # Code of others raised it; the same voxels would raise it again.
                fault = f"raised {type(error).__name__}: {error}"
                raise step_fault(step, fault, "Mend the step, or choose another") from error
        return checked(step, output, arrays[0].shape)
