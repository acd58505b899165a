"""`emseg tidy`: what it refuses, and what it says when something cannot be judged."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from tests.refusals import refused
from typer.testing import CliRunner, Result

from emseg.cli import tidy
from emseg.errors import PermanentError
from emseg.store import FolderStore

LEFT = "brain/phases/match/0123/attempt-dead/sv-00000000/votes"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """A store with an artefact that nobody names."""
    store = FolderStore(tmp_path)
    store.put(LEFT, b"votes")
    monkeypatch.setattr(tidy, "connected", lambda: SimpleNamespace(store=store, server=None))
    return store


def called(*words: str) -> Result:
    cli = typer.Typer()
    tidy.add_to(cli)
    return CliRunner().invoke(cli, words, catch_exceptions=False)


def test_without_apply_nothing_goes_and_with_it_only_what_is_old(store):
    """Kills a default that removes, and defaults that spare nothing."""
    assert "Dry run" in called("--older-than-days", "0").output
    assert store.exists(LEFT)
    assert called("--apply").exit_code == 0
    assert store.exists(LEFT)
    assert "| brain" not in called("--apply", "--older-than-days", "0").output
    assert not store.exists(LEFT)


def test_a_dataset_that_nobody_knows_is_refused(store):
    """Kills a typing error that is answered with an empty table."""
    with refused(PermanentError, "brian"):
        called("brian", "--apply", "--older-than-days", "0")
    assert called("demo").exit_code == 0
    assert store.exists(LEFT)


@pytest.mark.parametrize("days", ["-1", "nan", "inf"])
def test_an_age_that_is_none_is_refused(store, days):
    """Kills a comparison with NaN, which is false for every age."""
    with refused(PermanentError, "older_than_days"):
        called("--apply", "--older-than-days", days)
    assert store.exists(LEFT)


def test_what_was_left_alone_ends_the_command_with_an_error_after_the_rest_is_done(store):
    store.put("damaged/releases/by-number/00000001.json", b"{")
    with refused(PermanentError, "damaged", "00000001.json"):
        called("--apply", "--older-than-days", "0")
    assert not store.exists(LEFT)


class Forbidding(FolderStore):
    """A store whose user may not list uploads."""

    def drop_unfinished(self, *_, **__):
        raise PermanentError("listing uploads that were not ended", "s3://b", "HTTP 403 AccessDenied", "Give it")


def test_a_right_that_lacks_for_uploads_keeps_nothing_else_back(store, tmp_path, monkeypatch):
    forbidding = Forbidding(tmp_path)
    monkeypatch.setattr(tidy, "connected", lambda: SimpleNamespace(store=forbidding, server=None))
    with refused(PermanentError, "AccessDenied"):
        called("--apply", "--older-than-days", "0")
    assert not store.exists(LEFT)
