"""The version of the code behind a phase: exactly what the phase can reach by import, and the libraries it uses."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

import emseg
from emseg.phases import code_version as module
from emseg.phases import phases
from emseg.phases.code_version import code_version, reach, roots_of, version_of
from emseg.phases.declaration import READERS_AND_WRITERS, SHAPES_NO_RESULT, Phase

PACKAGE = Path(emseg.__file__).parent


def counted(phase: Phase, package: Path = PACKAGE) -> dict[str, Path]:
    return reach(roots_of(phase), (*SHAPES_NO_RESULT, *phase.not_in_version), package).modules


def is_left_out(name: str, phase: Phase) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in (*SHAPES_NO_RESULT, *phase.not_in_version))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the library that a test may change."""
    return Path(shutil.copytree(PACKAGE, tmp_path / "emseg", ignore=shutil.ignore_patterns("__pycache__")))


def functions_of(source: str) -> Iterator[ast.FunctionDef]:
    yield from (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))


def with_a_statement_more(source: str, function: ast.FunctionDef) -> str:
    lines = source.splitlines(keepends=True)
    first = function.body[0]
    lines.insert(first.lineno - 1, " " * first.col_offset + "edited = None\n")
    return "".join(lines)


def _edit(path: Path) -> str:
    """Put one statement into the deepest function of a file, if it has any; the source as it was."""
    source = path.read_text()
    path.write_text(_edited(source))
    return source


@cache
def _edited(source: str) -> str:
    functions = sorted(functions_of(source), key=lambda function: (function.col_offset, function.lineno))
    return with_a_statement_more(source, functions[-1]) if functions else source


def test_an_edit_changes_the_version_of_a_phase_exactly_where_the_phase_can_reach_it(copy: Path) -> None:
    """Kills a file that moved out of the list of what counts, and one that re-keys a phase that never runs it.

    Each file that counts is edited alone, and the phases that reach it take turns; those that do not, all at once.
    """
    before = {phase: code_version(phase, copy) for phase in phases()}
    reached = {phase: set(counted(phase, copy).values()) for phase in phases()}
    edited = 0
    for number, path in enumerate(sorted(set().union(*reached.values()))):
        reaching = [phase for phase in phases() if path in reached[phase]]
        phase = reaching[number % len(reaching)]
        source = _edit(path)
        if path.read_text() != source:
            assert code_version(phase, copy) != before[phase], f"{phase.name}: {path}"
            edited += 1
        path.write_text(source)
    assert edited > 100
    for phase in phases():
        sources = {path: _edit(path) for path in set(copy.rglob("*.py")) - reached[phase]}
        assert code_version(phase, copy) == before[phase], phase.name
        for path, source in sources.items():
            path.write_text(source)


def test_an_edit_of_each_function_of_a_file_is_another_version_of_it() -> None:
    """Kills a digest that leaves some functions out. The file has every kind: nested, of a class, async."""
    source = (
        "def a():\n    def b():\n        return 1\n    return b\n\n"
        "class C:\n    def d(self):\n        pass\n\n    async def e(self):\n        pass\n\n"
        "    class F:\n        @property\n        def g(self):\n            return 2\n"
    )
    made = [ast.FunctionDef, ast.AsyncFunctionDef]
    functions = [node for node in ast.walk(ast.parse(source)) if type(node) in made]
    versions = {module._digest(with_a_statement_more(source, function).encode()) for function in functions}
    assert len(versions | {module._digest(source.encode())}) == len(functions) + 1 == 6


def test_what_counts_is_never_more_than_the_import_graph_of_another_tool_allows() -> None:
    """Kills a scanner that follows an import that is none. Oracle: grimp, which import-linter is built on."""
    graph = grimp.build_graph("emseg", cache_dir=None)
    for phase in phases():
        allowed = {name for root in roots_of(phase) for name in (root, *graph.find_upstream_modules(root))}
        assert set(counted(phase)) <= allowed


