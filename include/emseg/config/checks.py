"""What is done about each fault that the image checks find; the checks themselves are `emseg.segment.image_checks`."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from emseg.config.base import Record


class Policy(StrEnum):
    """What is done about a fault; whatever it is, the statistics of the subvolume name the fault.

    `fill` shows the steps an interpolation of the nearest good sections, so that neurites pass; runs of sections that
    are too long for it are masked. `mask` leaves the voxels without labels. `quarantine` lets the subvolume be
    segmented, but it joins others only where both sides agree almost voxel for voxel. `go-on` changes nothing.
    """

    GO_ON = "go-on"
    FILL = "fill"
    MASK = "mask"
    QUARANTINE = "quarantine"


class ImageChecks(Record):
    """The policy of each fault, which has `-` in its name for the `_` of the field: `missing-section`."""

    blank: Policy = Field(default=Policy.MASK, description="Region without any signal")
    saturated: Policy = Field(default=Policy.MASK, description="Region at the bright end of the gray scale")
    missing_section: Policy = Field(default=Policy.FILL, description="Section without signal between good ones")
    duplicated_section: Policy = Field(default=Policy.FILL, description="Section that repeats the one before it")
    contrast_jump: Policy = Field(default=Policy.FILL, description="Section of other brightness or contrast")
    shifted_section: Policy = Field(default=Policy.FILL, description="Section that lies beside its neighbours")
    noise_burst: Policy = Field(default=Policy.FILL, description="Section with several times the noise")
    odd_section: Policy = Field(default=Policy.FILL, description="Section unlike both neighbours for another reason")
    foreign_texture: Policy = Field(default=Policy.MASK, description="Region unlike what the model was trained on")
    fill_sections: int = Field(default=3, ge=1, le=8, description="Longest run of sections that is filled")
