"""What the image checks look for in a subvolume, and what is done where they find it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from emseg.config.base import Model


class Policy(StrEnum):
    """What happens where a check finds something."""

    GO_ON = "go-on"
    MASK = "mask"
    QUARANTINE = "quarantine"


class ImageChecks(Model):
    """Policy of each finding."""

    blank: Policy = Field(default=Policy.MASK, description="Regions without any signal")
