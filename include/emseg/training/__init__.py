"""Models for the trained steps, made from volumes with ground truth; no DVID and no store in here.

Start with `train.py`: it trains the pixel classifier (`boundary.py`) and the agglomeration (`edges.py`), scores both
out of fold, and assembles the model (`model_files.py`). What can be learned from is in `sources.py` and `volume.py`,
how much each preset learns in `presets.py`; `lightgbm_text.py` trains one forest, and `figures.py` says how well its
scores tell two classes apart. The steps in `emseg.segment` evaluate the forests; nothing in there knows this room.
"""

from emseg.training.boundary import BoundarySettings, TrainedBoundary, train_boundary
from emseg.training.edges import EdgeSettings, TrainedEdges, train_edges
from emseg.training.sources import TrainingSource, source_of_arrays
from emseg.training.volume import TrainingVolume

__all__ = [
    "BoundarySettings",
    "EdgeSettings",
    "TrainedBoundary",
    "TrainedEdges",
    "TrainingSource",
    "TrainingVolume",
    "source_of_arrays",
    "train_boundary",
    "train_edges",
]
