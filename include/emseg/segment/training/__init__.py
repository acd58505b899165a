"""Training of the forests that the trained steps evaluate: volumes with ground truth in, texts and figures out."""

from emseg.segment.training.boundary import BoundarySettings, TrainedBoundary, train_boundary
from emseg.segment.training.edges import EdgeSettings, TrainedEdges, train_edges
from emseg.segment.training.volume import TrainingVolume

__all__ = [
    "BoundarySettings",
    "EdgeSettings",
    "TrainedBoundary",
    "TrainedEdges",
    "TrainingVolume",
    "train_boundary",
    "train_edges",
]
