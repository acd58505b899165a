"""What a job leaves for people and for the tasks after it: what each phase did, or why the job failed."""

from __future__ import annotations

from pydantic import Field

from emseg.config.base import Record
from emseg.errors import EmsegError


class PhaseSummary(Record):
    """What one phase of a job did: items computed now, items whose markers were found, and items given up.

    `served`: it was done for the release that the run is compared with.
    """

    phase: str
    key: str
    served: bool = False
    seconds: float
    items_done: int
    items_reused: int
    items_given_up: int = 0
    content_digest: str


class StageReport(Record):
    """What a Spark job did; phases in the order in which they ran.

    `given_up` are, for each phase, the items that failed for good and that the run goes on without, with the reasons.
    """

    stage: str
    phases: tuple[PhaseSummary, ...]
    given_up: dict[str, dict[str, str]] = Field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Wall time of all phases."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def items_done(self) -> int:
        """Items computed in this try."""
        return sum(phase.items_done for phase in self.phases)

    @property
    def items_reused(self) -> int:
        """Items whose markers were found."""
        return sum(phase.items_reused for phase in self.phases)


class Failure(Record):
    """Why a Spark job failed, left for the alert before the driver exits."""

    stage: str
    kind: str
    message: str

    @classmethod
    def of(cls, stage: str, error: EmsegError) -> Failure:
        """Failure of a stage by an error of emseg."""
        return cls(stage=stage, kind=type(error).__name__, message=str(error))
