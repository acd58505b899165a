"""Every file, folder, module, class and function that a document names exists."""

from __future__ import annotations

import builtins
import re

import pytest
from tests.docs.defined import ROOTS, class_has, dotted_exists, has, path_of
from tests.docs.documents import BANNED, DOCUMENTS, Document, document

PATH = re.compile(r"(?P<path>[a-z_.][\w./-]*\.(?:py|yaml|toml|txt|proto|md))(?::(?P<symbol>[A-Za-z_][\w.]*))?")
FOLDER = re.compile(r"[a-z_]+(/[a-z_]+)+/?")
DOTTED = re.compile(rf"(?:{'|'.join(ROOTS)})(?:\.\w+)+")
CLASS = re.compile(r"(?:[A-Z][a-z0-9]+){2,}(?:\.\w+)?")
STANDS_FOR_ANY = re.compile(r"(?<![A-Za-z])(?!README)[A-Z_]{3,}(?![a-z])")
"""A word in capitals, for which a reader puts a name of his own: `NAME`, `STAGE`."""

OF_OTHERS = {"emseg.steps", "medulla.yaml", "SecretStr"}
OF_OTHERS |= {"PutObject", "DeleteObject", "ListBucket", "AbortMultipartUpload"}
"""A group of entry points, a reader's own file, a class of pydantic, rights in S3."""


def fault(text: str) -> str:
    """What is wrong with a piece of code in a document that looks like a name of the project; empty: nothing."""
    if text in OF_OTHERS or text.startswith("build/") or STANDS_FOR_ANY.search(text.partition(":")[0]):
        return ""
    if found := PATH.fullmatch(text):
        return _fault_of_path(text, found["path"], found["symbol"])
    if FOLDER.fullmatch(text):
        return _unless(path_of(text) is not None, text, "there is no such folder")
    if DOTTED.fullmatch(text):
        return _unless(dotted_exists(text), text, "there is no such module or name")
    if CLASS.fullmatch(text):
        return _unless(hasattr(builtins, text) or class_has(text), text, "there is no such class or member")
    return ""


def _fault_of_path(text: str, name: str, symbol: str | None) -> str:
    path = path_of(name)
    if path is None:
        return f"`{text}`: there is no such file"
    return _unless(not symbol or has(path, symbol), text, "the file does not define it")


def _unless(is_right: bool, text: str, found: str) -> str:
    return "" if is_right else f"`{text}`: {found}"


@pytest.mark.parametrize("each", DOCUMENTS, ids=lambda each: each.name)
def test_what_a_document_names_is_there(each: Document) -> None:
    """Kills a document that was not followed when code moved."""
    named = [span for span in each.spans if span not in BANNED] if each.name == "docs/glossary.md" else each.spans
    assert [found for span in named if (found := fault(span))] == []


def test_the_tour_names_files_and_symbols_that_are_checked() -> None:
    """Kills a check that recognises nothing."""
    spans = document("architecture.md").spans
    assert sum(PATH.fullmatch(span) is not None for span in spans) > 60
    assert sum(":" in span and PATH.fullmatch(span) is not None for span in spans) > 40
    assert sum(CLASS.fullmatch(span) is not None for span in spans) > 5


@pytest.mark.parametrize(
    "wrong",
    [
        "stitch/votes.py:count_vote",
        "stitch/vote.py",
        "phases/run_context.py:RunContext.workplace",
        "emseg.dvid.Greyscale",
        "emseg.stages",
        "phases/segments",
        "StageFolder",
        "PhaseFolder.commit_stage",
    ],
)
def test_a_name_that_is_gone_is_noticed(wrong: str) -> None:
    assert fault(wrong)


@pytest.mark.parametrize(
    "right",
    [
        "stitch/votes.py:count_votes",
        "config/base.py:Record",
        "engine/run.py:PhaseResult.given_up",
        "phases/segment/work.py:SegmentSubvolume",
        "segment/pipeline.py:Pipeline.bytes_per_voxel",
        "spark_jobs/run_stage.py",
        "emseg.dvid.Grayscale",
        "emseg.stitch.modes.decide",
        "phases/segment",
        "PhaseFolder.commit_phase",
    ],
)
def test_a_name_that_is_there_is_not_blamed(right: str) -> None:
    assert not fault(right)
