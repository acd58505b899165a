"""The stages of a run: each is a task of the DAG that submits one Spark job, and has phases of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One Spark job. `summary` is what a person reads beside the task; `writes_dvid` chooses the pool of the task.

    A stage that writes to DVID is never run on behalf of a later one.
    """

    name: str
    summary: str
    writes_dvid: bool = False


SEGMENT = Stage("segment", "Read grayscale from DVID, segment every subvolume, keep labels and overlaps in S3")
STITCH = Stage(
    "stitch",
    "Join bodies over the overlaps, then write labels and mappings to the run's own DVID branch",
    writes_dvid=True,
)
EVALUATE = Stage("evaluate", "Compare the written segmentation with the ground truth and keep all metrics")
