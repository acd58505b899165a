"""Training of the learned agglomeration: forests learn at which contacts the bodies on both sides differ.

Between two rounds the training regions are joined by the scores of forests that were not trained on them: stripes of
the volume take turns. So the next round learns from regions as they will be on new tissue.

Each round also learns from the contacts of the rounds before it (as Nunez-Iglesias et al. do, PLoS ONE 2013). Contacts
of large regions are few, and forests that saw only the few that a round leaves differ much from seed to seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import fastremap
import numpy as np
import numpy.typing as npt

from emseg.errors import PermanentError
from emseg.segment.contact_features import contact_feature_names, contact_features
from emseg.segment.forest import Forest
from emseg.segment.learned_linkage import CHANNELS, contact_channels, linked, mean_score
from emseg.segment.protocol import Labels, Probability
from emseg.segment.region_graph import RegionGraph, region_graph
from emseg.training.figures import Separation, separation
from emseg.training.lightgbm_text import trained
from emseg.training.volume import TrainingVolume

PARAMETERS: dict[str, Any] = {
    "num_leaves": 15,
    "learning_rate": 0.05,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "feature_fraction": 0.6,
    "min_data_in_leaf": 20,
}
LEAST_CONTACTS = 2 * PARAMETERS["min_data_in_leaf"]
"""With fewer contacts no tree can split."""
PURE = 0.6
"""A region is learned from when one body has more than this share of its labelled voxels."""
STRIPE_NM = 320.0
FOLDS = 4

Say = Callable[[str], None]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RoundSettings:
    """Score below which regions join, and the diameter above which they ask for less (`segment.linkage.Caution`)."""

    threshold: float
    small_nm: float | None = None


@dataclass(frozen=True)
class EdgeSettings:
    """The rounds, and how many forests judge each round."""

    rounds: tuple[RoundSettings, ...] = (
        RoundSettings(0.2, 150),
        RoundSettings(0.3, 150),
        RoundSettings(0.4, 150),
        RoundSettings(0.4),
    )
    forests: int = 3
    trees: int = 150


@dataclass(frozen=True, eq=False)
class TrainedRound:
    """Texts of the forests of one round, and how well they tell contacts apart, out of fold."""

    texts: tuple[str, ...]
    settings: RoundSettings
    figures: Separation


@dataclass(frozen=True, eq=False)
class TrainedEdges:
    """All rounds; `out_of_fold(threshold)` joins the training volumes as the last round would at that threshold."""

    rounds: tuple[TrainedRound, ...]
    out_of_fold: Callable[[float], list[Labels]]


@dataclass(frozen=True, eq=False)
class _Sample:
    """One training volume on its way through the rounds."""

    supervoxels: Labels
    groundtruth: npt.NDArray[np.integer]
    graph: RegionGraph
    region_of: Numbers
    longest_axis: int

    @property
    def fold(self) -> Numbers:
        """Fold of each contact: stripes across the longest axis of the volume take turns."""
        places = self.graph.contact_places
        return (places[:, 1 + self.longest_axis] / places[:, 0] // STRIPE_NM).astype(np.int64) % FOLDS


def train_edges(
    volumes: Sequence[TrainingVolume],
    probabilities: Sequence[Probability],
    supervoxels: Sequence[Labels],
    gray_levels: tuple[float, float],
    settings: EdgeSettings,
    seed: int,
    say: Say,
) -> TrainedEdges:
    """Train all rounds on out-of-fold `probabilities` and the `supervoxels` made of them. Deterministic by seed.

    PermanentError where the contacts are too few or all of one class. `gray_levels`: mean and deviation of the data.
    """
    samples = [
        _sample(volume, probability, labels, gray_levels)
        for volume, probability, labels in zip(volumes, probabilities, supervoxels, strict=True)
    ]
    rounds: list[TrainedRound] = []
    seen: list[_Contacts] = []
    scores: list[npt.NDArray[np.float64]] = []
    for number, each in enumerate(settings.rounds, 1):
        say(f"agglomeration, round {number} of {len(settings.rounds)}")
        joined = list(samples)
        if rounds:
            joined = [_joined(s, score, rounds[-1].settings) for s, score in zip(samples, scores, strict=True)]
        if rounds and _unlearnable(joined):
            say(f"  nothing is left to learn: the rounds before leave {_unlearnable(joined)}")
            break
        samples = joined
        seen.append(_contacts(samples))
        made, scores = _train_round(seen, settings, each, seed + 1000 * number)
        contacts = len(seen[-1].target)
        say(f"  {contacts} contacts, average precision {made.figures.average_precision:.4f}")
        rounds.append(made)

    small = rounds[-1].settings.small_nm

    def out_of_fold(threshold: float) -> list[Labels]:
        return [
            linked(sample.graph, score, threshold, small)[sample.region_of].astype(np.uint32)[sample.supervoxels]
            for sample, score in zip(samples, scores, strict=True)
        ]

    return TrainedEdges(tuple(rounds), out_of_fold)


def _sample(
    volume: TrainingVolume, probability: Probability, supervoxels: Labels, gray_levels: tuple[float, float]
) -> _Sample:
    """The sample as the first round gets it."""
    size = volume.voxel_size_nm
    graph = region_graph(supervoxels, contact_channels(volume.grayscale, probability, size, *gray_levels), size)
    longest = int(np.argmax(np.multiply(supervoxels.shape, size)))
    return _Sample(supervoxels, volume.groundtruth, graph, np.arange(graph.nodes), longest)


def _joined(sample: _Sample, score: npt.NDArray[np.float64], settings: RoundSettings) -> _Sample:
    """The sample as the next round gets it."""
    region_of = linked(sample.graph, score, settings.threshold, settings.small_nm)
    return replace(sample, graph=sample.graph.joined(region_of), region_of=region_of[sample.region_of])


def _unlearnable(samples: Sequence[_Sample]) -> str:
    """Why nothing can be learned from the contacts; empty where something can."""
    target, usable = _all_targets(samples)
    found = f"{int(usable.sum())} contacts of known bodies"
    if usable.sum() < LEAST_CONTACTS:
        return f"{found}, fewer than {LEAST_CONTACTS}"
    if target[usable].any() and not target[usable].all():
        return ""
    return f"{found}, all of one class: either no two regions of one body touch, or no two bodies"


@dataclass(frozen=True, eq=False)
class _Contacts:
    """Contacts of all volumes in one round, one after the other: what they are learned from, and when they are judged.

    `target` is True where the regions belong to different bodies, and `usable` where both are pure enough to say so.
    The contacts of volume k stop before `ends[k]`.
    """

    features: npt.NDArray[np.float32]
    target: npt.NDArray[np.bool_]
    usable: npt.NDArray[np.bool_]
    fold: Numbers
    weight: npt.NDArray[np.float64]
    ends: Numbers


def _contacts(samples: Sequence[_Sample]) -> _Contacts:
    """PermanentError where nothing can be learned from them."""
    if fault := _unlearnable(samples):
        raise PermanentError(
            "training the agglomeration",
            "supervoxels of the training volumes",
            fault,
            "Give more ground truth, or check that it belongs to the grayscale",
        )
    target, usable = _all_targets(samples)
    # A large contact is surer and decides about more voxels, but is still one decision.
    weight = np.sqrt(np.concatenate([sample.graph.contact_nm2 for sample in samples]))
    return _Contacts(
        features=np.concatenate([contact_features(sample.graph) for sample in samples], axis=1),
        target=target,
        usable=usable,
        fold=np.concatenate([sample.fold for sample in samples]),
        weight=weight / weight.mean(),
        ends=np.cumsum([len(sample.graph.edges) for sample in samples]),
    )


def _train_round(
    seen: Sequence[_Contacts], settings: EdgeSettings, current: RoundSettings, seed: int
) -> tuple[TrainedRound, list[npt.NDArray[np.float64]]]:
    """One round, learned from `seen`: its contacts, which are the last, and those of the rounds before.

    Also the out-of-fold score of every contact of the round, for each volume. A fold is a place, whatever the round.
    """
    names = contact_feature_names(CHANNELS)
    matrix = np.ascontiguousarray(np.concatenate([each.features.T for each in seen]))
    target, usable, fold, weight = (
        np.concatenate([getattr(each, name) for each in seen]) for name in ("target", "usable", "fold", "weight")
    )

    def forests(rows: npt.NDArray[np.bool_]) -> tuple[str, ...]:
        return tuple(
            trained(matrix[rows], target[rows], names, PARAMETERS, settings.trees, seed + k, weight[rows])
            for k in range(settings.forests)
        )

    judged = seen[-1]
    score = np.empty(len(judged.target))
    for k in np.unique(judged.fold):
        apart = usable & (fold != k)
        others = apart if apart.sum() >= LEAST_CONTACTS else usable
        made = tuple(Forest.from_text(text, f"fold {k}") for text in forests(others))
        score[judged.fold == k] = mean_score(made, np.ascontiguousarray(judged.features[:, judged.fold == k]))
    figures = separation(score[judged.usable], judged.target[judged.usable])
    return TrainedRound(forests(usable), current, figures), np.split(score, judged.ends[:-1])


def _all_targets(samples: Sequence[_Sample]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    target, usable = zip(*(_targets(sample) for sample in samples), strict=True)
    return np.concatenate(target), np.concatenate(usable)


def _targets(sample: _Sample) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """For each contact: whether its regions belong to different bodies, and whether both are pure enough to say so."""
    body, purity = _majority(sample)
    first, second = sample.graph.edges.T
    usable = (np.minimum(purity[first], purity[second]) > PURE) & (body[first] != 0) & (body[second] != 0)
    return body[first] != body[second], usable


def _majority(sample: _Sample) -> tuple[Numbers, npt.NDArray[np.float64]]:
    """The body that holds most labelled voxels of each region, and its share of them; body 0 where there are none."""
    nodes = sample.graph.nodes
    truth, _ = fastremap.renumber(sample.groundtruth, preserve_zero=True, in_place=False)
    bodies = int(truth.max()) + 1
    pairs = sample.region_of[sample.supervoxels].astype(np.uint64) * np.uint64(bodies) + truth
    keys, counts = fastremap.unique(pairs, return_counts=True)
    region, body = (keys // bodies).astype(np.int64), (keys % bodies).astype(np.int64)
    region, body, counts = region[body != 0], body[body != 0], counts[body != 0]
    order = np.lexsort((body, -counts.astype(np.int64), region))
    best, share = np.zeros(nodes, np.int64), np.zeros(nodes)
    first = order[np.unique(region[order], return_index=True)[1]]
    best[region[first]] = body[first]
    share[region[first]] = counts[first] / np.bincount(region, counts, minlength=nodes)[region[first]]
    return best, share
