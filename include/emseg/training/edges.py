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

import numpy as np

from emseg.errors import PermanentError
from emseg.segment.contact_features import contact_feature_names
from emseg.segment.forest import Forest
from emseg.segment.learned_linkage import CHANNELS, mean_score
from emseg.segment.protocol import Labels, Probability
from emseg.training.edge_examples import Examples, examples_of, together
from emseg.training.figures import Separation, separation
from emseg.training.joined_volume import Flags, JoinedVolume, Scores
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

Say = Callable[[str], None]


@dataclass(frozen=True)
class RoundSettings:
    """Score below which regions join, and the diameter above which they ask for less (`segment.linkage.Caution`)."""

    threshold: float
    small_nm: float | None = None


@dataclass(frozen=True)
class EdgeSettings:
    """The rounds, and how many forests judge each round.

    On halves of the medulla, caution above 50 to 300 nm differs less than one half does from the next.
    """

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
    now = [
        JoinedVolume.of(volume, probability, labels, gray_levels)
        for volume, probability, labels in zip(volumes, probabilities, supervoxels, strict=True)
    ]
    seen = [examples_of(now)]
    if fault := seen[0].fault(LEAST_CONTACTS):
        raise _nothing_to_learn(fault)
    rounds: list[TrainedRound] = []
    while True:
        number = len(rounds) + 1
        say(f"agglomeration, round {number} of {len(settings.rounds)}")
        made, score = _train_round(seen, settings, settings.rounds[number - 1], seed + 1000 * number)
        say(f"  {len(score)} contacts, average precision {made.figures.average_precision:.4f}")
        rounds.append(made)
        scored = list(zip(now, _by_volume(score, now), strict=True))
        threshold, small_nm = made.settings.threshold, made.settings.small_nm
        if number == len(settings.rounds):
            break
        now = [volume.joined(of_contact, threshold, small_nm) for volume, of_contact in scored]
        seen.append(examples_of(now))
        if fault := seen[-1].fault(LEAST_CONTACTS):
            say(f"  nothing is left to learn: the rounds so far leave {fault}")
            small_nm = None  # no later round can decide what a cautious one leaves
            rounds[-1] = replace(made, settings=RoundSettings(threshold))
            break

    def out_of_fold(threshold: float) -> list[Labels]:
        return [volume.labels(of_contact, threshold, small_nm) for volume, of_contact in scored]

    return TrainedEdges(tuple(rounds), out_of_fold)


def _nothing_to_learn(fault: str) -> PermanentError:
    return PermanentError(
        "training the agglomeration",
        "supervoxels of the training volumes",
        fault,
        "Give more ground truth, or check that it belongs to the grayscale",
    )


def _train_round(
    seen: Sequence[Examples], settings: EdgeSettings, current: RoundSettings, seed: int
) -> tuple[TrainedRound, Scores]:
    """One round, learned from `seen`: its own contacts, which are the last, and those of the rounds before.

    Also the out-of-fold score of every contact of the round.
    """
    names = contact_feature_names(CHANNELS)
    lessons, judged = together(seen), seen[-1]

    def forests(rows: Flags) -> tuple[str, ...]:
        features, target, weight = lessons.features[rows], lessons.target[rows], lessons.weight[rows]
        return tuple(
            trained(features, target, names, PARAMETERS, settings.trees, seed + k, weight)
            for k in range(settings.forests)
        )

    score = np.empty(len(judged))
    for k in np.unique(judged.fold):
        apart = lessons.usable & (lessons.fold != k)
        others = apart if apart.sum() >= LEAST_CONTACTS else lessons.usable
        made = tuple(Forest.from_text(text, f"fold {k}") for text in forests(others))
        score[judged.fold == k] = mean_score(made, np.ascontiguousarray(judged.features[judged.fold == k].T))
    figures = separation(score[judged.usable], judged.target[judged.usable])
    return TrainedRound(forests(lessons.usable), current, figures), score


def _by_volume(score: Scores, volumes: Sequence[JoinedVolume]) -> list[Scores]:
    """Scores of the contacts of each volume."""
    return np.split(score, np.cumsum([len(volume.graph.edges) for volume in volumes])[:-1])