RUN_TRACED = """
import sys
from pathlib import Path
import numpy as np
from emseg.config.dataset import Segmentation
from emseg.config.stitching import Stitching
from emseg.engine import items
from emseg.store import FolderStore
from emseg.tasks.local import segment_array

def segmented(folder):
    gray = np.random.default_rng(0).integers(0, 255, (64, 64, 128)).astype(np.uint8)
    cut = Segmentation(core_vox=(64, 64, 64), halo_vox=(20, 20, 20))
    segment_array(gray, cut, Stitching(), FolderStore(Path(sys.argv[1]) / folder))

segmented("imports")  # so that nothing is imported, and no class is made, while functions are watched
files, attempt = set(), items.attempt_item

def watched(work, item):
    sys.setprofile(lambda frame, event, _: files.add(f"{frame.f_code.co_filename}:{frame.f_code.co_name}"))
    try:
        return attempt(work, item)
    finally:
        sys.setprofile(None)

items.attempt_item = watched
segmented("watched")
print(*sorted(files), sep="\\n")
"""


def test_every_function_that_ran_is_in_a_version_or_is_left_out_by_name(tmp_path: Path) -> None:
    """Kills code that shapes a result and that no import shows. Oracle: what Python ran in a real segmentation."""
    command = [sys.executable, "-c", RUN_TRACED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    functions = [line.rpartition(":") for line in done.stdout.splitlines() if line.startswith(f"{PACKAGE}/")]
    ran = {Path(file) for file, _, _ in functions}
    of_config = {name for file, _, name in functions if file.startswith(f"{PACKAGE}/config/")}
    checks = {"validated", "_switches", "_one_way_to_labels"}
    assert of_config <= checks, "these check values; what makes results is not in config"
    known = {path for phase in phases() for path in counted(phase).values()}
    names = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in ran - known}
    of_services = {"emseg.tasks.local"}  # the volume in memory, which stands for DVID
    assert len(ran & known) > 20
    assert {name for name in names if not is_left_out(name, phases()[0])} == of_services


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("authoring/conformance.py", set()),
        ("authoring/step_documents.py", set()),
        ("training/presets.py", set()),
        ("quality/report.py", set()),
        ("kernels/block_decoder.py", {"segment", "match", "resolve", "write", "evaluate", "survey"}),
        ("kernels/block_encoder.py", {"match", "resolve", "write", "evaluate", "survey"}),
        ("segment/isolated_child.py", {"segment"}),
        ("segment/image_checks/section_faults.py", {"segment"}),
        ("stitch/body_sums.py", {"survey"}),
        ("evaluate/survey.py", {"survey"}),
        ("stitch/votes.py", {"match", "resolve", "write", "survey"}),
        ("stitch/joining.py", {"resolve", "write", "survey"}),
        ("dvid/labels/pyramid.py", {"write"}),
        ("evaluate/metrics.py", {"evaluate"}),
        ("evaluate/bodies.py", set()),
        ("evaluate/optional.py", {"evaluate"}),
        ("dvid/annotations.py", {"evaluate"}),
        ("dvid/skeletons.py", {"evaluate"}),
    ],
)
def test_files_count_where_they_are_used(path: str, expected: set[str]) -> None:
    """Worked by hand, from what each phase does."""
    assert {phase.name for phase in phases() if PACKAGE / path in counted(phase).values()} == expected


def test_each_exclusion_names_something_that_a_phase_can_reach_and_says_why() -> None:
    """Kills an exclusion that outlived its module, and one that nobody can judge."""
    everything = reach(tuple(root for phase in phases() for root in roots_of(phase)))
    for name, reason in SHAPES_NO_RESULT.items():
        assert any(each == name or each.startswith(f"{name}.") for each in everything.modules), name
        assert reason
    for phase in phases():
        assert set(phase.not_in_version) <= set(reach(roots_of(phase)).modules)
        assert all(phase.not_in_version.values())
    assert all(READERS_AND_WRITERS.values())
    assert not everything.libraries & set(READERS_AND_WRITERS)


