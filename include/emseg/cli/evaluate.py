"""`emseg evaluate`: any two segmentations, both in files or both in DVID."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from emseg.cli.boxes import corners_of
from emseg.cli.console import console
from emseg.cli.evaluate_dvid import scores_in_dvid
from emseg.cli.evaluate_files import scores_of_files
from emseg.cli.scores_shown import show_scores
from emseg.config.base import validated
from emseg.config.evaluation import EvaluationParameters
from emseg.config.groundtruth import Counting, Unassigned
from emseg.disk import write_whole
from emseg.errors import PermanentError

DOING = "checking the options"
_IN_DVID = re.compile(r"[0-9a-f]{4,32}(:[A-Za-z0-9_-]+)?:[^/:]+")
OF_DVID, OF_FILES = ("roi", "core_vox", "segmentation_supervoxels", "groundtruth_supervoxels"), ("voxel_size",)


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command()(evaluate)


def evaluate(
    segmentation: Annotated[
        str, typer.Argument(help="npz file with key `labels`; or a labelmap in DVID, NODE:INSTANCE, NODE committed")
    ],
    groundtruth: Annotated[
        str, typer.Argument(help="npz file with key `groundtruth`; or a labelmap in DVID. 0 does not count")
    ],
    *,
    unassigned: Annotated[
        Unassigned, typer.Option(help="What label 0 of the segmentation counts as: one segment, or one for each voxel")
    ] = Unassigned.SEGMENT,
    ignore_boundary_nm: Annotated[
        float, typer.Option(help="Voxels so near to one of another label, or of none, do not count")
    ] = 0,
    body: Annotated[
        list[int] | None, typer.Option(help="Body of the ground truth that counts; may be repeated. None named: all")
    ] = None,
    min_body_vox: Annotated[int, typer.Option(help="Bodies with fewer counted voxels do not count")] = 0,
    scale: Annotated[int, typer.Option(help="Both labelmaps are compared at this scale, 0 to 4; of files 0")] = 0,
    components: Annotated[
        bool, typer.Option("--components", help="Measure against the connected components of bodies inside the region")
    ] = False,
    box: Annotated[str | None, typer.Option(help="Z0,Y0,X0,Z1,Y1,X1 to stay inside: voxels, half-open")] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(help="Z0,Y0,X0,Z1,Y1,X1 that does not count, e.g. where a model was trained; may be repeated"),
    ] = None,
    roi: Annotated[str | None, typer.Option(help="In DVID: ROI to stay inside, NODE:INSTANCE")] = None,
    segmentation_supervoxels: Annotated[
        bool, typer.Option("--segmentation-supervoxels", help="In DVID: measure supervoxels in place of bodies")
    ] = False,
    groundtruth_supervoxels: Annotated[
        bool, typer.Option("--groundtruth-supervoxels", help="In DVID: measure against supervoxels")
    ] = False,
    core_vox: Annotated[
        tuple[int, int, int] | None,
        typer.Option(help="In DVID: subvolume, voxels Z Y X, multiples of 64; 256 256 256 by default"),
    ] = None,
    voxel_size: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Of files: voxel size, nm Z Y X; what they say, or 10 10 10, by default"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write, with all figures and places")] = None,
) -> None:
    """Compare any two segmentations: two labelmaps in DVID, or two npz files of one shape."""
    counting = {
        "unassigned": unassigned,
        "ignore_boundary_nm": ignore_boundary_nm,
        "bodies": body or (),
        "min_body_vox": min_body_vox,
        "scale": scale,
        "components": components,
    }
    inside = None if box is None else corners_of(box, DOING, "--box")
    without = tuple(corners_of(text, DOING, "--leave-out") for text in leave_out or ())
    of_dvid = {
        "roi": roi,
        "core_vox": core_vox,
        "segmentation_supervoxels": segmentation_supervoxels,
        "groundtruth_supervoxels": groundtruth_supervoxels,
    }
    if _are_in_dvid(segmentation, groundtruth):
        _refuse_others({"voxel_size": voxel_size}, "for files, and DVID tells the voxel size of a labelmap")
        given: dict[str, Any] = {name: value for name, value in of_dvid.items() if value}
        given |= {"segmentation": segmentation, "groundtruth": groundtruth, "box": inside, "leave_out": without}
        scores = scores_in_dvid(validated(EvaluationParameters, counting | given, DOING, "emseg evaluate"))
    else:
        _refuse_others(of_dvid | {"scale": scale}, "for labelmaps in DVID, NODE:INSTANCE, and these are files")
        counted = validated(Counting, counting, DOING, "emseg evaluate")
        scores = scores_of_files(Path(segmentation), Path(groundtruth), counted, inside, without, voxel_size)
    show_scores(scores)
    if out is not None:
        write_whole(out, scores.model_dump_json(indent=1).encode())
        console.print(f"-> {out}")


def _are_in_dvid(segmentation: str, groundtruth: str) -> bool:
    found = [_IN_DVID.fullmatch(each) is not None for each in (segmentation, groundtruth)]
    if found[0] != found[1]:
        named = (segmentation, groundtruth)
        other = named[found.index(False)]
        kind = "a file" if Path(other).exists() else "neither NODE:INSTANCE nor a file"
        raise PermanentError(
            DOING,
            f"{segmentation} and {groundtruth}",
            f"{named[found.index(True)]} is a labelmap in DVID, and {other} is {kind}",
            "Give two labelmaps, NODE:INSTANCE (4 to 32 of 0-9 and a-f; for a branch NODE:BRANCH:INSTANCE), or two "
            "files (./NAME for one whose name looks like a labelmap); `emseg ingest labels` brings a file into DVID",
        )
    return all(found)


def _refuse_others(given: dict[str, Any], reason: str) -> None:
    """PermanentError where an option was given that is for the other kind of labels."""
    for name, value in given.items():
        if value:
            option = f"--{name.replace('_', '-')}"
            raise PermanentError(DOING, option, f"it is {reason}", f"Leave {option} out")
