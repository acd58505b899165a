"""Predict step `gradient-boundary`: where the gray level changes fast, there is a boundary."""

import numpy as np
from pydantic import Field
from scipy import ndimage

from emseg.config.base import Record
from emseg.segment.protocol import Gray, Margin, Mask, PredictStep, Probability

CUT = 3.0


class GradientBoundaryParameters(Record):
    """How wide to look, and how steep is a boundary."""

    sigma_nm: float = Field(default=15, ge=4, le=100, description="Gaussian smoothing, nm")
    steep_gray: float = Field(default=8, gt=0, description="Gray levels a voxel at which the probability is one half")


class GradientBoundary(PredictStep[GradientBoundaryParameters]):
    """`p = g / (g + steep)`, g the gradient magnitude of the smoothed image: g = 8 gives 0.5 with the defaults."""

    name = "gradient-boundary"
    version = 1
    bytes_per_voxel = 40
    Parameters = GradientBoundaryParameters

    @property
    def halo_vox(self) -> Margin:
        """The smoothing is cut at three sigmas; the gradient looks one voxel farther."""
        z, y, x = self.setting.margin(CUT * self.parameters.sigma_nm)
        return z + 2, y + 2, x + 2

    def predict(self, gray: Gray, mask: Mask) -> Probability:
        """Boundary probability of each voxel."""
        image = gray.astype(np.float32)
        image[~mask] = 128
        sigma = self.setting.in_voxels(self.parameters.sigma_nm)
        smooth = ndimage.gaussian_filter(image, sigma, truncate=CUT, mode="nearest")
        squared = np.zeros(gray.shape, np.float32)
        for axis in range(3):
            if gray.shape[axis] > 1:
                squared += np.gradient(smooth, axis=axis) ** 2
        steep = np.sqrt(squared)
        return (steep / (steep + np.float32(self.parameters.steep_gray))).astype(np.float32)
