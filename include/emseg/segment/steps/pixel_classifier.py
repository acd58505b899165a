"""Predict step `pixel-classifier`: boundary probability from a forest trained on the tissue at hand."""

from __future__ import annotations

from emseg.config.step_parameters import PixelClassifierParameters
from emseg.segment.boundary import BoundaryClassifier
from emseg.segment.model import require_voxel_size
from emseg.segment.protocol import Gray, Margin, Mask, PredictStep, Probability, Setting


class PixelClassifier(PredictStep[PixelClassifierParameters]):
    """The passes of the model, one after the other (`emseg.segment.boundary`)."""

    name = "pixel-classifier"
    version = 1
    bytes_per_voxel = 44
    Parameters = PixelClassifierParameters
    needs_model = True

    def __init__(self, parameters: PixelClassifierParameters, setting: Setting) -> None:
        """PermanentError when the model is of another voxel size, or has no usable section `boundary`."""
        super().__init__(parameters, setting)
        require_voxel_size(self.model, setting.voxel_size_nm, self.name)
        self._classifier = BoundaryClassifier.of(self.model)

    @property
    def halo_vox(self) -> Margin:
        """Reach of the widest features, over all passes."""
        return self._classifier.reach_vox(self.setting.voxel_size_nm)

    def predict(self, gray: Gray, mask: Mask) -> Probability:
        """Boundary probability of each voxel."""
        return self._classifier.predict(gray, mask, self.setting.voxel_size_nm)
