"""One training from end to end: volumes with ground truth in; a model, its report and out-of-fold results out.

`train` first trains the pixel classifier (`boundary.py`), then makes supervoxels from its out-of-fold probabilities,
and trains the agglomeration on the contacts of these (`edges.py`). Every figure of the report is out of fold: no voxel
is scored by a forest that was trained on it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from emseg.config.pipeline import PipelineConfig
from emseg.config.presets import preset as pipeline_of_preset
from emseg.evaluate import Score, contingency_table, merged, score
from emseg.quality.training_report import AgglomerationPoint, PassFigures, RoundFigures, TrainingReport
from emseg.segment.model import ModelFolder
from emseg.segment.protocol import Labels, Probability, Setting, StepKind
from emseg.segment.registry import make_step
from emseg.training.boundary import TrainedPass, train_boundary
from emseg.training.edges import TrainedEdges, TrainedRound, train_edges
from emseg.training.model_files import model_of
from emseg.training.presets import training_settings
from emseg.training.sources import TrainingSource
from emseg.training.volume import TrainingVolume

THRESHOLDS = tuple(round(0.1 + 0.05 * k, 2) for k in range(15))
"""Thresholds of the last round at which the report shows VI."""


@dataclass(frozen=True)
class Trained:
    """The model, the report, and the out-of-fold probability and bodies of the first volume, for pictures."""

    model: ModelFolder
    report: TrainingReport
    probability: Probability
    labels: Labels


def train(sources: Sequence[TrainingSource], preset: str, seed: int, say: Callable[[str], None]) -> Trained:
    """Train all that `preset` needs. Deterministic by seed.

    PermanentError for a preset that is not trained, and for volumes that cannot be learned from.
    """
    settings = training_settings(preset)
    volumes = [source.volume for source in sources]
    started = time.monotonic()
    boundary = train_boundary(volumes, settings.boundary, seed, say)
    trained_boundary = time.monotonic()
    supervoxels = [
        _supervoxels(pipeline_of_preset(preset), volume, probability)
        for volume, probability in zip(volumes, boundary.probabilities, strict=True)
    ]
    levels = (boundary.gray_mean, boundary.gray_std)
    edges = train_edges(volumes, boundary.probabilities, supervoxels, levels, settings.edges, seed, say)
    say("out-of-fold scores of the whole pipeline")
    report = TrainingReport(
        preset=preset,
        seed=seed,
        regions=tuple(source.region for source in sources),
        voxels=sum(volume.grayscale.size for volume in volumes),
        seconds={"boundary": trained_boundary - started, "agglomeration": time.monotonic() - trained_boundary},
        passes=tuple(_pass_figures(each) for each in boundary.passes),
        rounds=tuple(_round_figures(each) for each in edges.rounds),
        curve=_curve(volumes, edges),
        threshold=edges.rounds[-1].settings.threshold,
    )
    model = model_of(volumes, report, boundary, edges)
    return Trained(model, report, boundary.probabilities[0], edges.out_of_fold(report.threshold)[0])


def _supervoxels(config: PipelineConfig, volume: TrainingVolume, probability: Probability) -> Labels:
    """Supervoxels made by the same step as in the pipeline of the preset."""
    if config.supervoxels is None:
        raise ValueError("the pipeline of a trained preset makes supervoxels")
    step = make_step(StepKind.SUPERVOXELS, config.supervoxels, Setting(volume.voxel_size_nm))
    labels: Labels = step.supervoxels(probability, np.ones(probability.shape, bool))  # type: ignore[attr-defined]
    return labels


def _curve(volumes: Sequence[TrainingVolume], edges: TrainedEdges) -> tuple[AgglomerationPoint, ...]:
    points = []
    for threshold in THRESHOLDS:
        result = _score(volumes, edges.out_of_fold(threshold))
        points.append(
            AgglomerationPoint(
                threshold=threshold,
                vi_split=result.vi_split,
                vi_merge=result.vi_merge,
                adapted_rand_error=result.adapted_rand_error,
            )
        )
    return tuple(points)


def _score(volumes: Sequence[TrainingVolume], labels: Sequence[npt.NDArray[np.integer]]) -> Score:
    """One score over all volumes; bodies of different volumes are different bodies."""
    tables = []
    for number, (volume, found) in enumerate(zip(volumes, labels, strict=True)):
        apart = np.uint64(number) << np.uint64(48)
        truth = volume.groundtruth.astype(np.uint64)
        truth[truth != 0] |= apart
        tables.append(contingency_table(found.astype(np.uint64) | apart, truth))
    return score(merged(tables))


def _pass_figures(each: TrainedPass) -> PassFigures:
    return PassFigures(
        average_precision=each.figures.average_precision,
        roc_area=each.figures.roc_area,
        recall=each.figures.recall,
        precision=each.figures.precision,
        importances=each.importances,
    )


def _round_figures(each: TrainedRound) -> RoundFigures:
    return RoundFigures(average_precision=each.figures.average_precision, roc_area=each.figures.roc_area)
