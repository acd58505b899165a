"""Learned agglomeration: forests judge every contact, the surest pairs join, and the larger regions are judged again.

Each round scores the contacts of the regions left by the round before and joins them by mean linkage up to its
threshold. Later rounds judge larger regions by their shapes and by longer contacts (Nunez-Iglesias et al., PLoS ONE
2013). So the rounds but the last are cautious: a join of two large regions asks for a lower score there (`Caution`),
else it waits for the round that knows most. A score is the mean over a few forests: with few contacts to learn from,
single forests differ much.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from bioimage_cpp.filters import gaussian_smoothing
from pydantic import Field

from emseg.config.base import Record
from emseg.geometry import VoxelSize
from emseg.segment.boundary import forest_of
from emseg.segment.contact_features import contact_feature_names, contact_features
from emseg.segment.forest import Forest
from emseg.segment.linkage import Caution, mean_linkage
from emseg.segment.model import ModelFolder
from emseg.segment.protocol import Gray, Labels, Probability, Setting
from emseg.segment.region_graph import Channel, RegionGraph, region_graph

SECTION = "edges"
CHANNELS = ("boundary", "wide_boundary", "gray")

_WIDE_NM = 20.0
_GRAY_NM = 10.0
_WINDOW = 3.0
REACH_NM = _WINDOW * _WIDE_NM
"""Nothing farther from a contact than this enters its levels."""


class RoundDescription(Record):
    """One round in `model.json`: the files of its forests, and the score below which regions join.

    `small_nm` is that of `Caution`; without it, as in models of former releases, large regions join like small ones.
    """

    forests: tuple[str, ...] = Field(min_length=1)
    threshold: float
    small_nm: float | None = Field(default=None, gt=0)


class EdgesDescription(Record):
    """Section `edges` of a model."""

    gray_mean: float
    gray_std: float = Field(gt=0)
    channels: tuple[str, ...]
    rounds: tuple[RoundDescription, ...] = Field(min_length=1)


@dataclass(frozen=True, eq=False)
class Round:
    """Forests whose mean is the probability that a contact separates two bodies."""

    forests: tuple[Forest, ...]
    threshold: float
    small_nm: float | None


@dataclass(frozen=True, eq=False)
class LearnedLinkage:
    """All rounds of a model."""

    gray_mean: float
    gray_std: float
    rounds: tuple[Round, ...]

    @classmethod
    def of(cls, model: ModelFolder) -> LearnedLinkage:
        """The rounds in a model folder; PermanentError where forests and description do not fit each other."""
        description = model.section(SECTION, EdgesDescription)
        names = contact_feature_names(description.channels)
        rounds = (
            Round(tuple(forest_of(model, name, names) for name in each.forests), each.threshold, each.small_nm)
            for each in description.rounds
        )
        return cls(description.gray_mean, description.gray_std, tuple(rounds))

    def agglomerate(
        self, gray: Gray, probability: Probability, supervoxels: Labels, voxel_size_nm: VoxelSize
    ) -> Labels:
        """Bodies, uint32: each has the label of one of its supervoxels; 0 stays 0."""
        channels = contact_channels(gray, probability, voxel_size_nm, self.gray_mean, self.gray_std)
        graph = region_graph(supervoxels, channels, voxel_size_nm)
        region_of = np.arange(graph.nodes)
        for number, each in enumerate(self.rounds, 1):
            joined = linked(graph, mean_score(each.forests, contact_features(graph)), each.threshold, each.small_nm)
            region_of = joined[region_of]
            if number < len(self.rounds):
                graph = graph.joined(joined)
        bodies: Labels = region_of.astype(np.uint32)[supervoxels]
        return bodies


def contact_channels(
    gray: Gray, probability: Probability, voxel_size_nm: VoxelSize, gray_mean: float, gray_std: float
) -> list[tuple[str, Channel]]:
    """What contacts are judged by, as uint8: boundary probability, the same over 20 nm, and smoothed gray.

    Probabilities 0 to 1 are 0 to 255. Gray is 128 at the mean of the training data, and 40 levels are one deviation.
    """
    setting = Setting(voxel_size_nm)
    levels = [_levels(probability * np.float32(255))]
    wide = gaussian_smoothing(probability, setting.in_voxels(_WIDE_NM), window_size=_WINDOW)
    wide *= np.float32(255)
    levels.append(_levels(wide))
    del wide
    smooth = gaussian_smoothing(gray.astype(np.float32), setting.in_voxels(_GRAY_NM), window_size=_WINDOW)
    smooth -= np.float32(gray_mean)
    smooth *= np.float32(40 / gray_std)
    smooth += np.float32(128)
    levels.append(_levels(smooth))
    return list(zip(CHANNELS, levels, strict=True))


def _levels(image: npt.NDArray[np.float32]) -> Channel:
    """Rounded to whole levels 0 to 255."""
    np.rint(image, out=image)
    np.clip(image, 0, 255, out=image)
    return image.astype(np.uint8)


def mean_score(forests: tuple[Forest, ...], features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Mean probability over the forests, float64 (E,)."""
    mean: npt.NDArray[np.float64] = np.mean([forest.predict(features) for forest in forests], axis=0, dtype=np.float64)
    return mean


def linked(
    graph: RegionGraph, score: npt.NDArray[np.float64], threshold: float, small_nm: float | None
) -> npt.NDArray[np.int64]:
    """Region of each node after joining; a join of joins counts every voxel face alike, weighed by its area.

    Larger regions than `small_nm` ask for a lower score, as `Caution` says; with None they do not.
    """
    caution = None if small_nm is None else Caution(graph.volume_nm3, small_nm)
    return mean_linkage(graph.nodes, graph.edges, score, graph.contact_nm2, threshold, caution)
