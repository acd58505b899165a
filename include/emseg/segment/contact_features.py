"""Features of each contact of a region graph, from which a forest judges it: boundary, size, shape, and neighbours."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from emseg.segment.region_graph import BINS, QUANTILES, RegionGraph, Sums

_SHAPE = (
    "contact_area",
    "smaller_volume",
    "larger_volume",
    "contact_to_smaller_volume",
    "contact_to_both_volumes",
    "contact_share_of_smaller_surface",
    "contact_share_of_larger_surface",
    "centroid_distance_to_radii",
    "contact_flatness",
    "contact_length_to_area",
    "smaller_elongation",
    "larger_elongation",
    "axes_alignment",
    "smaller_axis_to_centroids",
    "larger_axis_to_centroids",
    "mean_above_best_of_first",
    "mean_above_best_of_second",
    "faces_across_z",
)


def contact_feature_names(channels: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the features of a graph with these channels, in order."""
    per_contact = ("mean", "deviation", *(f"quantile{q:g}" for q in QUANTILES))
    per_node = ("difference", "lower_mean", "higher_mean", "lower_deviation", "higher_deviation")
    return (*(f"{c}_{name}" for c in channels for name in (*per_contact, *per_node)), *_SHAPE)


def contact_features(graph: RegionGraph) -> npt.NDArray[np.float32]:
    """Features (F, E), float32, in the order of `contact_feature_names`. Lengths in nm; ratios have no unit."""
    rows: list[npt.NDArray[np.floating]] = []
    first, second = graph.edges.T
    for channel in range(len(graph.channels)):
        rows += _levels(graph.histograms[:, channel])
        rows += _node_levels(graph, channel, first, second)
    rows += _shape(graph, rows[0])
    return np.ascontiguousarray(np.stack(rows), dtype=np.float32)


def _levels(histogram: Sums) -> list[Sums]:
    """Mean, deviation and quantiles of each histogram, as shares of the full range."""
    centre = (np.arange(BINS) + 0.5) / BINS
    count = histogram.sum(axis=1)
    mean = histogram @ centre / count
    deviation = np.sqrt(np.maximum(histogram @ centre**2 / count - mean**2, 0))
    below = np.cumsum(histogram, axis=1)
    quantiles = [centre[np.minimum((below <= (q * (count - 1))[:, None]).sum(axis=1), BINS - 1)] for q in QUANTILES]
    return [mean, deviation, *quantiles]


def _node_levels(
    graph: RegionGraph, channel: int, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]
) -> list[Sums]:
    count = np.maximum(graph.node_places[:, 0], 1)
    mean = graph.node_sums[:, 2 * channel] / count / 255
    deviation = np.sqrt(np.maximum(graph.node_sums[:, 2 * channel + 1] / count / 255**2 - mean**2, 0))
    a, b, c, d = mean[first], mean[second], deviation[first], deviation[second]
    return [np.abs(a - b), np.minimum(a, b), np.maximum(a, b), np.minimum(c, d), np.maximum(c, d)]


def _shape(graph: RegionGraph, mean: npt.NDArray[np.floating]) -> list[Sums]:
    area = graph.contact_nm2
    volume = graph.volume_nm3
    surface = np.zeros(graph.nodes)
    best = np.full(graph.nodes, np.inf)
    for side in range(2):
        np.add.at(surface, graph.edges[:, side], area)
        np.minimum.at(best, graph.edges[:, side], mean)
    smaller, larger = _by_volume(graph.edges, volume)
    low, high = volume[smaller], volume[larger]
    centre, spread, axis = _ellipsoids(graph.node_places)
    between = centre[larger] - centre[smaller]
    distance = np.linalg.norm(between, axis=1)
    direction = between / np.maximum(distance, 1e-9)[:, None]
    radii = _radius(low) + _radius(high)
    _, contact_spread, _ = _ellipsoids(graph.contact_places)
    elongation = np.sqrt(spread[:, 2] / np.maximum(spread[:, 1], 1.0))
    first, second = graph.edges.T
    return [
        area,
        low,
        high,
        area / low ** (2 / 3),
        area / (low + high) ** (2 / 3),
        area / surface[smaller],
        area / surface[larger],
        distance / radii,
        np.sqrt(contact_spread[:, 0] / np.maximum(contact_spread.sum(axis=1), 1e-9)),
        np.sqrt(contact_spread[:, 2] / area),
        elongation[smaller],
        elongation[larger],
        np.abs(np.sum(axis[smaller] * axis[larger], axis=1)),
        np.abs(np.sum(axis[smaller] * direction, axis=1)),
        np.abs(np.sum(axis[larger] * direction, axis=1)),
        np.minimum(mean - best[first], mean - best[second]),
        np.maximum(mean - best[first], mean - best[second]),
        graph.faces[:, 0] * graph.face_nm2[0] / area,
    ]


def _by_volume(edges: npt.NDArray[np.int64], volume: Sums) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The smaller and the larger region of each contact; of equal ones the first is the smaller."""
    first, second = edges.T
    swapped = volume[second] < volume[first]
    return np.where(swapped, second, first), np.where(swapped, first, second)


def _radius(volume: Sums) -> Sums:
    """Radius of the ball of a volume: 4189 nm^3 have 10 nm."""
    return np.cbrt(volume * (3 / (4 * np.pi)))


def _ellipsoids(sums: Sums) -> tuple[Sums, Sums, Sums]:
    """Centre (N, 3), variances along the principal axes (N, 3; ascending) and the longest axis (N, 3), nm."""
    count = np.maximum(sums[:, 0], 1)
    centre = sums[:, 1:4] / count[:, None]
    second = sums[:, 4:] / count[:, None]
    covariance = np.empty((len(sums), 3, 3))
    for k, (a, b) in enumerate(((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))):
        covariance[:, a, b] = covariance[:, b, a] = second[:, k] - centre[:, a] * centre[:, b]
    values, vectors = np.linalg.eigh(covariance)
    return centre, np.maximum(values, 0), vectors[:, :, 2]
