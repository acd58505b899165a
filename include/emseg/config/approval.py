"""What a person decided about a result that the gate passed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from emseg.config.base import Record

MAX_WHY = 500


class Approval(Record):
    """Kept as `approval.json` in the run folder. It is about one result: that of `fingerprint`."""

    decision: Literal["approved", "rejected"]
    fingerprint: str = Field(description="Key of phase `write` of the result that the person saw")
    by: str = Field(min_length=1, max_length=200)
    why: str = Field(default="", max_length=MAX_WHY)
    when: str = Field(description="ISO 8601 time in UTC")
