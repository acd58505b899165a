"""Rounds of the agglomeration: what each learns from, and that nobody judges a contact that he learned from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from emseg.training import TrainingVolume, edges
from emseg.training.edge_examples import examples_of, together
from emseg.training.edges import EdgeSettings, RoundSettings, train_edges
from emseg.training.joined_volume import JoinedVolume

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
    return JoinedVolume.of(VOLUME, BOUNDARY, SUPERVOXELS, (128, 40))


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
    later = replace(sample, graph=sample.graph.joined(region_of), region_of=region_of)
    fold_of = dict(zip(map(tuple, sample.graph.edges.tolist()), sample.fold.tolist(), strict=True))
    kept = [(tuple(e), f) for e, f in zip(later.graph.edges.tolist(), later.fold.tolist(), strict=True) if 1 not in e]
    assert len(kept) > 100
    assert all(fold_of[edge] == fold for edge, fold in kept)


def test_every_round_weighs_alike_and_a_contact_the_root_of_its_area(sample):
    """Kills rounds of few large contacts that outweigh the first: cells joined two by two along Y and X touch by more.

    By hand: cells of 4 x 4 x 4 touch by 16 faces, and 2 x 2 of them by 64 along Z and by 32 along Y and X.
    """
    cell = np.arange(sample.graph.nodes)
    fours = np.maximum(cell - (cell % 100 - 1) % 2 - 100 * (cell // 100 % 2), 0)
    later = replace(sample, graph=sample.graph.joined(fours), region_of=fours[sample.region_of])
    first, second = examples_of([sample]), examples_of([later])
    assert np.allclose(first.weight, 1)
    assert second.weight.mean() == pytest.approx(1)
    assert second.weight.max() / second.weight.min() == pytest.approx(np.sqrt(64 / 32))
    both = together([first, second])
    assert np.array_equal(both.weight, np.concatenate([first.weight, second.weight]))
    assert np.array_equal(both.features, np.concatenate([first.features, second.features]))


def test_the_last_round_decides_even_where_the_planned_ones_have_nothing_left_to_learn():
    """Kills a model whose last round waits for a later one: here the first joins so much that no contact is left."""
    said: list[str] = []
    settings = EdgeSettings(rounds=(RoundSettings(2.0, 1000), RoundSettings(0.4)), forests=1, trees=30)
    made = train_edges([VOLUME], [BOUNDARY], [SUPERVOXELS], (128, 40), settings, 0, said.append)
    assert [each.settings for each in made.rounds] == [RoundSettings(2.0)]
    assert any("0 contacts of known bodies" in line for line in said)
    assert len(np.unique(made.out_of_fold(2.0)[0])) == 1


def test_two_volumes_keep_their_contacts_apart(sample):
    """Kills scores of one volume that join another: volumes of different size, trained together."""
    small = TrainingVolume(GRAY[:, :32], TRUTH[:, :32], ISOTROPIC)
    settings = EdgeSettings(rounds=ROUNDS, forests=1, trees=30)
    labels = [SUPERVOXELS, SUPERVOXELS[:, :32]]
    made = train_edges([VOLUME, small], [BOUNDARY, BOUNDARY[:, :32]], labels, (128, 40), settings, 0, quiet)
    for joined, truth in zip(made.out_of_fold(0.4), (TRUTH, small.groundtruth), strict=True):
        assert joined.shape == truth.shape
        assert len(np.unique(joined + 10**6 * truth)) == len(np.unique(joined)) == len(np.unique(truth))


def test_the_training_joins_as_the_trained_round_will(sample):
    """Kills training regions that were joined without caution: cells of 40 nm count a score of 0.1 twice here."""
    score = np.full(len(sample.graph.edges), 0.1)
    plain = sample.joined(score, 0.2, None)
    cautious = sample.joined(score, 0.2, 20)
    assert len(plain.graph.edges) == 0
    assert len(cautious.graph.edges) == len(sample.graph.edges)
