"""The volume of the demo: a synthetic one, or a file of the user's; in DVID, committed, ready to segment."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from emseg.cli.console import bricks_shown, console
from emseg.cli.files import load_array, load_labels
from emseg.config import datasets_folder, load_dataset
from emseg.dvid import DvidServer, Node, create_repo
from emseg.ingest import ingest_grayscale, ingest_labels
from emseg.ingest.arrays import ArrayVolume
from emseg.phases.code_version import version_of
from emseg.synthetic import make_volume

SYNTHETIC = "demo"
FROM_FILE = "demo-data"
SHAPE = (192, 256, 256)
SEED = 7
VOXEL_SIZE_NM = (10.0, 10.0, 10.0)


def demo_volume(server: DvidServer, data: Path | None) -> tuple[str, str]:
    """Dataset name and UUID of the committed node; ingests the volume unless it is there from an earlier demo."""
    if data is None:
        root = load_dataset(datasets_folder(), SYNTHETIC).volume.node
        alias = f"demo-{version_of(('emseg.synthetic.volume',))}"
    else:
        root = sha256(_bytes(data)).hexdigest()[:32]
        alias = f"demo-data-{root}"
    node = Node(server, create_repo(server, alias, "emseg demo", root=root))
    if not node.info().locked:
        grayscale, groundtruth = _synthetic() if data is None else _loaded(data)
        console.print(f"Ingesting {grayscale.size / 1e6:.1f} Mvoxels of grayscale and ground truth into DVID")
        _ingest(node, grayscale, groundtruth)
    return (SYNTHETIC if data is None else FROM_FILE), root


def _ingest(node: Node, grayscale: npt.NDArray[np.uint8], groundtruth: npt.NDArray[np.integer]) -> None:
    image, truth = ArrayVolume(grayscale, "grayscale"), ArrayVolume(groundtruth, "groundtruth")
    ingest_grayscale(node, "grayscale", image, VOXEL_SIZE_NM, progress=bricks_shown("grayscale"))
    ingest_labels(node, "groundtruth", truth, VOXEL_SIZE_NM, progress=bricks_shown("groundtruth"))
    node.commit("emseg demo: grayscale and ground truth")


def _synthetic() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint64]]:
    console.print(f"Making a synthetic EM volume of {SHAPE} voxels, seed {SEED}")
    volume = make_volume(SHAPE, SEED)
    return volume.grayscale, volume.groundtruth


def _loaded(data: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.integer]]:
    return load_array(data, "grayscale"), load_labels(data, "groundtruth")


def _bytes(data: Path) -> bytes:
    load_array(data, "grayscale")  # a missing or foreign file is refused by its name before its bytes are read
    return data.read_bytes()
