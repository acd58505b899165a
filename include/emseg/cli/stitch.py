"""`emseg stitch`: why bodies are as they are, how two stitchings differ, and what people decide about them.

Decisions are kept for the segmentation; the next run stitches again with them, and reuses everything before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import pyarrow as pa
import typer
from rich.table import Table

from emseg.array_types import Ids
from emseg.cli.connecting import connected, require_dataset
from emseg.cli.console import console
from emseg.config.base import validated
from emseg.config.edits import Edit, EditKind, Edits
from emseg.errors import PermanentError
from emseg.phases.edits import change_edits, read_edits
from emseg.phases.resolve.evidence import pair_constraints_of
from emseg.phases.services import DvidServices
from emseg.publish import served_release
from emseg.stitch import contradicted
from emseg.stitch.review import about, joins_of, parked, parts_without, refusals_of, row_of
from emseg.tasks.stitch_review import StitchReview, difference

cli = typer.Typer(no_args_is_help=True)

MOST_ID = 2**64 - 1
"""Ids are uint64; which of them a segmentation has is found out later."""

Dataset = Annotated[str, typer.Option("--dataset", "-d", help="Dataset file under include/datasets, without .yaml")]
Run = Annotated[str | None, typer.Option("--run", "-r", help="Run; that of the served release where not given")]
Supervoxel = Annotated[int, typer.Argument(min=1, max=MOST_ID, help="Supervoxel id")]
Why = Annotated[str, typer.Option(help="Why, for whoever looks at it later")]
Rows = Annotated[int, typer.Option(min=1, help="Rows of a table to show")]


@cli.command()
def explain(
    body: Annotated[int, typer.Argument(min=1, max=MOST_ID, help="Body id, or that of one of its supervoxels")],
    dataset: Dataset,
    run: Run = None,
    rows: Rows = 20,
) -> None:
    """Show which joins made a body, which were refused at its border, and why."""
    review = _review(connected(), dataset, run)
    supervoxel = np.array([review.numbered(body)], np.uint64)
    of = review.body_of(supervoxel)
    members = review.members(int(of[0]))
    if of != supervoxel:
        named, body = body, int(review.shown(of)[0])
        console.print(f"Supervoxel {named} is part of body {body}")
    if review.voxels(members) == 0:
        raise PermanentError(
            "explaining a body", f"{body} of run {review.spec.run}", "no body has this name", "Take an id from DVID"
        )
    console.print(f"Body {body}: {len(members)} supervoxels, {review.voxels(members) / 1e6:.3f} Mvoxels")
    _show_decisions(review, members)
    around = review.ledger_rows(lambda ledger: about(ledger, members))
    _show("joined, best evidence first", review.shown_rows(joins_of(around, members)), rows)
    _show("not joined, most shared voxels first", review.shown_rows(refusals_of(around, members)), rows)
    console.print(review.link(body), soft_wrap=True)


@cli.command(name="parked")
def show_parked(dataset: Dataset, run: Run = None, rows: Rows = 20) -> None:
    """List the joins that a growth guard holds back until a person decides: `join` or `part` them."""
    review = _review(connected(), dataset, run)
    _show("parked, most shared voxels first", review.shown_rows(parked(review.ledger_rows(parked))), rows)


@cli.command()
def compare(
    first: Annotated[str, typer.Argument(help="Run")],
    second: Annotated[str, typer.Argument(help="Run")],
    dataset: Dataset,
    rows: Rows = 20,
) -> None:
    """Show how two stitchings of one segmentation differ, by bodies and in bits."""
    services = connected()
    found = difference(StitchReview.of(services, dataset, first), StitchReview.of(services, dataset, second))
    console.print(
        f"From {first} to {second}: VI split {found.score.vi_split:.4f}, merge {found.score.vi_merge:.4f} bits"
    )
    for said, changed in (
        (f"bodies of {first} that are several in {second}", found.split),
        (f"bodies of {second} that were several in {first}", found.joined),
    ):
        table = Table("body", "parts", "voxels", title=f"{len(changed)} {said}", title_justify="left")
        for row in changed[:rows].tolist():
            table.add_row(*map(str, row))
        console.print(table)


@cli.command()
def undo(first: Supervoxel, second: Supervoxel, dataset: Dataset, run: Run = None, why: Why = "") -> None:
    """Take one join back: the next run does not count this vote. Says what the body falls into."""
    services = connected()
    review = _review(services, dataset, run)
    one, other = review.numbered(first), review.numbered(second)
    row = review.ledger_rows(lambda ledger: row_of(ledger, one, other)).to_pylist()
    if not row or not row[0]["joined"]:
        raise PermanentError(
            "taking a join back",
            f"supervoxels {first} and {second} of run {review.spec.run}",
            f"not joined: {row[0]['reason']}" if row else "no vote could have joined them directly",
            "Take the two from a joined row of `emseg stitch explain BODY`. To keep bodies apart whatever joins them, "
            f"use `part`; to take out what a person decided, `emseg stitch edits -d {dataset} --forget NUMBER`",
        )
    body = review.body_of(np.array([one], np.uint64))
    members = review.members(int(body[0]))
    joins = review.ledger_rows(lambda ledger: joins_of(ledger, members))
    parts = parts_without(joins, pair_constraints_of(review.spec.edits)[0].must_link, members, one, other)
    sizes = ", ".join(f"{review.voxels(part)} voxels" for part in parts)
    _add(services, review, EditKind.UNDO, first, second, why)
    if len(parts) == 1:
        console.print(f"Body {review.shown(body)[0]} stays one: other joins hold it together")
    else:
        console.print(f"Body {review.shown(body)[0]} falls into {len(parts)} parts: {sizes}")


@cli.command()
def join(first: Supervoxel, second: Supervoxel, dataset: Dataset, run: Run = None, why: Why = "") -> None:
    """Make one body of two supervoxels, whatever the votes say."""
    services = connected()
    _add(services, _review(services, dataset, run), EditKind.JOIN, first, second, why)


@cli.command()
def part(first: Supervoxel, second: Supervoxel, dataset: Dataset, run: Run = None, why: Why = "") -> None:
    """Keep two supervoxels in two bodies, whatever the votes say."""
    services = connected()
    _add(services, _review(services, dataset, run), EditKind.PART, first, second, why)


@cli.command()
def edits(
    dataset: Dataset,
    run: Run = None,
    forget: Annotated[int | None, typer.Option(min=1, help="Number of a decision to take out")] = None,
) -> None:
    """List what people decided about the segmentation of a run, or take one decision out."""
    services = connected()
    review = _review(services, dataset, run)
    if forget is not None:
        change_edits(services.store, dataset, review.segment_key, lambda known: _without(known, forget))
    kept = read_edits(services.store, dataset, review.segment_key)
    console.print(_decisions(review, "what people decided", list(enumerate(kept.edits, 1))))


def _show_decisions(review: StitchReview, members: Ids) -> None:
    """Those that the run followed and that name a supervoxel of a body; nothing where there is none."""
    of_body = set(members.tolist())
    said = [(n, e) for n, e in enumerate(review.spec.edits.edits, 1) if {e.first, e.second} & of_body]
    if said:
        console.print(_decisions(review, "what people decided, as this run followed it", said))


def _decisions(review: StitchReview, title: str, said: Sequence[tuple[int, Edit]]) -> Table:
    table = Table("number", "decision", "first", "second", "why", title=title, title_justify="left")
    for number, edit in said:
        first, second = review.shown(np.array([edit.first, edit.second], np.uint64)).tolist()
        table.add_row(str(number), edit.kind, str(first), str(second), edit.why)
    return table


def _without(known: tuple[Edit, ...], number: int) -> tuple[Edit, ...]:
    if number > len(known):
        raise PermanentError(
            "taking a decision out",
            f"number {number}",
            f"there are {len(known)}",
            "List them: emseg stitch edits --dataset NAME",
        )
    return known[: number - 1] + known[number:]


def _review(services: DvidServices, dataset: str, run: str | None) -> StitchReview:
    if run is None:
        served = served_release(services.store, dataset)
        if served is None:
            require_dataset(dataset)
            raise PermanentError(
                "looking at the stitching of a release", dataset, "nothing is published yet", "Name a run: --run"
            )
        run = served.run
    return StitchReview.of(services, dataset, run)


def _add(services: DvidServices, review: StitchReview, kind: EditKind, first: int, second: int, why: str) -> None:
    """Keep a decision about two supervoxels that the run has, unless earlier ones forbid it; twice changes nothing."""
    one, other = review.numbered(first), review.numbered(second)
    for supervoxel, number in ((first, one), (second, other)):
        if not review.has(number) or first == second:
            raise PermanentError(
                "editing a segmentation",
                f"supervoxel {supervoxel}",
                "it is named twice" if first == second else f"run {review.spec.run} has no such supervoxel",
                "Take two ids from `emseg stitch explain BODY`, or from DVID with supervoxels=true",
            )
    fields = {"kind": kind, "first": one, "second": other, "why": why}
    edit = validated(Edit, fields, "checking the options", f"emseg stitch {kind}")
    others = {(kind, one, other), (kind, other, one)}

    def with_it(known: tuple[Edit, ...]) -> tuple[Edit, ...]:
        if any((e.kind, e.first, e.second) in others for e in known):
            return known
        of_pair = [(n, e.kind) for n, e in enumerate(known, 1) if {e.first, e.second} == {one, other}]
        # Only one of the same kind stands beside a `join`.
        contrary = [(n, earlier) for n, earlier in of_pair if EditKind.JOIN in (kind, earlier)]
        if contrary:
            number, earlier = contrary[0]
            take_out = f"emseg stitch edits -d {review.spec.dataset} -r {review.spec.run} --forget {number}"
            raise PermanentError(
                "editing a segmentation",
                f"supervoxels {first} and {second}",
                f"decision {number}, {earlier}, says the contrary",
                f"Take that out first: {take_out}",
            )
        constraints, _ = pair_constraints_of(Edits(edits=(*known, edit)))
        if len(pair := constraints.contradiction()):
            raise contradicted("editing a segmentation", review.shown(pair))
        return (*known, edit)

    changed = change_edits(services.store, review.spec.dataset, review.segment_key, with_it)
    kept = "1 decision" if len(changed.edits) == 1 else f"{len(changed.edits)} decisions"
    console.print(f"{kept} kept; the next run of {review.spec.dataset} stitches again with all of them")


def _show(title: str, rows: pa.Table, most: int) -> None:
    table = Table(
        "first",
        "second",
        "shared",
        "of first",
        "of second",
        "weak",
        "what",
        title=f"{rows.num_rows} {title}",
        title_justify="left",
    )
    for row in rows.slice(0, most).to_pylist():
        against = f" ({row['apart_first']} and {row['apart_second']})" if row["apart_first"] else ""
        table.add_row(
            str(row["first"]),
            str(row["second"]),
            str(row["overlap_vox"]),
            f"{row['overlap_vox'] / row['first_vox']:.0%}",
            f"{row['overlap_vox'] / row['second_vox']:.0%}",
            "weak" if row["weak"] else "",
            row["reason"] + against,
        )
    console.print(table)
