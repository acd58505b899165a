"""A neuroglancer link: a segmentation over its grayscale, at a place, with bodies selected.

Neuroglancer reads DVID itself, so the browser must reach the server and the server must allow its origin (corsDomains);
an app loaded over https reads an http server only on the reader's own computer. The whole state is in the URL's
fragment, which browsers do not send to anybody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from emseg.links.addresses import checked_server

DEMO_APP = "https://neuroglancer-demo.appspot.com/"
"""The public build of neuroglancer's authors; a deployment may name its own."""

PANEL_PX = 400
"""About the shorter side of one of the four panels on a usual screen."""

OTHERS_ALPHA = 0.15
"""How strongly bodies are painted that are not selected: enough to see where the selected ones end."""

OBLIQUE = [-0.35, 0.35, 0.05, 0.87]
"""How the 3-D panel is turned (a quaternion, x y z w): DVID serves no meshes, and so all three sections are seen."""

T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    """An instance of a DVID node, and the bodies of it that are selected; with none, neuroglancer shows all."""

    uuid: str
    instance: str
    bodies: Sequence[int] = ()


def xyz(zyx: Sequence[T]) -> list[T]:
    """The values of three axes turned round, as neuroglancer orders them: `xyz((3, 2, 1)) == [1, 2, 3]`."""
    z, y, x = zyx
    return [x, y, z]


def neuroglancer_link(
    dvid_url: str,
    grayscale: Layer | None,
    segmentation: Layer,
    groundtruth: Layer | None = None,
    *,
    position_vox: tuple[float, float, float],
    span_nm: float,
    voxel_size_nm: tuple[float, float, float],
    app_url: str = DEMO_APP,
) -> str:
    """Link that shows a labelmap, over grayscale if there is any, and `groundtruth` as a layer that is hidden at first.

    Position and voxel size are ZYX; a panel shows about `span_nm`. PermanentError for a server address with a password.
    """
    server = checked_server(dvid_url)
    finest = span_nm / min(voxel_size_nm)
    state = {
        "dimensions": {axis: [size * 1e-9, "m"] for axis, size in zip("xyz", xyz(voxel_size_nm), strict=True)},
        "position": xyz(position_vox),
        # Both in voxels of the finest axis: per pixel of a cross-section, and per height of the 3-D panel.
        "crossSectionScale": finest / PANEL_PX,
        "projectionScale": finest,
        "projectionOrientation": OBLIQUE,
        "layers": [
            *([] if grayscale is None else [_image(server, grayscale)]),
            _labels(server, segmentation),
            *(
                []
                if groundtruth is None
                else [_labels(server, groundtruth) | {"name": f"ground truth {groundtruth.instance}", "visible": False}]
            ),
        ],
        "selectedLayer": {"layer": segmentation.instance, "visible": True},
        "layout": "4panel",
    }
    return f"{app_url.rstrip('/')}/#!{quote(json.dumps(state, separators=(',', ':')))}"


def _image(server: str, layer: Layer) -> dict[str, object]:
    return {"type": "image", "name": layer.instance, "source": _source(server, layer)}


def _labels(server: str, layer: Layer) -> dict[str, object]:
    return {
        "type": "segmentation",
        "name": layer.instance,
        "source": _source(server, layer),
        # As text: JSON numbers lose the last digits of ids above 2^53 in a browser.
        "segments": [str(body) for body in layer.bodies],
        "notSelectedAlpha": OTHERS_ALPHA,
    }


def _source(server: str, layer: Layer) -> str:
    return f"dvid://{server}/{layer.uuid}/{layer.instance}"
