"""Which axis is which, where a file names its axes. A name that emseg does not know is no reason to guess an order."""

from __future__ import annotations

from collections.abc import Sequence

from emseg.ingest.sources import refuse_source

AXES = ("z", "y", "x")


def known_axes(told: object, count: int, on: str, where: str) -> tuple[str, ...]:
    """The names of `count` axes in small letters; `""` for each where `told` names none.

    PermanentError for another number of names, and unless z, y and x are each there once. `where` says where the file
    keeps the names.
    """
    if told is None:
        return ("",) * count
    names = told if isinstance(told, Sequence) and not isinstance(told, bytes) else (told,)
    lower = tuple("" if name is None else str(name).strip().removesuffix("^").lower() for name in names)
    if not any(lower):
        return ("",) * count
    if len(lower) != count or any(lower.count(axis) != 1 for axis in AXES):
        raise refuse_source(
            on,
            f"its {count} axes are called {', '.join(name or '(no name)' for name in lower)} ({where}), and emseg "
            "knows x, y and z alone",
            f"Call three axes x, y and z ({where}); or copy it to an array without names, with axes Z, Y, X",
        )
    return lower
