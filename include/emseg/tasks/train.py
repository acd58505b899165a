"""Training on boxes of a dataset in DVID; model and report are kept in the object store.

The training itself is `emseg.training.train`. `report_page_of` is for all who train, on files too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from emseg.config import Dataset
from emseg.config.base import MODEL_REPORTS
from emseg.geometry import Box
from emseg.phases.models import store_model
from emseg.phases.services import DvidServices
from emseg.quality import picture_slices, slices_picture
from emseg.quality.training_report import TrainingReport, training_page
from emseg.segment import ModelFolder
from emseg.store import ObjectStore, join_key
from emseg.tasks.training_data import sources_in_dvid
from emseg.training import TrainingSource
from emseg.training.presets import training_settings
from emseg.training.train import Trained, train

"""Longest side of the slices on the page of the report."""
REPORTS = MODEL_REPORTS


def train_in_store(
    dataset: Dataset, boxes: Sequence[Box], preset: str, seed: int, services: DvidServices, say: Callable[[str], None]
) -> tuple[Trained, str]:
    """Train on boxes of a dataset in DVID and keep model and report in the store; also the address of the report.

    PermanentError as in `train` and `sources_in_dvid`.
    """
    training_settings(preset)  # a wrong name is refused before gigabytes are read
    sources = sources_in_dvid(dataset, boxes, services.server)
    trained = train(sources, preset, seed, say)
    store_model(services.store, trained.model)
    page = report_page_of(trained, sources[0])
    return trained, store_report(services.store, trained.model, trained.report, page)


def store_report(store: ObjectStore, model: ModelFolder, report: TrainingReport, page: bytes) -> str:
    """Keep the report about a model, and return the address of the page; a later training of the same replaces it."""
    store.put(
        join_key(REPORTS, model.digest, "report.json"), report.model_dump_json(indent=1).encode(), "application/json"
    )
    key = join_key(REPORTS, model.digest, "report.html")
    store.put(key, page, "text/html")
    return store.address(key)


def report_page_of(trained: Trained, source: TrainingSource) -> bytes:
    """The page about a training, HTML, with three slices of its first source."""
    gray, truth = source.volume.grayscale, source.volume.groundtruth
    boxes = picture_slices(Box.of_shape(gray.shape))
    sections = [box.start.z for box in boxes]
    window = (sections, *boxes[0].slices()[1:])
    probability = trained.probability[window]
    slices = slices_picture(gray[window], trained.labels[window], truth[window], sections, "Out of fold", probability)
    return training_page(trained.report, trained.model.digest, slices)
