"""The numbers of sections in the names of their files: `z0007.png` is section 7.

A folder is a stack only where one number, and nothing else, tells its files apart. A section that is missing, there
twice, or in two tiles would shift all that lie behind it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from emseg.ingest.sources import refuse_source

NUMBER = re.compile(r"(\d+)")
DECIMAL = re.compile(r"\d[.,]$")
SHOWN = 10


def numbered(files: Sequence[Path], folder: Path) -> dict[int, Path]:
    """The files by the number of their section, ascending; refused unless one number tells all of them apart."""
    patterns = Counter(_pattern(file) for file in files)
    usual = patterns.most_common(1)[0][0]
    strays = [file.name for file in files if _pattern(file) != usual]
    if strays:
        like = next(file.name for file in files if _pattern(file) == usual)
        raise refuse_source(
            folder, f"{_some(strays)} {_is_no(strays)} named like {like}", "Move what is no section out of the folder"
        )
    values = {file: tuple(map(int, NUMBER.findall(file.stem))) for file in files}
    counters = [at for at in range(usual.count("#")) if len({numbers[at] for numbers in values.values()}) > 1]
    if len(counters) > 1:
        examples = _some(sorted(file.name for file in files)[:3])
        raise refuse_source(
            folder,
            f"{len(counters)} numbers of the names differ, so that they tell no order: {examples}",
            "Of tiles, stitch each section into one image first. Else give copies or links, with the number of the "
            "section as the only number that differs",
        )
    _check_decimals(files, counters, folder)
    return _ascending(values, counters[0] if counters else None, folder)


def _check_decimals(files: Sequence[Path], counters: Sequence[int], folder: Path) -> None:
    """Refuse 0.1, 0.15, 0.2: as whole numbers behind the point these are 1, 15, 2, which is another order."""
    for counter in counters:
        found = [list(NUMBER.finditer(file.stem))[counter] for file in files]
        behind = [DECIMAL.search(each.string, 0, each.start()) is not None for each in found]
        if all(behind) and len({len(each[0]) for each in found}) > 1:
            raise refuse_source(
                folder,
                f"the numbers of its names have a point and not the same digits behind it: "
                f"{_some(sorted(file.name for file in files)[:3])}",
                "Give all of them as many digits (0.10, 0.15, 0.20), or number the sections 1, 2, 3",
            )


def _ascending(values: Mapping[Path, tuple[int, ...]], counter: int | None, folder: Path) -> dict[int, Path]:
    by_number: dict[int, Path] = {}
    for file, numbers in sorted(values.items(), key=lambda item: item[0].name):
        number = 0 if counter is None else numbers[counter]
        if number in by_number:
            found = f"section {number} is there twice: {by_number[number].name} and {file.name} have the same number"
            raise refuse_source(folder, found, "Keep one file of each section in the folder")
        by_number[number] = file
    return dict(sorted(by_number.items()))


def check_others(by_number: Mapping[int, Path], others: Sequence[Path], folder: Path) -> None:
    """Refuse other files that are named like a section of their own: `z0011.bmp` beside `z0001.png` to `z0010.png`."""
    files = list(by_number.values())
    counted = list(zip(*(map(int, NUMBER.findall(file.stem)) for file in files), strict=True))
    for other in others:
        numbers = list(map(int, NUMBER.findall(other.stem)))
        if other.is_dir() or _pattern(other) != _pattern(files[0]) or not numbers:
            continue
        if any(number not in column for number, column in zip(numbers, counted, strict=True)):
            found = f"{other.name} is named like a section, and emseg does not read {other.suffix or 'such'} files"
            raise refuse_source(folder, found, "Convert it to png or tif, or move it out of the folder")


def missing_between(numbers: Sequence[int]) -> list[range]:
    """The numbers that lie between ascending `numbers` and are none of them."""
    return [range(a + 1, b) for a, b in pairwise(numbers) if b > a + 1]


def told(ranges: Sequence[range]) -> str:
    """Numbers as a person writes them: `3, 7-9`; the first ten of the ranges."""
    words = [f"{each[0]}" if len(each) == 1 else f"{each[0]}-{each[-1]}" for each in ranges[:SHOWN]]
    return ", ".join(words) + (" ..." if len(ranges) > SHOWN else "")


def _pattern(file: Path) -> str:
    """The name without its numbers and its suffix: `z0007.png` gives `z#`."""
    return NUMBER.sub("#", file.stem.lower())


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (" ..." if len(names) > SHOWN else "")


def _is_no(names: Sequence[str]) -> str:
    return "is not" if len(names) == 1 else "are not"
