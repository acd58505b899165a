"""A release: which committed DVID version serves a dataset, what was measured of it, and what it replaces."""

from __future__ import annotations

import json

from pydantic import Field

from emseg.config.base import Name, Record, validated
from emseg.config.runspec import canonical_json
from emseg.errors import IntegrityError


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
    supersedes: str | None = Field(description="UUID of the release with the number before this one")
    restores: int | None = Field(default=None, description="Number of the earlier release that a rollback serves again")

    def to_json(self) -> bytes:
        """Canonical JSON: equal records are equal bytes."""
        return canonical_json(self.model_dump(mode="json"))

    @classmethod
    def from_json(cls, data: bytes, on: str) -> ReleaseRecord:
        """The record kept under `on`; IntegrityError when the bytes are not JSON."""
        try:
            document = json.loads(data)
        except ValueError:
            raise IntegrityError(
                "reading a release record", on, "not JSON", "Restore the object from the record of the same number"
            ) from None
        return validated(cls, document, "reading a release record", on)
