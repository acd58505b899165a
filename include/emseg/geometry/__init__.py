"""Boxes, the grid of subvolumes, overlaps between neighbours, and regions of interest. Pure arithmetic, ZYX order."""

from emseg.geometry.box import Box, Vec
from emseg.geometry.grid import MAX_CELLS, Grid, Overlap, Subvolume
from emseg.geometry.roi import Roi

__all__ = ["MAX_CELLS", "Box", "Grid", "Overlap", "Roi", "Subvolume", "Vec"]
