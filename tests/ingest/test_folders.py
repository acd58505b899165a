"""A folder is a stack only where it is clear which image is which section."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import Gaps, open_source


def _image(z: int) -> np.ndarray:
    return np.full((9, 7), z + 1, np.uint8)


def _folder(path: Path, names: list[str]) -> Path:
    path.mkdir(exist_ok=True)
    for z, name in enumerate(names):
        Image.fromarray(_image(z)).save(path / name)
    return path


def _levels(path: Path, gaps: Gaps = Gaps.REFUSE) -> list[int]:
    source = open_source(str(path), gaps=gaps)
    return source.read(Box.of_shape(source.shape))[:, 0, 0].tolist()


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ([f"z{z:04}.png" for z in range(100, 110) if z not in (104, 106, 107)], ("104, 106-107", 3)),
        ([f"z{z}.png" for z in range(0, 20, 2)], ("9 numbers", "1, 3, 5")),
        ([*(f"z{z:04}.png" for z in range(9)), "z4.png"], ("section 4", "z0004.png", "z4.png")),
        ([*(f"z{z:04}.png" for z in range(9)), "z0004.tif"], ("section 4", "z0004.tif")),
        ([f"s{z}_r1_c{c}.png" for z in range(3) for c in (1, 2)], ("2 numbers", "s0_r1_c2.png")),
        ([f"z{z}_t{99 - z}.png" for z in range(3)], ("2 numbers",)),
        ([*(f"z{z}.png" for z in range(9)), "montage.png"], ("montage.png", "z0.png")),
        (["a.png", "b.png", "c.png"], ("b.png",)),
        ([*(f"z{z}.png" for z in range(9)), "z9.bmp"], ("z9.bmp",)),
    ],
    ids=["gaps", "every second", "twice", "two formats", "tiles", "two counters", "overview", "no numbers", "format"],
)
def test_names_that_tell_no_order_are_refused_with_what_is_wrong(
    tmp_path: Path, names: list[str], found: tuple[object, ...]
) -> None:
    """Kills a stack in which everything behind a lost or doubled section is misplaced."""
    with refused(PermanentError, "stack", *found):
        open_source(str(_folder(tmp_path / "stack", names)))


def test_gaps_are_left_blank_or_closed_where_a_person_says_so(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "stack", ["z7.png", "z08.png", "z11.png"])
    assert _levels(folder, Gaps.BLANK) == [1, 2, 0, 0, 3]
    assert _levels(folder, Gaps.CLOSE) == [1, 2, 3]
    assert "9-10" in str(open_source(str(folder), gaps=Gaps.CLOSE).info.notes)
    far = _folder(tmp_path / "far", ["z1.png", f"z{10**12}.png"])
    assert _levels(far, Gaps.CLOSE) == [1, 2]


@pytest.mark.parametrize("gaps", Gaps)
def test_positions_with_a_point_are_in_their_order_or_refused(tmp_path: Path, gaps: Gaps) -> None:
    """Kills 0.1, 0.2, 0.15 for 0.1, 0.15, 0.2: behind the point stand no whole numbers."""
    for names in (["z0.1.png", "z0.15.png", "z0.2.png"], ["s1,9.png", "s1,10.png"]):
        with refused(PermanentError, names[0], "0.10"):
            _levels(_folder(tmp_path / names[0], names), gaps)
    same = _folder(tmp_path / "same", ["z0.10.png", "z0.15.png", "z0.20.png"])
    assert _levels(same, Gaps.CLOSE) == [1, 2, 3]
    assert _levels(_folder(tmp_path / "v", ["v2.0-s9.png", "v2.0-s10.png"])) == [1, 2]


def test_numbers_that_are_the_same_everywhere_are_no_counter(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "stack", [f"2026-03_{z}_8nm.PNG" for z in (8, 10, 9)])
    assert _levels(folder) == [1, 3, 2]


def test_files_that_no_person_sees_are_left_out_and_told(tmp_path: Path) -> None:
    """Kills a Mac's `._` file taken for an image, and one passed over in silence."""
    folder = _folder(tmp_path / "stack", ["z0.png", "z1.png"])
    for name in ("._z0.png", "._z1.png", ".DS_Store", "Thumbs.db", "notes.txt"):
        (folder / name).write_bytes(bytes.fromhex("0005160700020000") + bytes(400))
    (folder / "old.png").mkdir()
    assert _levels(folder) == [1, 2]
    notes = str(open_source(str(folder)).info.notes)
    assert all(name in notes for name in ("._z0.png", "Thumbs.db", "old.png"))


def test_a_member_that_is_torn_or_holds_more_than_a_section_is_refused_by_name(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "stack", ["z0.png", "z1.png", "z2.png"])
    noise = np.random.default_rng(1).integers(0, 255, (9, 7), np.uint8)
    Image.fromarray(noise).save(folder / "z1.png")
    data = (folder / "z1.png").read_bytes()
    (folder / "z1.png").write_bytes(data[: len(data) * 2 // 3])
    with refused(PermanentError, "z1.png"):
        _levels(folder)
    (folder / "z1.png").unlink()
    tifffile.imwrite(folder / "z1.tif", np.zeros((3, 9, 7), np.uint8), photometric="minisblack")
    with refused(PermanentError, "z1.tif", "3 pages"):
        _levels(folder)


@pytest.mark.parametrize("mode", ["P", "RGB", "RGBA", "LA"])
def test_images_in_colour_are_refused(tmp_path: Path, mode: str) -> None:
    """Kills the indices of a palette, or one channel, taken for grays."""
    (tmp_path / "s").mkdir()
    Image.fromarray(_image(3)).convert(mode).save(tmp_path / "s" / "z0.png")
    with refused(PermanentError, "z0.png", mode):
        open_source(str(tmp_path / "s"))


def test_an_image_that_viewers_turn_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(_image(3)).save(tmp_path / "s" / "z0.jpg", exif=exif)
    with refused(PermanentError, "z0.jpg", 3):
        open_source(str(tmp_path / "s"))


def test_sections_may_have_more_pixels_than_pillow_thinks_honest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills a limit of 179 Mpixels; a section of a whole brain has more."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20)
    assert _levels(_folder(tmp_path / "s", ["z0.png"])) == [1]
    assert Image.MAX_IMAGE_PIXELS == 20


@pytest.mark.parametrize("bits", [2, 4])
def test_values_that_pillow_stretches_are_no_labels(tmp_path: Path, bits: int) -> None:
    """Kills ids times 85 or 17: a PNG of 2 or 4 bits is shown stretched to 8."""
    (tmp_path / "s").mkdir()
    image = Image.fromarray(np.tile(np.arange(4, dtype=np.uint8), (4, 1)))
    image.save(tmp_path / "s" / "z0.png", bits=bits)
    assert (tmp_path / "s" / "z0.png").read_bytes()[24] == bits
    assert open_source(str(tmp_path / "s")).info.altered


def test_a_link_to_a_section_that_is_gone_is_no_section_left_out(tmp_path: Path) -> None:
    """Kills a stack that ends early because its last files are links to another disk."""
    folder = _folder(tmp_path / "stack", ["z0.png", "z1.png"])
    (folder / "z2.png").symlink_to(tmp_path / "gone.png")
    with refused(PermanentError, "z2.png"):
        open_source(str(folder))
