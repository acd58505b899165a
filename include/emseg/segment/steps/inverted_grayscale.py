"""Predict step `inverted-grayscale`: membranes are dark, so darkness is the boundary probability. Needs no training."""

from __future__ import annotations

import numpy as np
from bioimage_cpp.filters import gaussian_smoothing

from emseg.config.step_parameters import InvertedGrayscaleParameters
from emseg.segment.protocol import Gray, Margin, Mask, PredictStep, Probability

_WINDOW = 3.0
"""The Gaussian is cut at this many sigmas."""


class InvertedGrayscale(PredictStep[InvertedGrayscaleParameters]):
    """`p = 1 / (1 + exp((smoothed - center) / width))`; with the defaults a smoothed gray of 113 gives p = 0.731.

    Voxels outside the mask count as gray `center_gray`, so that blank padding does not darken the tissue beside it.
    """

    name = "inverted-grayscale"
    version = 2
    bytes_per_voxel = 14
    Parameters = InvertedGrayscaleParameters

    @property
    def halo_vox(self) -> Margin:
        """Radius of the Gaussian."""
        return self.setting.margin(_WINDOW * self.parameters.sigma_nm)

    def predict(self, gray: Gray, mask: Mask) -> Probability:
        """Boundary probability of each voxel."""
        p = self.parameters
        image = gray.astype(np.float32)
        image[~mask] = p.center_gray
        darkness = gaussian_smoothing(image, self.setting.in_voxels(p.sigma_nm), window_size=_WINDOW)
        del image
        darkness -= np.float32(p.center_gray)
        darkness /= np.float32(p.width_gray)
        np.exp(darkness, out=darkness)
        darkness += 1
        np.reciprocal(darkness, out=darkness)
        probability: Probability = darkness
        return probability
