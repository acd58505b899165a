"""Boxes, the grid of subvolumes, overlaps between neighbours, and regions of interest. Pure arithmetic, ZYX order."""

from emseg.geometry.box import ORIGIN, Box
from emseg.geometry.coordinate import Coordinate
from emseg.geometry.grid import Grid, Overlap, Subvolume
from emseg.geometry.label_ids import checked_labels
from emseg.geometry.positions import LIMIT_VOX, checked_box, placed_box
from emseg.geometry.roi import Roi, is_selected, selected_cells
from emseg.geometry.supervoxel_ids import LOCAL_BITS, MAX_CELLS, MAX_LABEL, MAX_LOCAL, cells_of, supervoxel_ids
from emseg.geometry.voxel_size import VoxelSize, checked_voxel_size, same_voxel_size

__all__ = [
    "LIMIT_VOX",
    "LOCAL_BITS",
    "MAX_CELLS",
    "MAX_LABEL",
    "MAX_LOCAL",
    "ORIGIN",
    "Box",
    "Coordinate",
    "Grid",
    "Overlap",
    "Roi",
    "Subvolume",
    "VoxelSize",
    "cells_of",
    "checked_box",
    "checked_labels",
    "checked_voxel_size",
    "is_selected",
    "placed_box",
    "same_voxel_size",
    "selected_cells",
    "supervoxel_ids",
]
