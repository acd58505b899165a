"""What the image checks do where they find something; what they look for is in `emseg.segment.image_checks`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from emseg.config.base import Model


class Policy(StrEnum):
    """What happens where a check finds something; it is always named in the statistics of the subvolume.

    `fill` shows the steps an interpolation of the nearest good sections, so that neurites pass; runs that are too long
    for it are masked. `mask` leaves the place without labels. A subvolume in `quarantine` is segmented, and joins
    others only where both sides agree almost voxel for voxel.
    """

    GO_ON = "go-on"
    FILL = "fill"
    MASK = "mask"
    QUARANTINE = "quarantine"


class ImageChecks(Model):
    """The policy of each finding."""

    blank: Policy = Field(default=Policy.MASK, description="Region without any signal")
    saturated: Policy = Field(default=Policy.MASK, description="Region at the ends of the gray scale")
    missing_section: Policy = Field(default=Policy.FILL, description="Section without signal between good ones")
    duplicated_section: Policy = Field(default=Policy.FILL, description="Section that repeats the one before it")
    contrast_jump: Policy = Field(default=Policy.FILL, description="Section of other brightness or contrast")
    shifted_section: Policy = Field(default=Policy.FILL, description="Section that lies beside its neighbours")
    noise_burst: Policy = Field(default=Policy.FILL, description="Section with several times the noise")
    odd_section: Policy = Field(default=Policy.FILL, description="Section unlike both neighbours for another reason")
    foreign_texture: Policy = Field(default=Policy.MASK, description="Region unlike what the model was trained on")
    fill_sections: int = Field(default=3, ge=1, le=8, description="Longest run of sections that is filled")

    def policy(self, finding: str) -> Policy:
        """Policy of a finding by its name, `missing-section`."""
        policy: Policy = getattr(self, finding.replace("-", "_"))
        return policy
