"""Figures that a dataset need not have, as a run is pinned: the metrics of packages, and limits that name a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import fields

from emseg.config import Dataset
from emseg.config.runspec import PinnedMetric
from emseg.errors import PermanentError
from emseg.evaluate import OPTIONAL_FIGURES, SURVEY_FIGURES, Score
from emseg.phases.evaluate.figures import pinned_metric
from emseg.quality.verdict import COUNTED

DOING = "pinning the run"
TAKEN = frozenset({"vi", *(each.name for each in fields(Score)), *SURVEY_FIGURES, *OPTIONAL_FIGURES, *COUNTED})
"""Names of figures that emseg has itself."""


def pinned_metrics(dataset: Dataset) -> tuple[PinnedMetric, ...]:
    """The metrics that the dataset file names, in their order.

    PermanentError for one that no allowed package has, for a figure whose name is taken, and without ground truth.
    """
    named = dataset.gate.metrics
    on = f"gate.metrics = {', '.join(named)}"
    if named and dataset.volume.groundtruth is None:
        found = "the dataset has no ground truth, so nothing can be measured against it"
        raise PermanentError(DOING, on, found, "Name a ground truth, or leave the metrics out")
    metrics = tuple(pinned_metric(name) for name in named)
    times = Counter(figure.name for metric in metrics for figure in metric.figures)
    if twice := sorted(name for name, count in times.items() if count > 1 or name in TAKEN):
        found = f"the names of these figures are taken: {', '.join(twice)}"
        raise PermanentError(DOING, on, found, "Name each metric once; have its author rename the figures")
    return metrics


def check_figures(dataset: Dataset, known: Collection[str]) -> None:
    """PermanentError for a figure with a limit that nothing would measure."""
    unknown = sorted(set(dataset.gate.figures) - set(known))
    if unknown:
        raise PermanentError(
            DOING,
            f"gate.figures = {', '.join(unknown)}",
            "this dataset has no figure of this name",
            f"Figures of it: {', '.join(known) or 'none'}. Others need volume.groundtruth.synapses or .skeletons, or a "
            "metric in gate.metrics",
        )
