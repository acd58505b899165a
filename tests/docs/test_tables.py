"""Tables of the documents that repeat what the code says are compared with the code, row by row."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import numpy as np
import pytest
from pydantic import BaseModel
from tests.docs.defined import LIBRARY, OWN, PROJECT, files, tree
from tests.docs.documents import code, document

from emseg.config import Dataset, RunParameters
from emseg.config.checks import ImageChecks
from emseg.config.pipeline import Isolation, StepConfig
from emseg.config.presets import preset
from emseg.errors import IntegrityError, PermanentError, TransientError
from emseg.evaluate import OPTIONAL_FIGURES
from emseg.geometry import Box, Grid
from emseg.phases import catalogue, phases, stages
from emseg.phases.artefact import LabelArtefact
from emseg.phases.resolve.items import JOIN, RegionItem
from emseg.phases.survey import REGION
from emseg.phases.write.bricks import brick_name
from emseg.quality.report.document import SCHEMA as QUALITY_SCHEMA
from emseg.segment import Setting, StepKind, step_class, step_names
from emseg.store.markers import ITEM, PHASE
from emseg.tasks.run_documents import SCHEMA
from emseg.training.presets import training_settings

ARCHITECTURE, REFERENCE, DATASETS = map(document, ("architecture.md", "reference.md", "datasets.md"))
ISOTROPIC = (10.0, 10.0, 10.0)


def only(cell: str) -> str:
    (found,) = code(cell)
    return found


def test_phases() -> None:
    """Kills a phase that only the code knows, and another order."""
    rows = REFERENCE.rows("phase", "stage", "follows")
    told = [[code(cell)[:1] for cell in row[:3]] for row in rows]
    assert told == [[[p.name], [p.stage.name], [p.follows] if p.follows else []] for p in phases()]


def test_items() -> None:
    """Kills an example of an item whose name no item has."""
    grid = Grid(Box((0, 0, 0), (64, 64, 6400)), (64, 64, 64), (0, 0, 0))
    joined, counted = RegionItem(JOIN, 0, 42).name, f"{REGION}-00000042"
    names = {"level by level": joined, "region": counted, "subvolume": grid.subvolume(42).name, "brick": brick_name(42)}
    for row in REFERENCE.rows("phase", "stage", "follows"):
        what = next(word for word in names if word in row[3])
        assert only(row[3]) == names[what]


def test_stages_in_the_flow() -> None:
    """Kills a picture of the flow without a stage, or with the phases of another one."""
    picture = re.search(r"^## The flow\n\n```\n(.*?)```", ARCHITECTURE.text, re.MULTILINE | re.DOTALL)
    assert picture
    tasks, *others = picture[1].splitlines()
    ends = ["gate", "approve", "publish"]
    assert re.findall(r"\w+", tasks)[2:] == ["pin", "plan", *(stage.name for stage in stages()), *ends]
    assert {phase.name for phase in phases()} <= set(re.findall(r"\w+", " ".join(others)))


def test_artefacts() -> None:
    """Kills an artefact that only the code knows, or that is described in other words than in its declaration."""
    told = [(only(row[0]), only(row[1]), row[2], row[3]) for row in REFERENCE.rows("phase", "artefact")]
    kinds = [
        f"labels, {np.dtype(artefact.dtype)}" if isinstance(artefact, LabelArtefact) else "table"
        for _, artefact in catalogue()
    ]
    found = [(phase, a.name, kind, a.holds) for (phase, a), kind in zip(catalogue(), kinds, strict=True)]
    assert told == found


def test_schema_numbers() -> None:
    """Kills a page that calls the documents of this release those of another one."""
    assert ITEM.schema == PHASE.schema
    told = f"Schema numbers: {ITEM.schema} for markers, {QUALITY_SCHEMA} for `quality.json`, {SCHEMA} for all others."
    assert told in REFERENCE.text


def test_rooms_and_their_levels() -> None:
    """Kills a room that moved to another level, and one that the tour does not know."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["type"] == "layers" and "containers" not in c)
    levels = {
        room.strip().removeprefix("emseg."): level
        for level, layer in enumerate(reversed(layers), 1)
        for room in layer.split("|")
    }
    told = {only(row[1]): row[0] for row in ARCHITECTURE.rows("level", "room")}
    rooms = {path.stem for path in LIBRARY.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert told.keys() == rooms - {"__init__"}
    assert {room: int(level) for room, level in told.items() if room in levels} == levels


def test_tasks_of_the_runbook() -> None:
    """The tasks of the DAG are compared in tests/airflow; stages and their pools here."""
    told = {only(row[0]): (row[2].strip("`"), row[3]) for row in document("runbook.md").rows("task", "what it does")}
    writing = {phase.stage.name for phase in phases() if phase.writes_dvid}
    pools = {stage.name: "dvid_write" if stage.name in writing else "dvid_read" for stage in stages()}
    assert {name: pool for name, (pool, where) in told.items() if where == "Spark"} == pools


def test_exit_codes() -> None:
    told = {name: row[1] for row in ARCHITECTURE.rows("class") for name in code(row[0])[:1]}
    assert told == {kind.__name__: str(kind.exit_code) for kind in (PermanentError, IntegrityError, TransientError)}


def test_environment_variables() -> None:
    """Kills a variable that somebody has to find in the code."""
    told = {name for row in REFERENCE.rows("variable") for name in code(row[0])}
    sources = [*files(*OWN), *files("benchmarks")]
    found = {name for file in sources for name in re.findall(r'"(EMSEG_[A-Z0-9_]*[A-Z0-9])"', file.read_text())}
    assert told == found


def fields_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Names of all fields, those of nested models behind a point."""
    for name, field in model.model_fields.items():
        inner = [t for t in (field.annotation, *get_args(field.annotation)) if _is_model(t)]
        of_each = "NAME." if get_origin(field.annotation) is dict else ""
        if inner and prefix + name not in {"segmentation.pipeline", "segmentation.checks"}:
            yield from fields_of(inner[0], f"{prefix}{name}.{of_each}")
        else:
            yield prefix + name


def _is_model(found: Any) -> bool:
    return isinstance(found, type) and issubclass(found, BaseModel)


def test_fields_of_a_dataset() -> None:
    """Kills a field that only the code knows."""
    told = [only(row[0]) for row in DATASETS.rows("field", "type, unit")]
    assert sorted(told) == sorted(fields_of(Dataset))


def test_defaults_of_the_fields_of_a_dataset() -> None:
    """Kills a default that was changed in the code alone."""
    defaults = dict(_defaults(Dataset, ""))
    for row in DATASETS.rows("field", "type, unit"):
        name, told = only(row[0]), row[2].strip("`")
        if isinstance(defaults.get(name), int | float) and not isinstance(defaults[name], bool):
            assert float(told.replace("10^", "1e")) == defaults[name], name
        elif isinstance(defaults.get(name), str):
            assert told == str(defaults[name]), name


def _defaults(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield from _defaults(type(default), f"{prefix}{name}.")
        else:
            yield prefix + name, default


def test_optional_figures() -> None:
    """Kills a figure that only the code knows, and one whose limit people take for the wrong end."""
    told = {
        name: (row[1].strip(), row[2]) for row in DATASETS.rows("figure", "unit", "better") for name in code(row[0])
    }
    assert told == {
        name: (figure.unit, "less" if figure.direction == "max" else "more")
        for name, figure in OPTIONAL_FIGURES.items()
    }


def test_image_checks() -> None:
    told = {only(row[0]): row[1].strip("`").split(" ")[0] for row in DATASETS.rows("`segmentation.checks.`")}
    defaults = ImageChecks().model_dump(mode="json")
    assert told == {name: str(default) for name, default in defaults.items()}


def test_fields_of_a_step() -> None:
    told = {only(row[0]): row[1].strip("`") for row in DATASETS.rows("field of a step")}
    isolation = {f"isolation.{name}": f"{default:g}" for name, default in Isolation().model_dump().items()}
    assert set(told) == (set(StepConfig.model_fields) - {"isolation"}) | set(isolation)
    assert {name: told[name] for name in isolation} == isolation


def test_steps_and_their_parameters() -> None:
    """Kills a step or a parameter that only the code knows, and a default that was changed in the code alone."""
    rows = {(only(row[0]), code(row[1])[0]): row[2] for row in DATASETS.rows("kind", "name")}
    assert set(rows) == {(kind.value, name) for kind in StepKind for name in step_names(kind)}
    for (kind, name), text in rows.items():
        for field, info in step_class(StepKind(kind), name).Parameters.model_fields.items():
            assert f"`{field}`" in text
            if isinstance(info.default, int | float):
                assert f"`{field}` ({info.default:g}" in text


def test_parameters_of_a_run() -> None:
    told = {name for row in DATASETS.rows("parameter", "default") for name in code(row[0])}
    assert told == set(RunParameters.model_fields)


def test_messages_that_refuse_a_dataset_are_those_of_the_code() -> None:
    """Kills a message that a person looks for and does not find, because it was reworded."""
    sources = " ".join(file.read_text() for file in files("emseg"))
    quoted = [text for row in DATASETS.rows("message holds") for text in code(row[0])]
    of_pydantic = {"Extra inputs are not permitted", "Field required", "Input should be"}
    assert [text for text in quoted if text not in of_pydantic and text not in sources] == []


def halo_and_memory(name: str) -> tuple[int, int]:
    """Halo along X at 10 nm and bytes for each voxel of a preset; a trained one from what it is trained with."""
    config, halo, most = preset(name), 0, 0
    for kind in StepKind:
        if (step := getattr(config, kind.value)) is None:
            continue
        found = step_class(kind, step.name)
        most = max(most, found.bytes_per_voxel)
        if step.name == "pixel-classifier":
            halo += sum(bank.reach_vox(ISOTROPIC)[2] for bank in training_settings(name).boundary.banks)
        else:
            halo += _made(found).halo_vox[2]
    return halo, most + 14


def _made(step: Any) -> Any:
    made = step.__new__(step)
    made.parameters, made.setting = step.Parameters(), Setting(ISOTROPIC)
    return made


@pytest.mark.parametrize("name", ["classical", "default", "best"])
def test_halo_and_memory_of_the_presets(name: str) -> None:
    """Kills a step that asks for more than the documents say."""
    halo, memory = halo_and_memory(name)
    told = re.search(rf"\b(\d+)(?: voxels of 10 nm)? for `{name}`", DATASETS.text)
    assert told
    assert int(told[1]) == halo
    said = re.search(r"(\d+) bytes for each voxel of core \+ halo with\s+`classical`, (\d+) with", DATASETS.text)
    assert said
    assert int(said[1 if name == "classical" else 2]) == memory
    assert f"{memory} bytes" in REFERENCE.text or f"{memory} with" in REFERENCE.text


def test_memory_of_a_task_at_the_size_that_the_reference_names() -> None:
    assert round(halo_and_memory("classical")[1] * (128 + 2 * 20) ** 3 / 1e6) == 256
    assert "256 MB at core 128, halo 20" in REFERENCE.text


def test_more_than_half_of_the_tests_say_what_they_kill() -> None:
    """The tour says so."""
    nodes = (node for file in files("tests") for node in ast.walk(tree(file)) if isinstance(node, ast.FunctionDef))
    tests = [node for node in nodes if node.name.startswith("test_")]
    assert sum("Kills" in (ast.get_docstring(test) or "") for test in tests) > len(tests) / 2
