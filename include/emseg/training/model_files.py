"""The files of a trained model: the texts of its forests, and a `model.json` with one section for each reader.

`boundary` and `edges` are read by the trained steps, `texture` by the image checks, and `seen` by whoever must not
score a model on the voxels that it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue

from emseg.quality.training_report import TrainingReport
from emseg.segment.boundary import SECTION as BOUNDARY
from emseg.segment.boundary import BoundaryDescription, PassDescription
from emseg.segment.fingerprint import SECTION as FINGERPRINTS
from emseg.segment.fingerprint import Fingerprints
from emseg.segment.image_checks.texture import SECTION as TEXTURE
from emseg.segment.image_checks.texture import texture_statistics
from emseg.segment.learned_linkage import CHANNELS, EdgesDescription, RoundDescription
from emseg.segment.learned_linkage import SECTION as EDGES
from emseg.segment.model import ModelDescription, ModelFolder, TrainingRecord
from emseg.training.boundary import TrainedBoundary
from emseg.training.edges import TrainedEdges
from emseg.training.volume import TrainingVolume


def model_of(
    volumes: Sequence[TrainingVolume], report: TrainingReport, boundary: TrainedBoundary, edges: TrainedEdges
) -> ModelFolder:
    """The folder of a model that was trained on `volumes`, with the few figures of `report` that it carries."""
    files: dict[str, bytes] = {}
    passes = _passes(boundary, files)
    rounds = _rounds(edges, files)
    grayscales = [volume.grayscale for volume in volumes]
    size = volumes[0].voxel_size_nm
    levels = {"gray_mean": boundary.gray_mean, "gray_std": boundary.gray_std}
    sections: dict[str, JsonValue] = {
        BOUNDARY: BoundaryDescription(**levels, passes=passes).model_dump(mode="json"),
        TEXTURE: texture_statistics(grayscales, size).model_dump(mode="json"),
        FINGERPRINTS: Fingerprints.of(grayscales).model_dump(mode="json"),
        EDGES: EdgesDescription(**levels, channels=CHANNELS, rounds=rounds).model_dump(mode="json"),
    }
    description = ModelDescription(
        voxel_size_nm=size,
        training=TrainingRecord(preset=report.preset, seed=report.seed, regions=report.regions, figures=report.figures),
        sections=sections,
    )
    return ModelFolder.of(description, files)


def _passes(boundary: TrainedBoundary, files: dict[str, bytes]) -> tuple[PassDescription, ...]:
    """Descriptions of the passes; their forests are added to `files`."""
    passes = []
    for number, each in enumerate(boundary.passes, 1):
        name = f"boundary-{number}.txt"
        files[name] = each.text.encode()
        passes.append(PassDescription(bank=each.bank, forest=name))
    return tuple(passes)


def _rounds(edges: TrainedEdges, files: dict[str, bytes]) -> tuple[RoundDescription, ...]:
    """Descriptions of the rounds; their forests are added to `files`."""
    rounds = []
    for number, made in enumerate(edges.rounds, 1):
        names = tuple(f"edges-{number}-{k}.txt" for k in range(1, len(made.texts) + 1))
        files |= {name: text.encode() for name, text in zip(names, made.texts, strict=True)}
        each = made.settings
        rounds.append(RoundDescription(forests=names, threshold=each.threshold, small_nm=each.small_nm))
    return tuple(rounds)
