"""A map of subvolumes as SVG inside the page: it follows the colours of the page, also in the dark and in print."""

from __future__ import annotations

from html import escape

from emseg.quality.numbers import number, signed
from emseg.quality.report.document import SubvolumeMap, Tile

_SIDE = 60
_TILE_REM = 4
_MOST_WITH_TEXT = 8
"""Tiles a side up to which each shows its number; a larger map shows them as hints under the mouse."""
_LEVELS = 8
_STRONGEST = 0.75
"""Opacity of the largest value: the number in the tile stays readable."""


def map_svg(shown: SubvolumeMap) -> str:
    """An element that is as wide as its place allows. Squares without a tile have no ground truth or no subvolume."""
    rows, columns = shown.shape
    strongest = max((abs(tile.value) for tile in shown.tiles), default=0.0)
    tiles = "".join(_tile(shown, tile, strongest, max(shown.shape) <= _MOST_WITH_TEXT) for tile in shown.tiles)
    down = "y" if shown.seen_from == "above" else "z"
    name = f"seen from {'above' if shown.seen_from == 'above' else 'the side'}: x to the right, {down} down"
    return (
        f'<figure class="map"><figcaption>{name}</figcaption>'
        f'<svg role="img" aria-label="{name}" style="max-width:{columns * _TILE_REM}rem" '
        f'viewBox="0 0 {columns * _SIDE} {rows * _SIDE}">'
        f'<rect class="nothing" width="100%" height="100%"/>{tiles}</svg></figure>'
    )


def _tile(shown: SubvolumeMap, tile: Tile, strongest: float, with_text: bool) -> str:
    x, y = tile.column * _SIDE, tile.row * _SIDE
    level = 0.0 if strongest == 0 else -(-_LEVELS * abs(tile.value) // strongest) / _LEVELS * _STRONGEST
    kind = "better" if tile.value < 0 else "worse"
    value = number(tile.value) if shown.shows == "error" else signed(tile.value)
    behind = f", the largest of {tile.subvolumes:,}" if tile.subvolumes > 1 else ""
    text = f'<text x="{x + _SIDE // 2}" y="{y + _SIDE // 2 + 4}">{value}</text>' if with_text else ""
    return (
        f'<g><title>{escape(tile.subvolume)}: {value} bits{behind}</title><rect class="paper" x="{x}" y="{y}"'
        f' width="{_SIDE}" height="{_SIDE}"/><rect class="{kind}" x="{x}" y="{y}" width="{_SIDE}" height="{_SIDE}"'
        f' fill-opacity="{level:.3g}"/>{text}</g>'
    )
