"""A package whose steps all misbehave, and packages that a deployment allows."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from emseg.segment import registry

BROKEN = '''
import errno, os, time
import numpy as np
from emseg.config.base import Record
from emseg.segment.protocol import PredictStep


class Nothing(Record):
    """No parameters."""


class Base(PredictStep[Nothing]):
    version, bytes_per_voxel, Parameters, halo_vox = 1, 8, Nothing, (0, 0, 0)


class WrongDtype(Base):
    name = "wrong-dtype"
    def predict(self, gray, mask):
        return np.zeros(gray.shape, np.float64)


class WrongShape(Base):
    name = "wrong-shape"
    def predict(self, gray, mask):
        return np.zeros((1, 2, 3), np.float32)


class Raises(Base):
    name = "raises"
    def predict(self, gray, mask):
        class OwnError(Exception):
            pass
        raise OwnError("no weights for this tissue")


class Hangs(Base):
    name = "hangs"
    def predict(self, gray, mask):
        while True:
            time.sleep(1)


class EatsMemory(Base):
    name = "eats-memory"
    def predict(self, gray, mask):
        return np.ones((1 << 31,), np.float32)


class Dies(Base):
    name = "dies"
    def predict(self, gray, mask):
        print("a last word", flush=True)
        os.abort()


class FillsTheDisk(Base):
    name = "fills-the-disk"
    def predict(self, gray, mask):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/scratch/tiles")


class Prints(Base):
    name = "prints"
    def predict(self, gray, mask):
        print("as many people do", flush=True)
        return np.full(gray.shape, 0.25, np.float32)
'''
BROKEN_CLASSES = ("WrongDtype", "WrongShape", "Raises", "Hangs", "EatsMemory", "Dies", "FillsTheDisk", "Prints")


@pytest.fixture
def broken_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Steps of a package `emseg-broken`, installed and allowed for this process and its children."""
    site = tmp_path / "site"
    info = site / "emseg_broken-0.1.dist-info"
    info.mkdir(parents=True)
    (site / "emseg_broken.py").write_text(BROKEN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: emseg-broken\nVersion: 0.1\n")
    entries = "\n".join(f"{name} = emseg_broken:{name}" for name in BROKEN_CLASSES)
    (info / "entry_points.txt").write_text(f"[emseg.steps]\n{entries}\n")
    with allowed(site, "emseg-broken", monkeypatch):
        yield


class allowed:  # noqa: N801 - used like a function
    """A folder of packages on the path, and one of them on the allow-list."""

    def __init__(self, site: Path, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.setenv("PYTHONPATH", str(site))
        monkeypatch.setenv(registry.ALLOWED, package)

    def __enter__(self) -> None:
        importlib.invalidate_caches()
        registry._plugins.cache_clear()

    def __exit__(self, *_: object) -> None:
        registry._plugins.cache_clear()
