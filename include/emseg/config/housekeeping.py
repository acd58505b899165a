"""What housekeeping keeps: options of `emseg tidy`, and the form of DAG `housekeeping`."""

from __future__ import annotations

from pydantic import Field

from emseg.config.base import Record


class HousekeepingPolicy(Record):
    """A run is kept with all that it names if any one of its reasons holds: it is among the last, or young.

    Beside the policy, always kept: runs and results that a release names, and runs that may be going on.
    """

    keep_runs: int = Field(default=10, ge=0, le=100_000, description="Keep this many of the last runs of each dataset")
    older_than_days: float = Field(
        default=30.0,
        ge=0,
        le=36_500,
        allow_inf_nan=False,
        description="Remove nothing that was written within so many days",
    )
