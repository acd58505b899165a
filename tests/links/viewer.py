"""Neuroglancer's own client in the installed Chromium without a screen, and what of it is seen in pixels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote, urlsplit

import neuroglancer
import numpy as np
import numpy.typing as npt
from neuroglancer.credentials_provider import CredentialsProvider
from neuroglancer.default_credentials_manager import default_credentials_manager
from neuroglancer.futures import run_on_new_thread
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from tests.pipeline.browser import chromium

SOFTWARE_GL = (
    "--no-sandbox",  # as root in a container there is no user to keep Chromium's own sandbox apart from
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
)
SIZE = {"width": 1200, "height": 900}
STANDS_OUT = 15
"""How much red and blue lie above green, of 255, where a pixel is called magenta: gray and green have less than 0."""


class _NoToken(CredentialsProvider):
    """A DVID that asks for no login; the client of the Python package asks this process for one."""

    def get_new(self):
        return run_on_new_thread(lambda: {"tokenType": "", "accessToken": ""})


def state_of(link: str) -> dict:
    """The state in a link: all after `#!`."""
    fragment = urlsplit(link).fragment
    assert fragment.startswith("!")
    return json.loads(unquote(fragment[1:]))


@contextmanager
def browser() -> Iterator[Browser]:
    """Chromium that draws WebGL by software."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=list(SOFTWARE_GL))
        try:
            yield opened
        finally:
            opened.close()


def pixels(opened: Browser, link: str, picture: Path, wanted: float, timeout_s: int = 90) -> npt.NDArray[np.uint8]:
    """The page of a link as soon as `wanted` of each panel (a share) is magenta, or after `timeout_s`."""
    neuroglancer.set_server_bind_address("127.0.0.1")
    default_credentials_manager.register("DVID", lambda _: _NoToken())
    viewer = neuroglancer.Viewer(allow_credentials=True)
    viewer.set_state(state_of(link))
    page = opened.new_page(viewport=SIZE)
    try:
        page.goto(viewer.get_viewer_url())
        for _ in range(timeout_s):
            page.wait_for_timeout(1000)
            seen = _screen(page)
            if magenta(seen) >= wanted and textured(seen):
                break
        Image.fromarray(seen).save(picture)
        return seen
    finally:
        page.close()


def panels(screen: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.bool_]]:
    """The four panels, without the bars above and beside them: xy, xz, 3-D, yz."""
    rows, columns = (slice(130, 460), slice(485, 890)), (slice(10, 440), slice(455, 885))
    return [screen[row, column] for row in rows for column in columns]


def magenta(screen: npt.NDArray[np.uint8]) -> float:
    """The smallest share of magenta pixels in any of the four panels."""
    red, green, blue = np.moveaxis(screen.astype(int), 2, 0)
    painted = np.minimum(red, blue) - green >= STANDS_OUT
    return min(float(panel.mean()) for panel in panels(painted))


def textured(screen: npt.NDArray[np.uint8]) -> bool:
    """Whether the noise of the grayscale is seen through the labels, beside the axes of the first panel."""
    xy = screen[120:240, 90:210, 1]
    return float(xy.std()) > 2


def _screen(page: Page) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(page.screenshot())).convert("RGB"))
