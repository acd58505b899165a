"""`emseg plan` and `emseg run` take what the Airflow form takes: every field of RunParameters, with its limits."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import typer
from pydantic import Field
from tests.refusals import refused
from typer.testing import CliRunner

from emseg.cli import run_options
from emseg.cli.on_demand import loaded
from emseg.cli.run_options import takes_run_parameters
from emseg.config import RunParameters, StitchMode
from emseg.config.dataset import Publication
from emseg.errors import PermanentError

GIVEN = {
    "node": "3f2a:main",
    "roi": "tissue",
    "preset": "classical",
    "model": "ab" * 32,
    "stitch": "iou",
    "step_parameters": '{"agglomerate": {"threshold": 0.7}}',
    "core_vox": "128 128 64",
    "halo_vox": "0 20 30",
    "publication": "approval",
}


def called(*words: object, **fixed: Any) -> tuple[RunParameters, bool]:
    """What a command with these options is called with."""
    calls: list[tuple[RunParameters, bool]] = []

    def command(parameters: RunParameters, publish: Annotated[bool, typer.Option()] = False) -> None:
        calls.append((parameters, publish))

    cli = typer.Typer()
    cli.command()(takes_run_parameters(command, **fixed))
    done = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return calls[0]


def flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("name", RunParameters.model_fields)
def test_each_field_of_a_run_is_an_option_of_both_commands(command, name):
    """Kills a second, shorter list of what a run takes. `emseg plan` is the dry run, so it has no such option."""
    options = {option.name: option for option in loaded(command).params}
    if (command, name) == ("plan", "dry_run"):
        assert name not in options
        return
    field = RunParameters.model_fields[name]
    assert options[name].help.startswith(field.description)
    assert options[name].required == field.is_required()
    assert field.is_required() or options[name].opts == [flag(name)]


def test_what_is_given_arrives_as_the_parameters_of_the_run():
    """Kills an option that is shown and not passed on. The values are those that the form would send."""
    words = [word for name, value in GIVEN.items() for word in (flag(name), *_words(name, value))]
    parameters, publish = called("demo", "--dry-run", "--publish", *words)
    assert publish
    assert set(GIVEN) | {"dataset", "dry_run"} == set(RunParameters.model_fields)
    assert parameters == RunParameters(
        dataset="demo",
        dry_run=True,
        node="3f2a:main",
        roi="tissue",
        preset="classical",
        model="ab" * 32,
        stitch=StitchMode.IOU,
        step_parameters={"agglomerate": {"threshold": 0.7}},
        core_vox=(128, 128, 64),
        halo_vox=(0, 20, 30),
        publication=Publication.APPROVAL,
    )


def _words(name: str, value: str) -> list[str]:
    return value.split() if name.endswith("_vox") else [value]


def test_what_is_not_given_is_left_to_the_dataset_file():
    assert called("demo") == (RunParameters(dataset="demo"), False)


def test_a_fixed_field_is_no_option_and_has_its_value():
    assert called("demo", dry_run=True)[0].dry_run
    with pytest.raises(AssertionError, match="--dry-run"):
        called("demo", "--dry-run", dry_run=True)


@pytest.mark.parametrize("text", ["", "threshold=0.7", "[1, 2]", "3", '"text"', "null", '{"agglomerate": 0.7'])
def test_step_parameters_that_are_no_json_object_are_refused(text):
    """Kills a traceback of the parser, and a list or number that fails only when the steps are made."""
    with refused(PermanentError, f"--step-parameters {text}".strip()):
        called("demo", "--step-parameters", text)


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["--core-vox", 0, 64, 64], ["core_vox", 0]),
        (["--core-vox", 64, 64, 8192], ["core_vox", 4096]),
        (["--halo-vox", 20, 20, 2000], ["halo_vox", 1024]),
        (["--model", "abc"], ["model", "abc"]),
        (["--node", "no/node"], ["node", "no/node"]),
        (["--step-parameters", '{"agglomerate": 0.7}'], ["step_parameters.agglomerate", 0.7]),
    ],
)
def test_a_value_beyond_the_limits_of_the_form_is_refused(words, values):
    """Kills options that are looser than the form: the same model checks both."""
    with refused(PermanentError, *values):
        called("demo", *words)


def test_limits_are_told_with_the_option():
    options = {option.name: option.help for option in loaded("run").params}
    assert options["core_vox"].endswith("64 to 4096")
    assert options["halo_vox"].endswith("0 to 1024")


def test_a_new_field_of_a_run_becomes_an_option_by_itself(monkeypatch):
    """Kills options that somebody has to write for each field."""

    class Longer(RunParameters):
        tries: Annotated[int, Field(ge=1, le=9)] | None = Field(default=None, description="How often to try")

    monkeypatch.setattr(run_options, "RunParameters", Longer)
    run_options._schema.cache_clear()
    assert called("demo", "--tries", 3)[0].tries == 3
    with refused(PermanentError, "tries", 10):
        called("demo", "--tries", 10)
    run_options._schema.cache_clear()
