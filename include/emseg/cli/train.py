"""`emseg train`: a model from volumes with ground truth, in files or in DVID, and a report about it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from emseg.cli.boxes import corners_of
from emseg.cli.connecting import connected
from emseg.cli.console import console
from emseg.cli.files import load_array, load_labels, said_voxel_size
from emseg.cli.models import require_room
from emseg.config import RunParameters, datasets_folder, load_dataset
from emseg.config.base import validated
from emseg.disk import told_path, write_whole
from emseg.errors import PermanentError
from emseg.geometry import Box, VoxelSize
from emseg.tasks.train import report_page_of, train_in_store
from emseg.training import TrainingSource, source_of_arrays
from emseg.training.sources import check_apart
from emseg.training.train import Trained, train


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command(name="train")(train_command)


def train_command(
    preset: Annotated[
        str, typer.Option(help="What to train: default, or best (twice the time, fewer errors)")
    ] = "default",
    data: Annotated[
        list[Path] | None, typer.Option(help="npz file with keys `grayscale` and `groundtruth`; may be repeated")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Dataset whose grayscale and ground truth in DVID to take")
    ] = None,
    box: Annotated[
        list[str] | None,
        typer.Option(help="Z0,Y0,X0,Z1,Y1,X1: voxels, half-open; may be repeated. Of a file: all of it by default"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the model; with --dataset it is kept in the store too")
    ] = None,
    node: Annotated[
        str | None, typer.Option(help="DVID version in place of the dataset's: UUID, or UUID:branch")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed and data: same model")] = 0,
    voxel_size: Annotated[
        tuple[float, float, float] | None,
        typer.Option(help="Voxel size of files, nm Z Y X; 10 10 10 where it is not given"),
    ] = None,
) -> None:
    """Train the steps of a preset; the report goes beside the model, into OUT-report."""
    corners = [corners_of(text, "training a model", "--box") for text in box or []]
    boxes = [Box(six[:3], six[3:]) for six in corners]
    if bool(data) == bool(dataset) or (data and (out is None or node)):
        raise PermanentError(
            "training a model",
            "options --data, --dataset, --out",
            "give files with --data and --out, or a dataset in DVID with --dataset (and --node)",
            "Choose one of the two",
        )
    if out is not None:
        require_room(out)
        _check_report(_report_folder(out))
    if dataset is not None:
        choices = validated(RunParameters, {"dataset": dataset, "node": node}, "checking the options", "emseg train")
        known = choices.applied_to(load_dataset(datasets_folder(), dataset))
        result, address = train_in_store(known, boxes, preset, seed, connected(), _clock())
        console.print(f"Kept in the store; report: {address}")
        if out is not None:
            result.model.write(out)
    elif out is not None:
        size = said_voxel_size(voxel_size)
        sources = [source for file in data or [] for source in _sources_of(file, boxes, size)]
        check_apart([source.region for source in sources], ", ".join(map(str, data or [])))
        result = train(sources, preset, seed, _clock())
        result.model.write(out)
        _write_report(_report_folder(out), result, report_page_of(result, sources[0]))
    _show(result)


def _sources_of(file: Path, boxes: list[Box], voxel_size: VoxelSize) -> list[TrainingSource]:
    return source_of_arrays(
        load_array(file, "grayscale"), load_labels(file, "groundtruth"), voxel_size, boxes, told_path(file)
    )


def _report_folder(out: Path) -> Path:
    """Beside the model and not in it: the digest of a model counts every file of its folder."""
    whole = out.absolute()  # `.` has no name
    return whole.with_name(f"{whole.name}-report")


def _check_report(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        found = "the report would go into this folder, but it is a file"
        raise PermanentError("training a model", str(folder), found, "Move it")


def _write_report(folder: Path, result: Trained, page: bytes) -> None:
    write_whole(folder / "report.json", result.report.model_dump_json(indent=1).encode())
    write_whole(folder / "report.html", page)
    console.print(f"Report: {folder / 'report.html'}")


def _clock() -> Callable[[str], None]:
    started = time.monotonic()

    def say(line: str) -> None:
        console.print(f"{time.monotonic() - started:7.1f} s  {line}")

    return say


def _show(result: Trained) -> None:
    figures, report = result.report.figures, result.report
    console.print(
        f"Out of fold: boundary average precision {figures['boundary_average_precision']:.4f}, "
        f"VI split {figures['vi_split']:.4f} merge {figures['vi_merge']:.4f} bits, "
        f"ARE {figures['adapted_rand_error']:.4f}; trained on {report.voxels / 1e6:.1f} Mvoxels "
        f"in {np.sum(list(report.seconds.values())):.0f} s"
    )
    console.print(f"Model {result.model.digest}")
