"""Scores as a person reads them on the command line; the JSON document has the rest."""

from __future__ import annotations

from rich.table import Table

from emseg.cli.console import console
from emseg.quality.scores import Edits, Scores

_FIGURES = (
    ("VI split (over-segmentation)", "vi_split", "bits"),
    ("VI merge (under-segmentation)", "vi_merge", "bits"),
    ("VI", "vi", "bits"),
    ("adapted Rand error", "adapted_rand_error", ""),
    ("pair precision", "pair_precision", ""),
    ("pair recall", "pair_recall", ""),
    ("labelled share of the ground truth", "assigned_share", ""),
    ("share in the best segment of its body", "best_overlap_share", ""),
    ("segments that hold 90 % of a body, mean", "fragments", ""),
)
SHOWN = 5
"""Bodies of each kind that are shown."""


def show_scores(scores: Scores) -> None:
    """Print what was compared, the figures, the edits, and the worst bodies with a link to each."""
    console.print(scores.compared, markup=False, highlight=False)
    figures = scores.figures
    table = Table("figure", "value", "unit")
    for name, metric, unit in _FIGURES:
        table.add_row(name, f"{figures[metric]:.4f}", unit)
    for edits in scores.edits:
        table.add_row(f"edits to {edits.share:.0%} of the voxels", _told(edits), "")
    table.add_row(
        f"segments / ground-truth {'components' if scores.findings.components else 'bodies'}",
        f"{figures['segments']:.0f} / {figures['bodies']:.0f}",
        "",
    )
    table.add_row("voxels that count", f"{figures['voxels']:.0f}", "")
    console.print(table)
    cut = len(scores.findings.cut)
    sentences = scores.findings.sentences()
    links = [place.link for place in scores.places] or [None] * len(sentences)
    told = list(zip(sentences, links, strict=True))
    for sentence, link in (*told[:cut][:SHOWN], *told[cut:][:SHOWN]):
        console.print(sentence)
        if link:
            console.print(f"  {link}")


def _told(edits: Edits) -> str:
    found = f"{edits.merges} merges, {edits.splits} splits"
    return found if edits.is_reached else f"{found} reach {edits.right_share:.1%}"
