"""Agglomerate step `learned-edges`: joins supervoxels where forests trained on the tissue say so, in rounds."""

from __future__ import annotations

from emseg.config.step_parameters import LearnedEdgesParameters
from emseg.segment.learned_linkage import REACH_NM, LearnedLinkage
from emseg.segment.model import require_voxel_size
from emseg.segment.protocol import AgglomerateStep, Gray, Labels, Margin, Probability, Setting


class LearnedEdges(AgglomerateStep[LearnedEdgesParameters]):
    """The rounds of the model (`emseg.segment.learned_linkage`)."""

    name = "learned-edges"
    version = 1
    bytes_per_voxel = 30
    Parameters = LearnedEdgesParameters
    needs_model = True

    def __init__(self, parameters: LearnedEdgesParameters, setting: Setting) -> None:
        """PermanentError when the model is of another voxel size, or has no usable section `edges`."""
        super().__init__(parameters, setting)
        require_voxel_size(self.model, setting.voxel_size_nm, self.name)
        self._linkage = LearnedLinkage.of(self.model)

    @property
    def halo_vox(self) -> Margin:
        """Reach of the smoothing: what a face is judged by. Shapes of regions reach as far as the regions do."""
        return self.setting.margin(REACH_NM)

    def agglomerate(self, gray: Gray, probability: Probability, supervoxels: Labels) -> Labels:
        """Each body takes the label of one of its supervoxels; 0 stays 0."""
        return self._linkage.agglomerate(gray, probability, supervoxels, self.setting.voxel_size_nm)
