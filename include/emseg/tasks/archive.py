"""The library as one zip file, for Spark executors (and drivers in cluster mode) whose computers have no emseg.

Spark unpacks it into a folder of the application, so its files are real files: code versions are computed from them as
anywhere, and a step's child process finds them. The name holds a digest of all sources, so that whoever submits a job
can tell, wherever the archive lies, that it is of the very code that is installed: `emseg-0.1.0-3f2a....zip`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

import emseg
from emseg.disk import write_whole
from emseg.errors import PermanentError

_PACKAGE = Path(emseg.__file__).parent
_EPOCH = (1980, 1, 1, 0, 0, 0)

FOLDER = "emseg-library"
"""Name of the folder into which Spark unpacks the archive, relative to where each of its processes starts."""


def archive_name(package: Path = _PACKAGE) -> str:
    """What the archive of the library in `package` is called: its version, and 16 hex digits over its sources."""
    digest = sha256()
    for path in _sources(package):
        digest.update(f"{path.relative_to(package).as_posix()} {sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"emseg-{version('emseg')}-{digest.hexdigest()[:16]}.zip"


def write_archive(folder: Path, package: Path = _PACKAGE) -> Path:
    """Write the archive into `folder` and return its path; NoRoomError where there is no room."""
    data = BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in (*_sources(package), *_compiled(package)):
            entry = zipfile.ZipInfo(f"emseg/{path.relative_to(package).as_posix()}", _EPOCH)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    target = folder / archive_name(package)
    write_whole(target, data.getvalue())
    return target


def check_archive(address: str) -> None:
    """PermanentError where the archive at `address` (a path or a URL) is not of the code that is installed here."""
    name, wanted = address.rpartition("/")[2], archive_name()
    if name != wanted:
        raise PermanentError(
            "submitting a job with the archive of the library",
            address,
            f"it is called {name}, and that of the code installed here is {wanted}",
            "Make it again with `emseg archive FOLDER`, put it where the old one lies, and name it in the extra of "
            "Connection emseg_spark",
        )


def _sources(package: Path) -> Iterator[Path]:
    """All files of the library but byte code and what Numba compiled, in the order of their names."""
    made = {".pyc", ".nbc"}
    yield from sorted(p for p in package.rglob("*") if p.is_file() and p.suffix not in made)


def _compiled(package: Path) -> Iterator[Path]:
    """What Numba compiled since the sources last changed: an executor with this processor need not compile it again."""
    changed = max(path.stat().st_mtime for path in package.rglob("*.py"))
    yield from (path for path in sorted(package.rglob("*.nbc")) if path.stat().st_mtime >= changed)
