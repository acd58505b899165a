"""The stages of a run: each is a task of the DAG that submits one Spark job, and has phases of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """A task of the DAG and its Spark job. `summary` is what a person reads beside the task."""

    name: str
    summary: str


SEGMENT = Stage("segment", "Read grayscale from DVID, segment every subvolume, keep labels and overlaps in S3")
STITCH = Stage(
    "stitch",
    "Join bodies over the overlaps, then write labels and mappings to the run's own DVID branch",
)
EVALUATE = Stage(
    "evaluate", "Count the bodies of all of the volume, compare them with the ground truth, and keep all metrics"
)
