"""Metric `fragments`: in how many pieces bodies lie, seen from a voxel."""

from collections.abc import Mapping

import numpy as np

from emseg.evaluate import ContingencyTable, Figure, Marginals, MetricPlugin


class Fragments(MetricPlugin):
    """A body of 60 and 40 voxels in two segments lies in 1 / (0.6^2 + 0.4^2) = 1.92 pieces of equal size."""

    name = "fragments"
    version = 1
    figures = (
        Figure("fragments_mean", "Pieces of a body, seen from a voxel", "", 1),
        Figure("whole_bodies", "Bodies in one segment, share", "", -1),
    )

    def measure(self, table: ContingencyTable, sizes: Marginals) -> Mapping[str, float]:
        """Both numbers; a segment 0 is a piece like any other."""
        share = table.count / sizes.body_voxels[sizes.body]
        pieces = 1 / np.bincount(sizes.body, share**2)
        whole = np.bincount(sizes.body) == 1
        return {
            "fragments_mean": float(np.average(pieces, weights=sizes.body_voxels)),
            "whole_bodies": float(whole.mean()),
        }
