"""Predict step `onnx-network`: boundary probability from a neural network in ONNX form, tile by tile.

The network is a file of the model folder; section `network` of `model.json` declares what goes in and comes out, and
the step checks it against the file before anything runs.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from emseg.config.base import Record, Vec3
from emseg.config.step_parameters import OnnxNetworkParameters, Provider
from emseg.errors import PermanentError, StepError
from emseg.segment.model import require_voxel_size
from emseg.segment.onnx_file import files_leaned_on
from emseg.segment.protocol import Gray, Margin, Mask, PredictStep, Probability, Setting
from emseg.segment.tiling import tiled

SECTION = "network"
_AS_FLOAT32 = "Export the network with an input and an output of float32"

_ONNX_NAME = {
    Provider.CPU: "CPUExecutionProvider",
    Provider.CUDA: "CUDAExecutionProvider",
    Provider.TENSORRT: "TensorrtExecutionProvider",
}


class NetworkDescription(Record):
    """Section `network` of a model.

    A network of 2 dimensions gets (1, 1, Y, X), one of 3 gets (1, 1, Z, Y, X), float32 `(gray - mean) / std`. It gives
    (1, C, ...) of the same size: one channel of boundary probability, or an affinity for each of `offsets`, voxels
    Z Y X.
    """

    file: str = "network.onnx"
    dimensions: Literal[2, 3] = 3
    input: str
    output: str
    tile_vox: Vec3 = Field(description="Tile that it is given, Z Y X; Z is 1 for 2 dimensions")
    halo_vox: tuple[int, int, int] = Field(description="Voxels at the rim of a tile that lack context, Z Y X")
    gray_mean: float
    gray_std: float = Field(gt=0)
    activation: Literal["none", "sigmoid"] = "none"
    offsets: tuple[tuple[int, int, int], ...] | None = None


class OnnxNetwork(PredictStep[OnnxNetworkParameters]):
    """Overlapping tiles, faded into each other where both have context.

    Affinities become `p = 1 - mean` over the offsets of one voxel: affinities .9, .8 and .1 give p = 0.4.
    """

    name = "onnx-network"
    version = 1
    bytes_per_voxel = 16
    Parameters = OnnxNetworkParameters
    needs_model = True

    def __init__(self, parameters: OnnxNetworkParameters, setting: Setting) -> None:
        """PermanentError when the network is not what its description says, or this machine lacks the provider."""
        super().__init__(parameters, setting)
        require_voxel_size(self.model, setting.voxel_size_nm, self.name)
        self._network = self.model.section(SECTION, NetworkDescription)
        if any(2 * h >= t for h, t in zip(self._network.halo_vox, self._network.tile_vox, strict=True)):
            raise self._unfit(
                f"tiles of {self._network.tile_vox} voxels with a halo of {self._network.halo_vox} have no inside"
            )
        self._session = self._opened()
        self._check()

    @property
    def halo_vox(self) -> Margin:
        """Context that the network needs."""
        return self._network.halo_vox

    def predict(self, gray: Gray, mask: Mask) -> Probability:
        """Boundary probability; voxels outside the mask are given to the network as average gray."""
        image = (gray.astype(np.float32) - np.float32(self._network.gray_mean)) / np.float32(self._network.gray_std)
        image[~mask] = 0
        return tiled(image, self._network.tile_vox, self._network.halo_vox, self._boundary)

    def _boundary(self, tile: Probability) -> Probability:
        """Boundary probability of one tile of the declared size."""
        given = tile if self._network.dimensions == 3 else tile[0]
        (raw,) = self._session.run([self._network.output], {self._network.input: given[np.newaxis, np.newaxis]})
        found = raw[0]
        if not np.isfinite(found).all():
            raise StepError(
                "running a segmentation step",
                f"predict step {self.name}",
                "the network gave NaN or infinity",
                "Check the network on this grayscale, and its normalisation",
            )
        if self._network.activation == "sigmoid":
            found = 1 / (1 + np.exp(-found))
        if self._network.offsets is None:
            boundary = found[0]
        else:
            direct = [k for k, offset in enumerate(self._network.offsets) if sum(map(abs, offset)) == 1]
            boundary = 1 - found[direct].mean(axis=0)
        probability: Probability = np.clip(boundary, 0, 1).astype(np.float32).reshape(tile.shape)
        return probability

    def _opened(self) -> Any:
        import onnxruntime

        wanted = _ONNX_NAME[self.parameters.provider]
        available = onnxruntime.get_available_providers()
        if wanted not in available:
            raise PermanentError(
                "preparing a segmentation step",
                f"predict step {self.name}, provider = {self.parameters.provider.value}",
                f"this machine has {', '.join(available)}",
                "Install onnxruntime-gpu with a driver that fits, or choose provider cpu",
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = 3
        options.add_session_config_entry("session.load_model_format", "ONNX")  # and no format that leans on other files
        others = self._other_files()
        try:
            # In a folder of the model's own files: weights in other files are then found there and nowhere else.
            with TemporaryDirectory() as folder:
                for name in others:
                    Path(folder, name).write_bytes(self.model.file(name))
                network = Path(folder, self._network.file)
                network.write_bytes(self.model.file(self._network.file))
                return onnxruntime.InferenceSession(network, options, providers=[wanted])
        except Exception as error:
            # onnxruntime has error classes of its own for every way in which bytes can fail to be a network.
            raise self._unfit(f"onnxruntime cannot load it ({type(error).__name__}: {str(error)[:300]})") from error

    def _other_files(self) -> list[str]:
        """Files of the model that hold weights of the network; PermanentError for one that is not in the model."""
        data, name = self.model.file(self._network.file), self._network.file
        try:
            others = files_leaned_on(data)
        except ValueError as error:
            raise self._unfit(f"onnxruntime cannot load it: no whole ONNX file ({error})") from None
        missing = [other for other in others if other not in self.model.files]
        if missing:
            raise self._unfit(
                f"weights are in other files, which are not in the model: {', '.join(missing[:3])}",
                "Put them into the file, in the folder where they are: "
                f"onnx.save_model(onnx.load({name!r}), {name!r}, save_as_external_data=False)",
            )
        return others

    def _check(self) -> None:
        """The declared input and output against the real ones, by names, types, and runs on average gray and noise."""
        inputs = {each.name: each for each in self._session.get_inputs()}
        outputs = [each.name for each in self._session.get_outputs()]
        network = self._network
        if list(inputs) != [network.input] or network.output not in outputs:
            raise self._unfit(
                f"it has inputs {list(inputs)} and outputs {outputs}, not {network.input}, {network.output}"
            )
        real = inputs[network.input]
        given = (1, 1, *network.tile_vox[3 - network.dimensions :])
        fits = len(real.shape) == len(given) and all(
            not isinstance(r, int) or r == g for r, g in zip(real.shape, given, strict=True)
        )
        if real.type != "tensor(float)":
            raise self._unfit(f"its input is {real.type}", _AS_FLOAT32)
        if not fits:
            raise self._unfit(f"its input is {real.shape}, and the description says {given}")
        if network.dimensions == 2 and (network.tile_vox[0], network.halo_vox[0]) != (1, 0):
            raise self._unfit(f"it has 2 dimensions, but tiles of {network.tile_vox} and a halo of {network.halo_vox}")
        gray = np.random.default_rng(0).integers(0, 256, given).astype(np.float32)
        for tile in (
            np.zeros(given, np.float32),
            (gray - np.float32(network.gray_mean)) / np.float32(network.gray_std),
        ):
            self._try(tile)
        if network.offsets is not None and not any(sum(map(abs, offset)) == 1 for offset in network.offsets):
            raise self._unfit(f"none of the offsets {network.offsets} is one voxel long")

    def _try(self, tile: npt.NDArray[np.float32]) -> None:
        try:
            (found,) = self._session.run([self._network.output], {self._network.input: tile})
        except Exception as error:
            # onnxruntime has error classes of its own for what a network cannot do with a tile.
            raise self._unfit(
                f"it cannot be run on a tile of {tile.shape} ({type(error).__name__}: {str(error)[:300]})",
                "Choose another `tile_vox` (multiples of 16 for one that halves four times), or export it again",
            ) from error
        channels = 1 if self._network.offsets is None else len(self._network.offsets)
        if found.dtype != np.float32:
            raise self._unfit(f"it gives {found.dtype}", _AS_FLOAT32)
        if found.shape != (1, channels, *tile.shape[2:]):
            raise self._unfit(f"it gives {found.shape}, and the description says {(1, channels, *tile.shape[2:])}")
        if not np.isfinite(found).all():
            raise self._unfit("it gives NaN or infinity for average gray, or for noise of all gray values")

    def _unfit(
        self, found: str, remedy: str = "Correct section `network` of model.json, or export the network again"
    ) -> PermanentError:
        return PermanentError(
            "preparing a segmentation step",
            f"predict step {self.name}, {self._network.file} of model {self.model.digest[:12]}",
            found,
            remedy,
        )
