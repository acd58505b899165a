"""A Python that has all that emseg needs and not emseg, as the computers of a Spark cluster may."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path


def bare_python(folder: Path) -> Path:
    """The program of a new environment in `folder`: it sees the installed packages, but no editable ones."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    # A folder named in a .pth file is only put on the path: the .pth files in it, of editable packages, are not read.
    (site / "packages.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return folder / "bin" / "python"