@pytest.mark.parametrize("library", ["numpy", "numba", "pyarrow", "fastremap", "zstandard"])
def test_another_version_of_a_library_is_another_version_of_the_phases_that_use_it(monkeypatch, library: str) -> None:
    """Kills a library that only `segment` watches, and whose upgrade `match`, `resolve` or `write` does not see."""
    uses = {p.name for p in phases() if library in reach(roots_of(p), tuple(SHAPES_NO_RESULT)).libraries}
    before = {phase.name: code_version(phase) for phase in phases()}
    real = module._version
    monkeypatch.setattr(module, "_version", lambda name: "99" if name == library else real(name))
    assert {phase.name for phase in phases() if code_version(phase) != before[phase.name]} == uses
    assert "segment" in uses


def test_libraries_are_those_that_the_code_imports() -> None:
    """Worked by hand: the forests and watersheds of `segment`, the graph search of `resolve`, protobuf of `write`."""
    used = {phase.name: reach(roots_of(phase), tuple(SHAPES_NO_RESULT)).libraries for phase in phases()}
    assert {"bioimage_cpp", "cc3d", "edt", "onnxruntime", "scipy", "skimage"} <= used["segment"]
    assert "scipy" in used["resolve"]
    assert "google" in used["write"]
    assert "google" not in used["match"] | used["evaluate"]
    for libraries in used.values():
        assert all(module._version(name) for name in libraries)


def test_no_library_is_looked_for_in_all_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a slow start of each task, and a name that is not that of the distribution of a module.

    Oracle: what Python's own list of all distributions says of the names that are written down.
    """
    owners = packages_distributions()
    assert {name for name, given in module._DISTRIBUTIONS.items() if given not in owners[name]} == set()
    monkeypatch.setattr(module, "packages_distributions", lambda: pytest.fail("all distributions are read"))
    module._version.cache_clear()
    for phase in phases():
        for library in reach(roots_of(phase), (*SHAPES_NO_RESULT, *phase.not_in_version)).libraries:
            module._version(library)


def test_comments_and_docstrings_do_not_change_the_version_of_code_and_everything_else_does(copy: Path) -> None:
    path = copy / "synthetic" / "volume.py"
    roots, plain = ("emseg.synthetic.volume",), "def f(x):\n    return x + 1\n"

    def version(text: str) -> str:
        path.write_text(text)
        return version_of(roots, package=copy)

    first = version(plain)
    assert version('"""New."""\n\ndef f(x):\n    """Add."""\n    return x + 1  # one\n') == first
    assert version(plain.replace("1", "2")) != first


def test_a_name_that_a_room_passes_on_leads_to_its_file_alone(copy: Path) -> None:
    """Kills a phase that is re-keyed by every file of a room of which it uses one, and imports for types."""
    (copy / "synthetic" / "volume.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "from emseg.dvid import Grayscale\n"
        "if TYPE_CHECKING:\n    from emseg.quality import Verdict\n"
        "def f():\n    from emseg import sorted_ids\n"
    )
    found = set(reach(("emseg.synthetic.volume",), package=copy).modules)
    assert {"emseg.dvid.grayscale", "emseg.sorted_ids"} <= found
    assert "emseg.dvid.labels.pyramid" not in found
    assert not any(name.startswith("emseg.quality") for name in found)


MAY_READ_THE_ENVIRONMENT = {
    "emseg.allowed_packages": "which packages may offer what; name and version of the package are in the key",
    "emseg.dvid.http": "proxies and certificates of the connection",
    "emseg.phases.services": "where the services are, and with what right",
    "emseg.segment.isolation": "handed on to the child, with one thread for each library",
}


def test_no_environment_variable_shapes_a_result() -> None:
    """Kills a result that depends on a variable of one worker, and is reused where that has another value."""
    readers = {
        name
        for phase in phases()
        for name, path in counted(phase).items()
        if any(isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv") for node in nodes_of(path))
    }
    assert readers - set(MAY_READ_THE_ENVIRONMENT) == set()


def nodes_of(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text()))
