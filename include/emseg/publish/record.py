"""A release: which committed DVID version serves a dataset, what was measured of it, and what it replaces."""

from __future__ import annotations

from pydantic import Field

from emseg.config.base import Name, Record
from emseg.store.sealed import Form


class ReleaseRecord(Record):
    """Written once and never changed; `number` counts the releases of a dataset from 1."""

    number: int = Field(ge=1)
    dataset: Name
    root: str = Field(description="Root UUID of the DVID repository")
    uuid: str = Field(description="Full UUID of the committed node that readers are given")
    branch: str
    instance: str
    fingerprint: str = Field(description="Key of phase `write`; at most one release carries it first-hand")
    run: str
    figures: dict[str, float]
    has_groundtruth: bool = Field(default=True, description="False: it was judged without ground truth")
    supersedes: str | None = Field(description="UUID of the release with the number before this one")
    approved_by: str | None = Field(default=None, description="Who approved it, or rolled back to it")
    why: str | None = Field(default=None, description="What that person wrote about it")
    restores: int | None = Field(default=None, description="Number of the earlier release that a rollback serves again")


def release_form(dataset: str) -> Form[ReleaseRecord]:
    """How the records of a dataset are kept; up to schema 1 they had no seal."""
    remedy = f"Have the releases mended: emseg releases repair {dataset}"
    return Form("release", ReleaseRecord, 2, remedy, remedy)
