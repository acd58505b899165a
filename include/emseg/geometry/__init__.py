"""Boxes, the grid of subvolumes, overlaps between neighbours, and regions of interest. Pure arithmetic, ZYX order."""

from emseg.geometry.box import ORIGIN, Box
from emseg.geometry.coordinate import Coordinate
from emseg.geometry.grid import Grid, Overlap, Subvolume
from emseg.geometry.roi import Roi, is_selected, selected_cells
from emseg.geometry.supervoxel_ids import LOCAL_BITS, MAX_CELLS, MAX_LABEL, MAX_LOCAL, cells_of, supervoxel_ids

__all__ = [
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
    "cells_of",
    "is_selected",
    "selected_cells",
    "supervoxel_ids",
]
