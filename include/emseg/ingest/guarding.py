"""One guard round the libraries that read files: what they raise is told in words, and what they warn of is not lost.

Without it a damaged strip ends in a traceback of imagecodecs, and a lost member of a set in a line of a log that nobody
reads.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from emseg.errors import EmsegError, PermanentError
from emseg.geometry import Box
from emseg.ingest.sources import Array, VolumeSource

LOGGERS = ("tifffile", "PIL", "h5py", "imagecodecs")
"""Libraries that warn through logging; the others use `warnings`."""
FOR_PROGRAMMERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning, ResourceWarning, ImportWarning)
"""Warnings about code and not about the file."""
DAMAGED = "The file is damaged, cut off, or of a kind that emseg does not read: copy or write it again"


@contextmanager
def guarded(doing: str, on: str, remedy: str = DAMAGED) -> Iterator[list[str]]:
    """Whatever a library raises inside becomes a PermanentError about `on`. Yields what the libraries warn of, which is
    complete when the block has ended.
    """
    told: list[str] = []
    try:
        with warnings.catch_warnings(record=True) as caught, _logged(told):
            warnings.simplefilter("always")
            yield told
        told += [str(each.message) for each in caught if not issubclass(each.category, FOR_PROGRAMMERS)]
    except EmsegError:
        raise
    except MemoryError as error:
        found = f"there is too little memory ({error})"
        raise PermanentError(doing, on, found, "Give the process more memory") from error
    except Exception as error:
        raise PermanentError(
            doing,
            on,
            f"the reading library says {type(error).__name__}: {str(error) or 'no more than that'}",
            remedy,
        ) from error


class GuardedSource:
    """A source whose reading errors name the file and the box, and whose warnings while reading are errors."""

    def __init__(self, source: VolumeSource, warned: tuple[str, ...] = ()) -> None:
        """`warned` is what the library said while the file was opened; it is shown as notes."""
        self._source = source
        self.shape, self.dtype = source.shape, source.dtype
        notes = source.info.notes + tuple(f"the reading library warned: {text}" for text in dict.fromkeys(warned))
        self.info = replace(source.info, notes=notes)

    def read(self, box: Box) -> Array:
        """The voxels of `box`; PermanentError for what cannot be read, or not without a warning."""
        doing, on = "reading a volume", f"{self.info.address}, voxels {box.start} to {box.stop}, Z Y X"
        with guarded(doing, on) as warned:
            voxels = self._source.read(box)
        if warned or voxels.shape != box.shape:
            found = "; ".join(warned) or f"the file gives {voxels.shape} of {box.shape} voxels"
            raise PermanentError(doing, on, found, "The file is damaged: copy or write it again")
        return voxels


@contextmanager
def _logged(told: list[str]) -> Iterator[None]:
    """Puts what the libraries log into `told`, and keeps it off the screen: it is shown in its place."""
    handler = _Collector(told)
    loggers = [(logging.getLogger(name), logging.getLogger(name).propagate) for name in LOGGERS]
    for logger, _ in loggers:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, propagated in loggers:
            logger.removeHandler(handler)
            logger.propagate = propagated


class _Collector(logging.Handler):
    def __init__(self, told: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._told = told

    def emit(self, record: logging.LogRecord) -> None:
        self._told.append(record.getMessage())
