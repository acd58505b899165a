"""Agglomerate step `mean-boundary`: joins neighbours across weak boundaries, weakest first. Needs no training."""

from __future__ import annotations

import numpy as np
from bioimage_cpp.graph import region_adjacency_graph
from bioimage_cpp.graph.features import edge_map_features

from emseg.config.step_parameters import MeanBoundaryParameters
from emseg.segment.linkage import mean_linkage
from emseg.segment.protocol import AgglomerateStep, Gray, Labels, Margin, Probability


class MeanBoundary(AgglomerateStep[MeanBoundaryParameters]):
    """Mean-linkage clustering of the region adjacency graph; an edge weighs its mean probability over all faces."""

    name = "mean-boundary"
    version = 1
    bytes_per_voxel = 8
    Parameters = MeanBoundaryParameters

    @property
    def halo_vox(self) -> Margin:
        """A face is judged by the two voxels at it."""
        return 1, 1, 1

    def agglomerate(self, gray: Gray, probability: Probability, supervoxels: Labels) -> Labels:  # noqa: ARG002
        """Each body takes the label of one of its supervoxels; 0 stays 0."""
        graph = region_adjacency_graph(supervoxels, number_of_threads=1)
        edges = graph.uv_ids()
        mean, faces = edge_map_features(graph, supervoxels, probability, number_of_threads=1).T
        real = edges[:, 0] != 0
        body_of = mean_linkage(
            int(supervoxels.max()) + 1, edges[real], mean[real], faces[real], self.parameters.threshold
        )
        bodies: Labels = body_of.astype(np.uint32)[supervoxels]
        return bodies
