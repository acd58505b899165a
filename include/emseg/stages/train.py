"""Training of a model for the trained steps: volumes with ground truth in, a model folder and a report out.

Every figure of the report is out of fold: measured on voxels that the scored forests never saw.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from emseg.config import Dataset
from emseg.config.pipeline import PipelineConfig
from emseg.config.presets import preset as pipeline_of_preset
from emseg.evaluate import Score, contingency_table, merged, score
from emseg.geometry import Box
from emseg.quality import slices_picture
from emseg.quality.training_report import (
    AgglomerationPoint,
    PassFigures,
    RoundFigures,
    TrainingReport,
    training_page,
)
from emseg.segment import ModelDescription, ModelFolder, Setting, StepKind
from emseg.segment.boundary import SECTION as BOUNDARY
from emseg.segment.boundary import BoundaryDescription, PassDescription
from emseg.segment.learned_linkage import CHANNELS, EdgesDescription, RoundDescription
from emseg.segment.learned_linkage import SECTION as EDGES
from emseg.segment.model import TrainingRecord
from emseg.segment.protocol import Labels, Probability
from emseg.segment.registry import make_step
from emseg.segment.seen import SECTION as SEEN
from emseg.segment.seen import Seen
from emseg.segment.texture import SECTION as TEXTURE
from emseg.segment.texture import texture_statistics
from emseg.segment.training import TrainedBoundary, TrainedEdges, TrainingVolume, train_boundary, train_edges
from emseg.segment.training.boundary import TrainedPass
from emseg.segment.training.edges import TrainedRound
from emseg.segment.training.presets import training_settings
from emseg.stages.models import store_model, store_report
from emseg.stages.services import DvidServices
from emseg.stages.training_data import TrainingSource, sources_in_dvid

PICTURE_VOX = 1024
THRESHOLDS = tuple(round(0.1 + 0.05 * k, 2) for k in range(15))
"""Last-round thresholds at which the report shows VI."""


@dataclass(frozen=True)
class Trained:
    """The model, the report, and the out-of-fold probability and bodies of the first volume, for pictures."""

    model: ModelFolder
    report: TrainingReport
    probability: Probability
    labels: Labels


def train(sources: Sequence[TrainingSource], preset: str, seed: int, say: Callable[[str], None]) -> Trained:
    """Train what `preset` needs. Deterministic by seed. PermanentError for volumes that cannot be learned from."""
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
        threshold=edges.rounds[-1].threshold,
    )
    model = _model(sources, report, boundary, edges)
    return Trained(model, report, boundary.probabilities[0], edges.out_of_fold(report.threshold)[0])


def train_in_store(
    dataset: Dataset, boxes: Sequence[Box], preset: str, seed: int, services: DvidServices, say: Callable[[str], None]
) -> tuple[Trained, str]:
    """Train on boxes of a dataset in DVID; model and report are kept in the store. Also the address of the report."""
    training_settings(preset)  # a wrong name is refused before gigabytes are read
    sources = sources_in_dvid(dataset, boxes, services.server)
    trained = train(sources, preset, seed, say)
    store_model(services.store, trained.model)
    page = report_page_of(trained, sources[0])
    return trained, store_report(services.store, trained.model, trained.report, page)


def report_page_of(trained: Trained, source: TrainingSource) -> bytes:
    """The page about a training, with slices of its first source."""
    gray, truth = source.volume.grayscale, source.volume.groundtruth
    depth = gray.shape[0]
    places = sorted({depth // 6, depth // 2, depth * 5 // 6})
    window = (places, slice(0, PICTURE_VOX), slice(0, PICTURE_VOX))
    probability = trained.probability[window]
    slices = slices_picture(gray[window], trained.labels[window], truth[window], places, "Out of fold", probability)
    return training_page(trained.report, trained.model.digest, slices)


def _supervoxels(config: PipelineConfig, volume: TrainingVolume, probability: Probability) -> Labels:
    """Supervoxels by the very step that the pipeline of the preset has."""
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


def _model(
    sources: Sequence[TrainingSource], report: TrainingReport, boundary: TrainedBoundary, edges: TrainedEdges
) -> ModelFolder:
    files: dict[str, bytes] = {}
    passes, rounds = [], []
    for number, each in enumerate(boundary.passes, 1):
        name = f"boundary-{number}.txt"
        files[name] = each.text.encode()
        passes.append(PassDescription(bank=each.bank, forest=name))
    for number, made in enumerate(edges.rounds, 1):
        names = tuple(f"edges-{number}-{k}.txt" for k in range(1, len(made.texts) + 1))
        files |= {name: text.encode() for name, text in zip(names, made.texts, strict=True)}
        rounds.append(RoundDescription(forests=names, threshold=made.threshold))
    levels = {"gray_mean": boundary.gray_mean, "gray_std": boundary.gray_std}
    sections: dict[str, JsonValue] = {
        BOUNDARY: BoundaryDescription(**levels, passes=tuple(passes)).model_dump(mode="json"),
        TEXTURE: texture_statistics(
            [source.volume.grayscale for source in sources], sources[0].volume.voxel_size_nm
        ).model_dump(mode="json"),
        SEEN: Seen.of([source.volume.grayscale for source in sources]).model_dump(mode="json"),
        EDGES: EdgesDescription(**levels, channels=CHANNELS, rounds=tuple(rounds)).model_dump(mode="json"),
    }
    description = ModelDescription(
        voxel_size_nm=sources[0].volume.voxel_size_nm,
        training=TrainingRecord(preset=report.preset, seed=report.seed, regions=report.regions, figures=report.figures),
        sections=sections,
    )
    return ModelFolder.of(description, files)


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
