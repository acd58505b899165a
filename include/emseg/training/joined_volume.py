"""A training volume on its way through the rounds of the agglomeration: its regions so far, and their true bodies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.segment.learned_linkage import contact_channels, linked
from emseg.segment.protocol import Labels, Probability
from emseg.segment.region_graph import RegionGraph, region_graph
from emseg.training.volume import TrainingVolume

PURE = 0.6
"""A region is learned from when one body has more than this share of its labelled voxels."""
STRIPE_NM = 320.0
FOLDS = 4

Numbers = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class JoinedVolume:
    """Supervoxel s is now part of region `region_of[s]`, and `graph` has the contacts of these regions."""

    supervoxels: Labels
    groundtruth: npt.NDArray[np.integer]
    graph: RegionGraph
    region_of: Numbers
    longest_axis: int

    @classmethod
    def of(
        cls, volume: TrainingVolume, probability: Probability, supervoxels: Labels, gray_levels: tuple[float, float]
    ) -> JoinedVolume:
        """The volume as the first round gets it: each supervoxel is a region."""
        size = volume.voxel_size_nm
        graph = region_graph(supervoxels, contact_channels(volume.grayscale, probability, size, *gray_levels), size)
        longest = int(np.argmax(np.multiply(supervoxels.shape, size)))
        return cls(supervoxels, volume.groundtruth, graph, np.arange(graph.nodes), longest)

    def joined(self, score: Scores, threshold: float, small_nm: float | None) -> JoinedVolume:
        """The volume as the next round gets it."""
        region_of = linked(self.graph, score, threshold, small_nm)
        return replace(self, graph=self.graph.joined(region_of), region_of=region_of[self.region_of])

    def labels(self, score: Scores, threshold: float, small_nm: float | None) -> Labels:
        """Region of each voxel after such a join."""
        region_of = linked(self.graph, score, threshold, small_nm)[self.region_of]
        labels: Labels = region_of.astype(np.uint32)[self.supervoxels]
        return labels

    @property
    def fold(self) -> Numbers:
        """Fold of each contact: stripes across the longest axis take turns. A place has one fold in all rounds."""
        places = self.graph.contact_places
        return (places[:, 1 + self.longest_axis] / places[:, 0] // STRIPE_NM).astype(np.int64) % FOLDS

    def targets(self) -> tuple[Flags, Flags]:
        """For each contact: whether its regions are of different bodies, and whether both are pure enough to say so."""
        body, purity = self._majority()
        first, second = self.graph.edges.T
        usable = (np.minimum(purity[first], purity[second]) > PURE) & (body[first] != 0) & (body[second] != 0)
        return body[first] != body[second], usable

    def _majority(self) -> tuple[Numbers, npt.NDArray[np.float64]]:
        """The body with most labelled voxels of each region, and its share of them; body 0 where there are none."""
        nodes = self.graph.nodes
        truth, _ = fastremap.renumber(self.groundtruth, preserve_zero=True, in_place=False)
        bodies = int(truth.max()) + 1
        pairs = self.region_of[self.supervoxels].astype(np.uint64) * np.uint64(bodies) + truth
        keys, counts = fastremap.unique(pairs, return_counts=True)
        region, body = (keys // bodies).astype(np.int64), (keys % bodies).astype(np.int64)
        region, body, counts = region[body != 0], body[body != 0], counts[body != 0]
        order = np.lexsort((body, -counts.astype(np.int64), region))
        best, share = np.zeros(nodes, np.int64), np.zeros(nodes)
        first = order[np.unique(region[order], return_index=True)[1]]
        best[region[first]] = body[first]
        share[region[first]] = counts[first] / np.bincount(region, counts, minlength=nodes)[region[first]]
        return best, share
