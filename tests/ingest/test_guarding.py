"""Nothing that a library raises or warns of is lost: a message with file and place, or a note."""

from __future__ import annotations

import logging
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.ingest.tiffs import overwrite
from tests.refusals import refused

from emseg.errors import PermanentError
from emseg.geometry import Box
from emseg.ingest import memory, open_source
from emseg.ingest.arrays import ArrayVolume
from emseg.ingest.guarding import GuardedSource, guarded
from emseg.ingest.numpy_files import npz_names, read_npz_array

WHOLE = Box.of_shape((2, 3, 4))


class _Strange(ArrayVolume):
    """A source whose library behaves as `act` says."""

    def __init__(self, act: object) -> None:
        super().__init__(np.zeros(WHOLE.shape, np.uint8), "strange.xyz")
        self._act = act

    def read(self, box: Box) -> np.ndarray:
        self._act()  # type: ignore[operator]
        return super().read(box)


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize(
    ("act", "found"),
    [
        (lambda: _raise(SyntaxError("broken PNG file")), ("SyntaxError", "broken PNG file")),
        (lambda: _raise(MemoryError()), ("too little memory",)),
        (lambda: warnings.warn("Truncated File Read", UserWarning, stacklevel=1), ("Truncated File Read",)),
        (lambda: logging.getLogger("tifffile").warning("strip %d is zeroed", 7), ("strip 7 is zeroed",)),
    ],
)
def test_errors_and_warnings_while_reading_name_file_and_box(act: object, found: tuple[str, ...]) -> None:
    """Kills a traceback for a damaged strip, and zeros that a library only warns of."""
    with refused(PermanentError, "strange.xyz", "(0, 0, 0) to (2, 3, 4)", *found):
        GuardedSource(_Strange(act)).read(WHOLE)


def test_what_is_said_of_code_is_no_fault_of_the_file() -> None:
    source = GuardedSource(_Strange(lambda: warnings.warn("old name", DeprecationWarning, stacklevel=1)))
    assert not source.read(WHOLE).any()


def test_warnings_while_opening_become_notes(capfd: pytest.CaptureFixture[str]) -> None:
    with guarded("opening", "v.tif") as warned:
        logging.getLogger("tifffile").error("odd tag")
        logging.getLogger("tifffile").info("of no interest")
        warnings.warn("odd Exif", UserWarning, stacklevel=1)
    assert warned == ["odd tag", "odd Exif"]
    assert "odd tag" in str(GuardedSource(_Strange(int), tuple(warned)).info.notes)
    assert "odd" not in "".join(capfd.readouterr())
    assert logging.getLogger("tifffile").propagate


def test_an_error_of_emseg_keeps_its_words() -> None:
    with refused(PermanentError, "z7.png"), guarded("reading", "folder"):
        raise PermanentError("reading", "z7.png", "torn", "copy it")


def _with_header(path: Path, shape: tuple[int, ...]) -> Path:
    """An npz whose header promises `shape`, with the voxels of (2, 3, 4)."""
    np.savez(path, raw=np.zeros(WHOLE.shape, np.uint8))
    with zipfile.ZipFile(path) as file:
        data = file.read("raw.npy")
    header = data.replace(b"(2, 3, 4)", str(shape).encode())
    surplus = len(header) - len(data)
    at = header.index(b"}") + 1
    header = header[:at] + header[at + surplus :]
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("raw.npy", header)
    return path


def test_a_header_that_promises_more_than_follows_allocates_nothing(tmp_path: Path) -> None:
    """Kills 8 TB asked of the system for a file of 200 bytes."""
    path = _with_header(tmp_path / "v.npz", (20000, 20000, 20000))
    with refused(PermanentError, "v.npz:raw", 20000**3, 24):
        open_source(str(path))


def test_an_array_larger_than_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills an archive that unpacks to more than there is."""
    np.savez_compressed(tmp_path / "v.npz", raw=np.zeros((100, 100, 100), np.uint8))
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: type("", (), {"available": 10**6 - 1}))
    with refused(PermanentError, "v.npz:raw", "memory"):
        open_source(str(tmp_path / "v.npz"))
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: type("", (), {"available": 10**6}))
    assert open_source(str(tmp_path / "v.npz")).shape == (100, 100, 100)


def test_arrays_of_an_archive_that_is_damaged_or_holds_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "o.npz", raw=np.array([{}], dtype=object), allow_pickle=True)
    assert npz_names(tmp_path / "o.npz") == ["raw"]
    with refused(PermanentError, "o.npz:raw", "objects"):
        read_npz_array(tmp_path / "o.npz", "raw", "reading")
    np.savez_compressed(tmp_path / "d.npz", raw=np.random.default_rng(1).integers(0, 255, (9, 9, 9)).astype(np.uint8))
    overwrite(tmp_path / "d.npz", 400)
    with refused(PermanentError, "d.npz"):
        open_source(str(tmp_path / "d.npz"))
