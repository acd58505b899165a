"""Rounds of the agglomeration: what each learns from, and that nobody judges a contact that he learned from."""

from __future__ import annotations

import numpy as np
import pytest

from emseg.training import TrainingVolume, edges
from emseg.training.edges import EdgeSettings, RoundSettings, train_edges

ISOTROPIC = (10.0, 10.0, 10.0)
SHAPE = (8, 64, 64)
GRAY = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
CELL = np.indices(SHAPE) // 4
SUPERVOXELS = (1 + CELL[2] + 100 * CELL[1] + 10_000 * CELL[0]).astype(np.uint32)
TRUTH = (1 + CELL[2] // 4 + 4 * (CELL[1] // 4)).astype(np.int64)
VOLUME = TrainingVolume(GRAY, TRUTH, ISOTROPIC)
BOUNDARY = VOLUME.boundary().astype(np.float32)
ROUNDS = (RoundSettings(0.001, 50), RoundSettings(0.4))
"""The first joins nothing."""


def quiet(_: str) -> None:
    """Say nothing."""


@pytest.fixture(scope="module")
def sample():
    return edges._sample(VOLUME, BOUNDARY, SUPERVOXELS, (128, 40))


def test_a_round_also_learns_from_the_contacts_of_the_rounds_before(monkeypatch):
    """Kills forests that learn only from the few contacts that are left: the kept one is the last of a round."""
    rows: list[int] = []
    real = edges.trained

    def recorded(matrix, target, *rest):
        rows.append(len(matrix))
        assert len(matrix) == len(target)
        return real(matrix, target, *rest)

    monkeypatch.setattr(edges, "trained", recorded)
    settings = EdgeSettings(rounds=ROUNDS, forests=1, trees=30)
    made = train_edges([VOLUME], [BOUNDARY], [SUPERVOXELS], (128, 40), settings, 0, quiet)
    assert [each.settings for each in made.rounds] == list(ROUNDS)
    first, second = rows[2], rows[-1]  # after the forests of two stripes that judge each other
    assert first == 2 * (2 * 16 * 15) + 16 * 16, "2 x 16 x 16 cells, each touched by the next on each axis"
    assert second == 2 * first


def test_a_contact_is_in_one_fold_in_all_rounds(sample):
    """Kills stripes along another axis in each round: then a forest judges places that it learned from.

    Joining all cells at both ends of Y leaves contacts that spread farther along X than along Y.
    """
    row = np.arange(sample.graph.nodes) % 10_000 // 100
    region_of = np.where((row < 4) | (row > 11), 1, np.arange(sample.graph.nodes))
    region_of[0] = 0
    later = edges.replace(sample, graph=sample.graph.joined(region_of), region_of=region_of)
    fold_of = dict(zip(map(tuple, sample.graph.edges.tolist()), sample.fold.tolist(), strict=True))
    kept = [(tuple(e), f) for e, f in zip(later.graph.edges.tolist(), later.fold.tolist(), strict=True) if 1 not in e]
    assert len(kept) > 100
    assert all(fold_of[edge] == fold for edge, fold in kept)


def test_the_training_joins_as_the_trained_round_will(sample):
    """Kills training regions that were joined without caution: cells of 40 nm count a score of 0.1 twice here."""
    score = np.full(len(sample.graph.edges), 0.1)
    plain = edges._joined(sample, score, RoundSettings(0.2))
    cautious = edges._joined(sample, score, RoundSettings(0.2, 20))
    assert len(plain.graph.edges) == 0
    assert len(cautious.graph.edges) == len(sample.graph.edges)
