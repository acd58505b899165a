"""What a file reaches by import, in a small library of the same name; `tests/phases/test_code_version.py` has ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from emseg.imports import imported_by, reached

LIBRARY = {
    "__init__.py": "",
    "low.py": "import numpy\n",
    "room/__init__.py": "from emseg.room.part import one, two\nfrom emseg.low import three\nHERE = 1\n",
    "room/part.py": "",
    "lazy.py": "def f():\n    try:\n        from emseg.room import three\n    finally:\n        import os.path\n",
    "typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from emseg.low import X\n    import torch\n",
    "otherwise.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch\nelse:\n    import numpy\n",
    "high.py": "import emseg.low\nfrom emseg import lazy\nfrom emseg.room import (\n    one,\n    HERE,\n)\n",
}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, source in LIBRARY.items():
        file = tmp_path / "emseg" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return tmp_path / "emseg"


@pytest.mark.parametrize(
    ("module", "modules", "libraries"),
    [
        ("emseg.low", {"emseg.low"}, {"numpy"}),
        ("emseg.lazy", {"emseg.lazy", "emseg.low"}, {"numpy", "os"}),
        ("emseg.typed", {"emseg.typed"}, {"typing"}),
        ("emseg.otherwise", {"emseg.otherwise"}, {"typing", "numpy"}),
        ("emseg.room", {"emseg.room", "emseg.room.part", "emseg.low"}, {"numpy"}),
        ("emseg.high", {f"emseg.{name}" for name in ("high", "low", "lazy", "room", "room.part")}, {"numpy", "os"}),
    ],
)
def test_what_a_module_reaches(package: Path, module: str, modules: set[str], libraries: set[str]) -> None:
    """Worked by hand.

    Kills a room that counts as a whole though it only passes a name on, imports inside functions that are overlooked,
    and imports for the type checker that are not.
    """
    found = reached([module], package)
    assert (set(found.modules), found.libraries) == (modules, libraries)
    assert all(path.is_relative_to(package) and path.is_file() for path in found.modules.values())


def test_what_is_left_out_hides_what_only_it_reaches(package: Path) -> None:
    """Kills a name taken for the beginning of another one: `emseg.l` is no room of `emseg.lazy`."""
    assert set(reached(["emseg.lazy"], package, without=("emseg.low", "emseg.l")).modules) == {"emseg.lazy"}
    assert reached(["emseg.high"], package, without=("emseg",)).modules == {}


def test_a_file_outside_the_library_imports_from_it(package: Path) -> None:
    script = package.parent / "script.py"
    script.write_text("import json\nfrom emseg.room import two\n")
    found = imported_by(script, package)
    assert found.modules == {"emseg.room.part": package / "room" / "part.py"}
    assert found.libraries == {"json"}


@pytest.mark.parametrize("statement", ["from . import low\n", "from .low import x\n"])
def test_a_relative_import_is_refused(package: Path, statement: str) -> None:
    """Kills an import that the scanner passes over: the code behind it would count nowhere."""
    (package / "low.py").write_text(statement)
    with pytest.raises(ValueError, match="line 1"):
        reached(["emseg.low"], package)
