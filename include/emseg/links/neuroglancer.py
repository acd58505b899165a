"""A neuroglancer link: a released segmentation over its grayscale, at a position, with bodies selected.

Neuroglancer reads DVID itself, so the browser must reach the server and the server must allow its origin (corsDomains);
an app loaded over https reads an http server only on the reader's own computer. The whole state is in the URL's
fragment, which browsers do not send to anybody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import quote

from emseg.links.addresses import checked_server

DEMO_APP = "https://neuroglancer-demo.appspot.com/"
"""The public build of neuroglancer's authors; a deployment may name its own."""

T = TypeVar("T")


def xyz(zyx: Sequence[T]) -> list[T]:
    """The values of three axes turned round, as neuroglancer orders them: `xyz((3, 2, 1)) == [1, 2, 3]`."""
    z, y, x = zyx
    return [x, y, z]


def neuroglancer_link(
    dvid_url: str,
    uuid: str,
    grayscale: str,
    segmentation: str,
    *,
    position_vox: tuple[float, float, float],
    voxel_size_nm: tuple[float, float, float],
    bodies: Sequence[int] = (),
    app_url: str = DEMO_APP,
) -> str:
    """Link that shows labelmap `segmentation` over `grayscale` of node `uuid`; position and voxel size are ZYX.

    `bodies` are selected; with none, neuroglancer shows all. PermanentError for a server address with a password.
    """
    server = checked_server(dvid_url)
    sizes = {axis: [size * 1e-9, "m"] for axis, size in zip("xyz", xyz(voxel_size_nm), strict=True)}
    state = {
        "dimensions": sizes,
        "position": xyz(position_vox),
        "layers": [
            {"type": "image", "name": grayscale, "source": f"dvid://{server}/{uuid}/{grayscale}"},
            {
                "type": "segmentation",
                "name": segmentation,
                "source": f"dvid://{server}/{uuid}/{segmentation}",
                # As text: JSON numbers lose the last digits of ids above 2^53 in a browser.
                "segments": [str(body) for body in bodies],
            },
        ],
        "selectedLayer": {"layer": segmentation, "visible": True},
        "layout": "4panel",
    }
    return f"{app_url.rstrip('/')}/#!{quote(json.dumps(state, separators=(',', ':')))}"
