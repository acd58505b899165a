"""The ONNX step: tiny real networks, made here, give what scipy gives; what does not fit its description is refused."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from scipy import ndimage
from tests.refusals import refused

from emseg.authoring.conformance import problems_of
from emseg.config.pipeline import PipelineConfig, StepConfig
from emseg.errors import PermanentError, StepError
from emseg.segment import ModelDescription, ModelFolder, Pipeline, Setting
from emseg.segment.model_check import check_model
from emseg.segment.onnx_file import INSIDE, files_leaned_on
from emseg.segment.steps.onnx_network import NetworkDescription, OnnxNetwork, OnnxNetworkParameters
from emseg.segment.tiling import tiled
from emseg.synthetic import make_volume

ISOTROPIC = (10.0, 10.0, 10.0)
KERNEL = np.random.default_rng(0).normal(0, 0.3, (3, 3, 3)).astype(np.float32)


def network(kernels: np.ndarray, tile, activation="Sigmoid") -> bytes:
    """A convolution with zero padding, and a sigmoid; kernels are (channels out, 1, ...)."""
    dimensions = kernels.ndim - 2
    shape = [1, 1, *tile[3 - dimensions :]]
    nodes = [helper.make_node("Conv", ["image", "kernel"], ["raw"], pads=[1] * 2 * dimensions)]
    nodes += [helper.make_node(activation, ["raw"], ["boundary"])] if activation else []
    output = "boundary" if activation else "raw"
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, len(kernels), *shape[2:]])],
        [numpy_helper.from_array(kernels, "kernel")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 9
    onnx.checker.check_model(made)
    return made.SerializeToString()


def model(data: bytes, voxel_size_nm=ISOTROPIC, **changes) -> ModelFolder:
    given = {
        "input": "image",
        "output": "boundary",
        "tile_vox": (16, 16, 16),
        "halo_vox": (1, 1, 1),
        "gray_mean": 128.0,
        "gray_std": 40.0,
    }
    section = NetworkDescription(**{**given, **changes}).model_dump(mode="json")
    return ModelFolder.of(
        ModelDescription(voxel_size_nm=voxel_size_nm, sections={"network": section}), {"network.onnx": data}
    )


def step(folder: ModelFolder, size=ISOTROPIC, **parameters) -> OnnxNetwork:
    return OnnxNetwork(OnnxNetworkParameters(**parameters), Setting(size, folder))


def texture(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def expected(gray, kernel=KERNEL):
    image = (gray.astype(np.float32) - 128) / 40
    return 1 / (1 + np.exp(-ndimage.correlate(image, kernel, mode="constant")))


def test_a_network_gives_what_scipy_gives_wherever_its_tiles_lie():
    """Kills a tile written one voxel off, a seam, a flipped kernel and a normalisation by the tile."""
    gray = texture((37, 50, 23))
    found = step(model(network(KERNEL[None, None], (16, 16, 16)))).predict(gray, np.ones(gray.shape, bool))
    assert found.dtype == np.float32
    assert np.abs(found - expected(gray)).max() < 1e-5


def test_a_volume_smaller_than_a_tile_is_mirrored_and_cut_back():
    gray = texture((9, 40, 20))
    found = step(model(network(KERNEL[None, None], (16, 16, 16)))).predict(gray, np.ones(gray.shape, bool))
    assert found.shape == gray.shape
    assert np.abs(found - expected(gray))[1:-1].max() < 1e-5


def test_a_network_of_two_dimensions_sees_one_section_at_a_time():
    """Kills sections that are mixed, which a network for thick sections was never trained for."""
    gray = texture((5, 40, 30))
    kernel = KERNEL[1]
    folder = model(network(kernel[None, None], (1, 16, 16)), dimensions=2, tile_vox=(1, 16, 16), halo_vox=(0, 1, 1))
    found = step(folder).predict(gray, np.ones(gray.shape, bool))
    for z in range(5):
        assert np.abs(found[z] - expected(gray[z], kernel)).max() < 1e-5


def test_affinities_of_one_voxel_become_boundary():
    """By hand: p = 1 - mean of the three direct affinities; the long-range one does not count."""
    kernels = np.random.default_rng(1).normal(0, 0.3, (4, 1, 3, 3, 3)).astype(np.float32)
    gray = texture((20, 18, 17))
    offsets = ((-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, 0, -9))
    found = step(model(network(kernels, (16, 16, 16)), offsets=offsets)).predict(gray, np.ones(gray.shape, bool))
    direct = np.mean([expected(gray, kernel[0]) for kernel in kernels[:3]], axis=0)
    assert np.abs(found - (1 - direct)).max() < 1e-5


def test_logits_are_made_probabilities_where_the_description_says_so():
    folder = model(network(KERNEL[None, None], (16, 16, 16), activation=None), output="raw", activation="sigmoid")
    gray = texture((20, 20, 20))
    assert np.abs(step(folder).predict(gray, np.ones(gray.shape, bool)) - expected(gray)).max() < 1e-5


def test_voxels_outside_the_mask_count_as_average_gray():
    folder = model(network(KERNEL[None, None], (16, 16, 16)))
    gray, mask = texture((20, 20, 20)), np.ones((20, 20, 20), bool)
    mask[:, :, 10:] = False
    other = gray.copy()
    other[~mask] = 255
    assert np.array_equal(step(folder).predict(gray, mask), step(folder).predict(other, mask))


def test_the_step_keeps_the_promises_of_the_protocol():
    assert problems_of(step(model(network(KERNEL[None, None], (16, 16, 16))))) == []


def test_a_whole_pipeline_with_a_network_finds_bodies():
    """A network that is dark where the image is bright: enough of a boundary on clean tissue."""
    gray = make_volume((40, 64, 64), seed=2).grayscale
    blur = -np.full((1, 1, 3, 3, 3), 4 / 27, np.float32)
    folder = model(network(blur, (16, 16, 16)))
    config = PipelineConfig(
        mask=StepConfig(name="empty-region"),
        predict=StepConfig(name="onnx-network", model=folder.digest),
        supervoxels=StepConfig(name="dt-watershed"),
        agglomerate=StepConfig(name="mean-boundary"),
    )
    pipeline = Pipeline(config, ISOTROPIC, lambda _: folder)
    result = pipeline.segment_subvolume(gray, np.ones(gray.shape, bool))
    assert result.statistics["segments"] > 3
    assert pipeline.pinned[1].model == folder.digest


GOOD = network(KERNEL[None, None], (16, 16, 16))


@pytest.mark.parametrize(
    ("data", "changes", "values"),
    [
        (b"not a network", {}, ("network.onnx", "onnxruntime")),
        (GOOD[: len(GOOD) // 2], {}, ("network.onnx", "onnxruntime")),
        (GOOD, {"input": "volume"}, ("['image']", "volume")),
        (GOOD, {"output": "affinities"}, ("['boundary']", "affinities")),
        (GOOD, {"tile_vox": (16, 16, 24)}, ([1, 1, 16, 16, 16], (1, 1, 16, 16, 24))),
        (
            GOOD,
            {"dimensions": 2, "tile_vox": (1, 16, 16), "halo_vox": (0, 1, 1)},
            ([1, 1, 16, 16, 16], (1, 1, 16, 16)),
        ),
        (GOOD, {"offsets": ((-1, 0, 0), (0, -1, 0))}, ((1, 1, 16, 16, 16), (1, 2, 16, 16, 16))),
        (GOOD, {"halo_vox": (8, 1, 1)}, ((16, 16, 16), (8, 1, 1))),
        (GOOD, {"file": "other.onnx"}, ("other.onnx",)),
    ],
)
def test_a_network_that_is_not_as_described_is_refused_before_anything_runs(data, changes, values):
    """Kills a job of hours that fails, or gives nonsense, for a wrong word in a description."""
    with refused(PermanentError, *values):
        step(model(data, **changes))


def of_halves(at: str) -> bytes:
    """The network with an `input` or `output` of float16."""
    made = onnx.load_from_string(GOOD)
    graph, to = made.graph, TensorProto.FLOAT if at == "input" else TensorProto.FLOAT16
    if at == "input":
        graph.node[0].input[0] = "image32"
        graph.node.insert(0, helper.make_node("Cast", ["image"], ["image32"], to=to))
    else:
        graph.node[-1].output[0] = "boundary32"
        graph.node.append(helper.make_node("Cast", ["boundary32"], ["boundary"], to=to))
    getattr(graph, at)[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    onnx.checker.check_model(made)
    return made.SerializeToString()


@pytest.mark.parametrize("at", ["input", "output"])
def test_a_network_of_another_type_is_refused_with_advice_that_helps(at):
    """Kills advice to correct the description, which has no word about the type."""
    with refused(PermanentError, "float16", "an input and an output of float32"):
        step(model(of_halves(at)))


def test_a_gpu_that_is_asked_for_and_absent_is_refused():
    """Kills a silent run on the CPU, a hundred times slower than planned."""
    with refused(PermanentError, "cuda", "CPUExecutionProvider"):
        step(model(GOOD), provider="cuda")


def test_voxels_of_another_size_are_refused_and_a_little_difference_is_not():
    assert step(model(GOOD), size=(10.5, 10.0, 9.5))
    with refused(PermanentError, (40.0, 4.0, 4.0), (10.0, 10.0, 10.0)):
        step(model(GOOD), size=(40.0, 4.0, 4.0))


def test_a_network_that_gives_nan_is_refused_before_anything_runs():
    """Kills a check on zeros alone, which no weight overflows."""
    folder = model(network(np.full((1, 1, 3, 3, 3), 3e38, np.float32), (16, 16, 16), activation=None), output="raw")
    with refused(PermanentError, "network.onnx", "NaN"):
        step(folder)


def test_a_network_that_gives_nan_where_no_check_saw_it_fails_its_subvolume_by_name():
    """The sum of 27 bright voxels overflows the exponential function; noise and average gray do not."""
    bright = np.full((16, 16, 16), 255, np.uint8)
    folder = model(network(np.full((1, 1, 3, 3, 3), 1.1, np.float32), (16, 16, 16), activation="Exp"))
    with refused(StepError, "onnx-network", "NaN"):
        step(folder).predict(bright, np.ones(bright.shape, bool))


def saved(folder: Path, location: str | None = None, change=lambda _: None) -> bytes:
    """The good network, saved with its weights in the file `location`, or as `change` leaves it."""
    made = onnx.load_from_string(GOOD)
    change(made)
    options = {"save_as_external_data": True, "location": location, "size_threshold": 0} if location else {}
    onnx.save_model(made, folder / "network.onnx", **options)
    return (folder / "network.onnx").read_bytes()


def elsewhere(tensor, location):
    """The tensor as one whose values are in the file `location`."""
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def in_a_constant(made):
    tensor = elsewhere(numpy_helper.from_array(np.ones(3, np.float32)), "in-a-node.bin")
    made.graph.node.append(helper.make_node("Constant", [], ["unused"], value=tensor))


def in_a_branch(made):
    tensor = elsewhere(numpy_helper.from_array(np.ones(3, np.float32), "t"), "in-a-branch.bin")
    branch = helper.make_graph([], "branch", [], [], [tensor])
    made.graph.node.append(helper.make_node("If", ["c"], ["unused"], then_branch=branch, else_branch=branch))


def in_a_function(made):
    made.functions.add(name="f").node.append(helper.make_node("Constant", [], ["c"], value=TensorProto()))
    elsewhere(made.functions[0].node[0].attribute[0].t, "in-a-function.bin")


@pytest.mark.parametrize("location", ["network.onnx.data", "weights.bin"])
def test_weights_in_a_file_that_is_not_in_the_model_are_refused_wherever_it_is(location, tmp_path, monkeypatch):
    """Kills weights out of the folder where the command happens to be started: no digest says anything of them."""
    data = saved(tmp_path, location)
    monkeypatch.chdir(tmp_path)
    with refused(PermanentError, location, "save_as_external_data=False"):
        step(model(data))


def test_weights_in_a_second_file_of_the_model_are_used_and_are_in_its_digest(tmp_path, monkeypatch):
    """Kills a network that is refused though all of it is there, or that takes its weights from the current folder."""
    data = saved(tmp_path, "weights.bin")
    weights = (tmp_path / "weights.bin").read_bytes()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.bin").write_bytes(bytes(len(weights)))
    gray = texture((16, 16, 16))
    digests = set()
    for stored, kernel in ((weights, KERNEL), (np.float32(-3 * KERNEL).tobytes(), -3 * KERNEL)):
        folder = ModelFolder({**model(data).files, "weights.bin": stored})
        digests.add(folder.digest)
        found = step(folder).predict(gray, np.ones(gray.shape, bool))
        assert np.abs(found - expected(gray, kernel)).max() < 1e-5
    assert len(digests) == 2
    with refused(PermanentError, "network.onnx", "onnxruntime"):
        step(ModelFolder({**model(data).files, "weights.bin": weights[:-1]}))


@pytest.mark.parametrize("location", ["../out.bin", "/tmp/out.bin", "deep/down.bin"])
def test_weights_are_refused_by_whatever_path_they_are_named(location, tmp_path):
    data = saved(tmp_path, change=lambda made: elsewhere(made.graph.initializer[0], location))
    with refused(PermanentError, location):
        step(model(data))


@pytest.mark.parametrize("change", [in_a_constant, in_a_branch, in_a_function])
def test_tensors_in_every_part_of_a_network_are_looked_at(change, tmp_path):
    """Kills a look at the initializers of the outer graph alone."""
    (found,) = files_leaned_on(saved(tmp_path, change=change))
    assert found == change.__name__.replace("_", "-") + ".bin" or found == "in-a-node.bin"


def test_the_remedy_works_when_it_is_followed_literally(tmp_path, monkeypatch):
    saved(tmp_path, "network.onnx.data")
    monkeypatch.chdir(tmp_path)
    onnx.save_model(onnx.load("network.onnx"), "network.onnx", save_as_external_data=False)
    assert step(model(Path("network.onnx").read_bytes()))


def test_every_field_of_onnx_in_which_a_tensor_can_lie_is_known():
    """Oracle: the messages of the package onnx."""

    def tensors_below(message, seen=()):
        if message.name == "TensorProto":
            return True
        inner = [field.message_type for field in message.fields if field.message_type]
        return any(each.name not in seen and tensors_below(each, (*seen, message.name)) for each in inner)

    known, left = {}, [onnx.ModelProto.DESCRIPTOR]
    while left:
        message = left.pop()
        if message.name not in known and message.name != "TensorProto":
            inside = [field for field in message.fields if field.message_type and tensors_below(field.message_type)]
            known[message.name] = {field.number: field.message_type.name for field in inside}
            left += [field.message_type for field in inside]
    assert known == INSIDE


@given(st.binary(max_size=200), st.integers(0, len(GOOD)))
def test_bytes_that_are_no_network_are_refused_and_nothing_else_happens(junk, cut):
    """Kills an endless loop and an IndexError in reading what somebody else wrote."""
    for data in (junk, GOOD[:cut] + junk):
        with suppress(ValueError):
            files_leaned_on(data)


def halved(made):
    """A network that joins the image with itself, halved and doubled: odd tiles do not come back to their size."""
    nodes = [
        helper.make_node("MaxPool", ["image"], ["small"], kernel_shape=[2, 2, 2], strides=[2, 2, 2]),
        helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest"),
        helper.make_node("Add", ["image", "large"], ["boundary"]),
    ]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    made.graph.initializer.append(numpy_helper.from_array(np.array([1, 1, 2, 2, 2], np.float32), "scales"))
    for value in (*made.graph.input, *made.graph.output):
        for size in value.type.tensor_type.shape.dim[2:]:
            size.dim_param = "any"


def later_operators(made):
    made.opset_import[0].version = 99


def unknown_operator(made):
    made.opset_import.add(domain="nobody", version=1)
    made.graph.node[0].op_type, made.graph.node[0].domain = "Mystery", "nobody"


@pytest.mark.parametrize(
    ("change", "changes", "found"),
    [
        (halved, {"tile_vox": (15, 16, 16)}, ["(1, 1, 15, 16, 16)", "tile_vox"]),
        (later_operators, {}, ["onnxruntime"]),
        (unknown_operator, {}, ["Mystery"]),
    ],
)
def test_what_onnxruntime_cannot_do_is_told_before_anything_runs(change, changes, found, tmp_path):
    """Kills errors of onnxruntime's own classes, as tracebacks, or hours later in a Spark task."""
    folder = model(saved(tmp_path, change=change), **changes)
    with refused(PermanentError, "network.onnx", *found):
        step(folder)
    with refused(PermanentError, "network.onnx", *found):
        check_model(folder)


@settings(max_examples=30)
@given(st.tuples(*[st.integers(1, 40)] * 3), st.tuples(*[st.integers(3, 20)] * 3), st.tuples(*[st.integers(0, 4)] * 3))
def test_tiles_of_any_size_leave_no_seam(shape, tile, halo):
    """Kills weights that do not add up to one, and voxels that no tile reaches: the identity must come back."""
    halo = tuple(min(h, (t - 1) // 2) for h, t in zip(halo, tile, strict=True))
    image = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    assert np.allclose(tiled(image, tile, halo, lambda part: part), image, atol=1e-5)
