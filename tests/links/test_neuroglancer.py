from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from tests.links.viewer import state_of
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.links import Layer, neuroglancer_link
from emseg.links.neuroglancer import xyz

UUID, TRUTH = "3f" * 16, "4e" * 16


def link(**changes) -> str:
    layers = Layer(UUID, "grayscale"), Layer(UUID, "segmentation", (2**63 + 1, 17)), Layer(TRUTH, "segmentation", (5,))
    given = {"position_vox": (10, 20, 30), "voxel_size_nm": (40, 8, 4), "span_nm": 1600.0}
    return neuroglancer_link("http://127.0.0.1:8000/", *layers, **{**given, **changes})


def test_axes_are_turned_round_once_for_position_and_for_voxel_size():
    """ZYX (10, 20, 30) at 40 x 8 x 4 nm must be shown at x 30, y 20, z 10, x being the 4 nm axis."""
    state = state_of(link())
    assert state["position"] == [30, 20, 10]
    assert {axis: round(size * 1e9) for axis, (size, _) in state["dimensions"].items()} == {"x": 4, "y": 8, "z": 40}
    assert list(state["dimensions"]) == ["x", "y", "z"], "neuroglancer takes the order of the axes from the keys"
    assert {unit for _, unit in state["dimensions"].values()} == {"m"}


def test_the_layers_read_the_committed_node_from_dvid():
    image, segmentation, _ = state_of(link())["layers"]
    assert (image["type"], image["source"]) == ("image", f"dvid://http://127.0.0.1:8000/{UUID}/grayscale")
    assert segmentation["type"] == "segmentation"
    assert segmentation["source"] == f"dvid://http://127.0.0.1:8000/{UUID}/segmentation"


def test_the_ground_truth_is_a_layer_of_its_own_node_and_hidden_at_first():
    """Kills two layers of one name, of which neuroglancer keeps one: a ground truth may be an instance of that name."""
    layers = state_of(link())["layers"]
    assert layers[2]["source"] == f"dvid://http://127.0.0.1:8000/{TRUTH}/segmentation"
    assert [layer.get("visible", True) for layer in layers] == [True, True, False]
    assert layers[2]["segments"] == ["5"]
    assert len({layer["name"] for layer in layers}) == 3


def test_a_panel_is_about_as_wide_as_was_asked():
    """1600 nm are 400 voxels of the finest axis (4 nm). Kills scales in nm, and of the coarsest axis."""
    state = state_of(link())
    assert state["projectionScale"] == 400
    assert state["crossSectionScale"] == 1


def test_ids_above_the_whole_numbers_of_a_browser_stay_exact():
    """Kills ids as JSON numbers: 2^63 + 1 would come out as 2^63."""
    assert state_of(link())["layers"][1]["segments"] == ["9223372036854775809", "17"]


def test_everything_after_the_app_is_in_the_fragment():
    """The fragment stays in the browser: the app's host learns nothing of the data."""
    parts = urlsplit(link(app_url="https://viewer.example.org/app/"))
    assert (parts.scheme, parts.netloc, parts.path, parts.query) == ("https", "viewer.example.org", "/app/", "")
    assert not set('{}" <>') & set(link())


def test_a_server_address_with_a_password_is_refused():
    with refused(PermanentError, "h") as caught:
        layer, size = Layer(UUID, "x"), (8, 8, 8)
        neuroglancer_link("http://user:secret@h", layer, layer, position_vox=(0, 0, 0), span_nm=1.0, voxel_size_nm=size)
    assert "secret" not in str(caught.value)


def test_turning_round_needs_exactly_three_axes():
    assert xyz(("z", "y", "x")) == ["x", "y", "z"]
    with pytest.raises(ValueError):
        xyz((1, 2))
